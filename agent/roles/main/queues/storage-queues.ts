import {
  addRecordJobs,
  cancelEventJobs,
  cancelRecordJobs,
  forgetOrigins,
  originsOfQueue,
  prioritiseRecordJobs,
} from '../../../db/queries/job-origin.ts';
import type { GatewayEvent, Storage } from '../../../iconik/api.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import { backoffMs } from '../../../runtime/backoff.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { coerceError } from '../../../runtime/errors.ts';
import { AbsentRecords } from './absent-records.ts';
import type { EventStep } from './event-plan.ts';
import { planEvent } from './event-plan.ts';
import type { FailureLog } from './failure-log.ts';
import { QUEUES, type QueueName } from './gateway-event-table.ts';
import { uploadIngested } from './ingest-upload.ts';
import type { QueueReconciler, ReconcileDeps } from './reconcile-queue.ts';
import { createQueueReconciler, FORGET_MS } from './reconcile-queue.ts';

/** What the rounds of one storage need. */
export interface StorageQueuesDeps extends ReconcileDeps {
  clock: Clock;
  /** Uniform in [0, 1). */
  random(): number;
  failures: FailureLog;
  reconcileIntervalMs: number;
  /** The storage as iconik describes it now; null when this node does not know it. */
  storage(storageId: string): Storage | null;
  /** Counts events acknowledged without effect, by type. */
  countIgnored(storageId: string, type: string, note: string): void;
  /** iconik orders the restart of the node that serves this storage; called once the event is acknowledged. */
  restart(storageId: string): void;
}

/** Waits between looks into a queue that fails. */
const RETRY = { baseMs: 2000, capMs: 30_000 };
/** Time between looks while orders wait for the scan. */
const WAITING_MS = 5000;
/** Edge transcodes come without an event that names them. */
const EDGE_MS = 10_000;
/** Ids of handled events that iconik may show once more before the acknowledgement takes effect. */
const REMEMBERED_EVENTS = 2000;

interface QueueSchedule {
  reconciler: QueueReconciler;
  /** Monotonic; looked into at or after this instant even without a hint. */
  dueAtMs: number;
  /** Monotonic; not looked into before, whatever hints come. */
  notBeforeMs: number;
  failures: number;
  /** Orders in work when it was read last. */
  open: number;
}

/** Events and queues of one storage during one leadership. `round` never throws. */
export class StorageQueues {
  readonly #deps: StorageQueuesDeps;
  readonly #storageId: string;
  readonly #leadership: Leadership;
  readonly #queues: Map<QueueName, QueueSchedule>;
  readonly #handled = new Set<string>();
  /** Handled events whose acknowledgement has not been accepted yet. */
  #unacknowledged: string[] = [];
  /** All events up to this one are handled; null = ask for all, which the acknowledged ones have left. */
  #lastId: string | null = null;
  /** Restarts ordered by events that are not acknowledged yet. */
  readonly #restarts = new Set<string>();
  /** Monotonic; events whose orders are settled are forgotten at or after this instant. */
  #forgetAtMs = Number.NEGATIVE_INFINITY;
  readonly #absentEvents: AbsentRecords;
  #openEvents = 0;

