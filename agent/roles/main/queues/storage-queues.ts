import type { RecordKind } from '../../../db/queries/job-origin.ts';
import { cancelRecordJobs, prioritiseRecordJobs } from '../../../db/queries/job-origin.ts';
import type { GatewayEvent } from '../../../iconik/api.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import { backoffMs } from '../../../runtime/backoff.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { EventStep } from './event-plan.ts';
import { planEvent } from './event-plan.ts';
import type { FailureLog } from './failure-log.ts';
import { QUEUES } from './gateway-event-table.ts';
import type { QueueReconciler, ReconcileDeps } from './reconcile-queue.ts';
import { createQueueReconciler } from './reconcile-queue.ts';

/** What the rounds of one storage need. */
export interface StorageQueuesDeps extends ReconcileDeps {
  clock: Clock;
  /** Uniform in [0, 1). */
  random(): number;
  failures: FailureLog;
  reconcileIntervalMs: number;
  /** Counts events acknowledged without effect, by type. */
  countIgnored(type: string, note: string): void;
}

/** Waits between looks into a queue that fails. */
const RETRY = { baseMs: 2000, capMs: 30_000 };
/** Time between looks while orders wait for the scan. */
const WAITING_MS = 5000;
/** Ids of handled events that iconik may show once more before the acknowledgement takes effect. */
const REMEMBERED_EVENTS = 2000;

interface QueueSchedule {
  reconciler: QueueReconciler;
  /** Monotonic; looked into at or after this instant even without a hint. */
  dueAtMs: number;
  /** Monotonic; not looked into before, whatever hints come. */
  notBeforeMs: number;
  failures: number;
}

/** Events and queues of one storage during one leadership. `round` never throws. */
export class StorageQueues {
  readonly #deps: StorageQueuesDeps;
  readonly #storageId: string;
  readonly #leadership: Leadership;
  readonly #queues: Map<RecordKind, QueueSchedule>;
  readonly #handled = new Set<string>();
  /** Handled events whose acknowledgement has not been accepted yet. */
  #unacknowledged: string[] = [];
  /** All events up to this one are handled; null = ask for all, which the acknowledged ones have left. */
  #lastId: string | null = null;