  constructor(deps: StorageQueuesDeps, storageId: string, leadership: Leadership) {
    this.#deps = deps;
    this.#storageId = storageId;
    this.#leadership = leadership;
    this.#absentEvents = new AbsentRecords(deps.forgetMs ?? FORGET_MS);
    this.#queues = new Map(
      QUEUES.map((queue) => [
        queue,
        {
          reconciler: createQueueReconciler(deps, { storageId, queue }, leadership),
          dueAtMs: Number.NEGATIVE_INFINITY,
          notBeforeMs: Number.NEGATIVE_INFINITY,
          failures: 0,
          open: 0,
        },
      ]),
    );
  }

  /** Whether users may want to abort something here: orders of iconik are in work, as far as the last looks tell. */
  hasOpenOrders(): boolean {
    return this.#openEvents > 0 || [...this.#queues.values()].some((schedule) => schedule.open > 0);
  }

  /** Reads events, looks into the queues that are due or hinted, applies what events ask for, acknowledges. */
  async round(lookEverywhere: boolean, signal: AbortSignal): Promise<void> {
    const settledEvents = await this.#settledEvents(signal);
    const events = await this.#readEvents(signal);
    if (events === null) return void (await this.#lookIntoQueues(new Set(lookEverywhere ? QUEUES : []), signal));
    await this.#forgetEvents(settledEvents, events, signal);
    const steps = events
      .filter((event) => !this.#handled.has(event.id))
      .map((event) => planEvent(event, this.#storageId));
    const hinted = new Set<QueueName>(lookEverywhere ? QUEUES : steps.flatMap((step) => step.queues));
    if (hinted.has('transcode')) hinted.add('edge_transcode');
    // Queues first: the job that an event cancels must exist by then, or its record must be gone.
    const fresh = await this.#lookIntoQueues(hinted, signal);
    for (const step of steps) {
      if (signal.aborted) return;
      if (step.queues.every((queue) => fresh.has(queue)) && (await this.#apply(step, signal)))
        this.#remember(step.eventId);
    }
    await this.#acknowledge(events, signal);
  }

  /** Events whose orders are settled, when it is time to forget them; null otherwise. Read before the list of events. */
  async #settledEvents(signal: AbortSignal): Promise<string[] | null> {
    const nowMs = this.#deps.clock.monotonicMs();
    // Only a list of all events may speak for one that it does not show.
    if (nowMs < this.#forgetAtMs || this.#lastId !== null || signal.aborted) return null;
    this.#forgetAtMs = nowMs + this.#deps.reconcileIntervalMs;
    try {
      const origins = await originsOfQueue(this.#deps.database, 'event', this.#storageId);
      this.#openEvents = origins.filter((origin) => !origin.settled).length;
      return origins.filter((origin) => origin.settled).map((origin) => origin.recordId);
    } catch (thrown) {
      this.#failed(`event origins ${this.#storageId}`, 'Orders of events cannot be read', thrown, signal);
      return null;
    }
  }

  async #forgetEvents(settled: string[] | null, events: readonly GatewayEvent[], signal: AbortSignal): Promise<void> {
    if (settled === null) return;
    const listed = new Set(events.map((event) => event.id));
    const isListed = (recordId: string) => listed.has(recordId.split(':')[0] ?? recordId);
    const gone = this.#absentEvents.gone(settled, isListed, this.#deps.clock.monotonicMs());
    const key = `event origins ${this.#storageId}`;
    try {
      await forgetOrigins(this.#deps.database, this.#leadership, 'event', gone);
      this.#deps.failures.worked(key);
    } catch (thrown) {
      this.#failed(key, 'Orders of events that are done cannot be forgotten yet', thrown, signal);
    }
  }

  /** null = they could not be read. */
  async #readEvents(signal: AbortSignal): Promise<GatewayEvent[] | null> {
    const key = `events ${this.#storageId}`;
    try {
      const events = await this.#deps.iconik.storages.events(this.#storageId, this.#lastId, { signal });
      this.#deps.failures.worked(key);
      return events;
    } catch (thrown) {
      this.#failed(key, 'Gateway events cannot be read; the queues are still looked into now and then', thrown, signal);
      return null;
    }
  }

  /** Answers the queues that were read without trouble in this round. */
  async #lookIntoQueues(hinted: ReadonlySet<QueueName>, signal: AbortSignal): Promise<Set<QueueName>> {
    const nowMs = this.#deps.clock.monotonicMs();
    const fresh = new Set<QueueName>();
    const look = async ([queue, schedule]: [QueueName, QueueSchedule]) => {
      if (!hinted.has(queue) && nowMs < schedule.dueAtMs) return;
      if (nowMs < schedule.notBeforeMs) return;
      const key = `${queue} ${this.#storageId}`;
      try {
        const { waiting, open } = await schedule.reconciler.reconcile(signal);
        fresh.add(queue);
        schedule.failures = 0;
        schedule.open = open;
        schedule.notBeforeMs = Number.NEGATIVE_INFINITY;
        const pauseMs = waiting > 0 ? WAITING_MS : queue === 'edge_transcode' ? EDGE_MS : Number.POSITIVE_INFINITY;
        schedule.dueAtMs = nowMs + Math.min(pauseMs, this.#deps.reconcileIntervalMs);
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
  async #apply(step: EventStep, signal: AbortSignal): Promise<boolean> {
    const key = `event effect ${this.#storageId}`;
    try {
      await this.#carryOut(step, signal);
      this.#deps.failures.worked(key);
      return true;
    } catch (thrown) {
      this.#failed(key, `The event ${step.type.slice(0, 100)} had no effect yet`, thrown, this.#leadership.signal);
      return false;
    }
  }

  async #carryOut(step: EventStep, signal: AbortSignal): Promise<void> {
    const { database, log } = this.#deps;
    const say = (what: string) =>
      log.info(`${what} on iconik's order.`, { storageId: this.#storageId, event: step.type });
    switch (step.kind) {
      case 'hint':
        return;
      case 'ignore':
        return this.#deps.countIgnored(this.#storageId, step.type, step.note);
      case 'cancel':
        return say(`Cancelling ${await cancelRecordJobs(database, this.#leadership, step)} jobs`);
      case 'cancel-kind': {
        const of = { storageId: this.#storageId, jobKind: step.jobKind };
        return say(`Cancelling ${await cancelEventJobs(database, this.#leadership, of)} jobs ${step.jobKind}`);
      }
      case 'prioritise': {
        const changed = await prioritiseRecordJobs(database, this.#leadership, step, step.priority);
        return say(`New priority ${step.priority} for ${changed} jobs`);
      }
      case 'order':
        await addRecordJobs(database, this.#leadership, [step.job]);
        this.#openEvents += 1;
        return say(`Job ${step.job.job.kind}`);
      case 'upload-ingested': {
        const order = { eventId: step.eventId, data: step.data, storageId: this.#storageId };
        const plan = await uploadIngested({ ...this.#deps, leadership: this.#leadership }, order, signal);
        if (plan.why !== null) return this.#deps.countIgnored(this.#storageId, step.type, plan.why);
        this.#openEvents += plan.ordered;
        return say(`${plan.ordered} uploads of ingested files`);
      }
      case 'restart':
        // Carried out once iconik has forgotten the event: it would else restart the node for ever.
        this.#restarts.add(step.eventId);
        return;
      default:
        return step satisfies never;
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
      if (this.#restarts.size > 0) {
        this.#restarts.clear();
        this.#deps.restart(this.#storageId);
      }
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