  constructor(deps: StorageQueuesDeps, storageId: string, leadership: Leadership) {
    this.#deps = deps;
    this.#storageId = storageId;
    this.#leadership = leadership;
    this.#queues = new Map(
      QUEUES.map((queue) => [
        queue,
        {
          reconciler: createQueueReconciler(deps, { storageId, queue }, leadership),
          dueAtMs: Number.NEGATIVE_INFINITY,
          notBeforeMs: Number.NEGATIVE_INFINITY,
          failures: 0,
        },
      ]),
    );
  }

  /** Reads events, looks into the queues that are due or hinted, applies what events ask for, acknowledges. */
  async round(lookEverywhere: boolean, signal: AbortSignal): Promise<void> {
    const events = await this.#readEvents(signal);
    const steps = events.filter((event) => !this.#handled.has(event.id)).map(planEvent);
    const hinted = new Set(lookEverywhere ? QUEUES : steps.flatMap((step) => step.queues));
    // Queues first: the job that an event cancels must exist by then, or its record must be gone.
    const fresh = await this.#lookIntoQueues(hinted, signal);
    for (const step of steps) {
      if (signal.aborted) return;
      if (step.queues.every((queue) => fresh.has(queue)) && (await this.#apply(step))) this.#remember(step.eventId);
    }
    await this.#acknowledge(events, signal);
  }

  async #readEvents(signal: AbortSignal): Promise<GatewayEvent[]> {
    const key = `events ${this.#storageId}`;
    try {
      const events = await this.#deps.iconik.storages.events(this.#storageId, this.#lastId, { signal });
      this.#deps.failures.worked(key);
      return events;
    } catch (thrown) {
      this.#failed(key, 'Gateway events cannot be read; the queues are still looked into now and then', thrown, signal);
      return [];
    }
  }

  /** Answers the queues that were read without trouble in this round. */
  async #lookIntoQueues(hinted: ReadonlySet<RecordKind>, signal: AbortSignal): Promise<Set<RecordKind>> {
    const nowMs = this.#deps.clock.monotonicMs();
    const fresh = new Set<RecordKind>();
    const look = async ([queue, schedule]: [RecordKind, QueueSchedule]) => {
      if (!hinted.has(queue) && nowMs < schedule.dueAtMs) return;
      if (nowMs < schedule.notBeforeMs) return;
      const key = `${queue} ${this.#storageId}`;
      try {
        const { waiting } = await schedule.reconciler.reconcile(signal);
        fresh.add(queue);
        schedule.failures = 0;
        schedule.notBeforeMs = Number.NEGATIVE_INFINITY;
        schedule.dueAtMs =
          nowMs + (waiting > 0 ? Math.min(WAITING_MS, this.#deps.reconcileIntervalMs) : this.#deps.reconcileIntervalMs);
        this.#deps.failures.worked(key);
      } catch (thrown) {
        schedule.failures += 1;
        schedule.notBeforeMs =
          this.#deps.clock.monotonicMs() + backoffMs(schedule.failures, RETRY, () => this.#deps.random());
        schedule.dueAtMs = schedule.notBeforeMs;
        this.#failed(
          key,
          `The queue ${queue} cannot be brought in line with the jobs; tried again soon`,
          thrown,
          signal,
        );
      }
    };
    await Promise.all([...this.#queues].map(look));
    return fresh;
  }

  /** Whether the event's effect is committed. */
  async #apply(step: EventStep): Promise<boolean> {
    if (step.kind === 'hint') return true;
    if (step.kind === 'ignore') {
      this.#deps.countIgnored(step.type, step.note);
      return true;
    }
    const { recordIds, iconikJobIds, queues } = step;
    const selection = { kinds: queues, recordIds, iconikJobIds };
    const key = `event effect ${this.#storageId}`;
    try {
      const { database, log, failures } = this.#deps;
      const changed =
        step.kind === 'cancel'
          ? await cancelRecordJobs(database, this.#leadership, selection)
          : await prioritiseRecordJobs(database, this.#leadership, selection, step.priority);
      log.info(`${step.kind === 'cancel' ? 'Cancelling' : 'New priority for'} ${changed} jobs on iconik's order.`, {
        storageId: this.#storageId,
      });
      failures.worked(key);
      return true;
    } catch (thrown) {
      this.#failed(key, 'An event of iconik had no effect yet', thrown, this.#leadership.signal);
      return false;
    }
  }

  #remember(eventId: string): void {
    this.#handled.add(eventId);
    for (const old of this.#handled) {
      if (this.#handled.size <= REMEMBERED_EVENTS) break;
      this.#handled.delete(old);
    }
  }

  async #acknowledge(events: readonly GatewayEvent[], signal: AbortSignal): Promise<void> {
    const handled = events.filter((event) => this.#handled.has(event.id)).map((event) => event.id);
    this.#unacknowledged = [...new Set([...this.#unacknowledged, ...handled])];
    if (this.#unacknowledged.length === 0 || signal.aborted) return;
    const key = `acknowledge ${this.#storageId}`;
    try {
      this.#leadership.assertTrusted();
      await this.#deps.iconik.storages.purgeEvents(this.#storageId, this.#unacknowledged, { signal });
      this.#unacknowledged = [];
      this.#lastId = null;
      this.#deps.failures.worked(key);
    } catch (thrown) {
      const firstOpen = events.findIndex((event) => !this.#handled.has(event.id));
      const read = firstOpen === -1 ? events : events.slice(0, firstOpen);
      this.#lastId = read.at(-1)?.id ?? this.#lastId;
      this.#failed(key, 'Handled gateway events cannot be acknowledged', thrown, signal);
    }
  }

  /** The end of the leadership is not a failure. */
  #failed(key: string, what: string, thrown: unknown, signal: AbortSignal): void {
    if (signal.aborted || coerceError(thrown).code === 'leadership-lost') return;
    this.#deps.failures.failed(key, `${what} (storage ${this.#storageId})`, thrown);
  }
}
