import type { Clock } from '../../runtime/clock.ts';
import { coerceError } from '../../runtime/errors.ts';
import type { StoreDeps } from './object-store-http.ts';
import type { PlannedPart } from './part-plan.ts';
import type { UploadObjectArgs } from './upload-object.ts';

/** What sending a file in parts needs. */
export interface PartsDeps extends StoreDeps {
  /** Parts of one file sent at once (`file-upload-parallel-uploads-threads-num`; reference C.9: common practice is 4). */
  partsAtOnce: number;
}

/** How often the checkpoint is written, milliseconds. */
export const SAVE_EVERY_MS = {
  /** The store's own list is the truth on resume; the checkpoint is only its substitute. */
  storeLists: 15_000,
  /** The checkpoint decides: parts confirmed after it are sent again when the process is killed. */
  checkpointDecides: 1_000,
};

/** One round of sending parts. */
export interface PartsRun {
  /** All that the store does not hold yet. */
  parts: readonly PlannedPart[];
  /** Stores which parts are sent. */
  save: () => Promise<void>;
  /** At most so often, milliseconds; once more when the round fails. */
  saveEveryMs: number;
  /** `lane` (0 … partsAtOnce − 1) is the same for parts that follow each other. `stop` ends the round without an error. */
  send(
    part: PlannedPart,
    how: { lane: number; signal: AbortSignal; onBytes: (sentBytes: number) => void },
  ): Promise<SendEnd>;
}

/** How the sending of one part ended. */
export type SendEnd = 'sent' | 'stop';

/**
 * Sends parts, several at once, until all are sent or one says `stop`. When one fails the others are given up, and the error
 * is thrown once all have ended.
 */
export async function runParts(deps: PartsDeps, args: UploadObjectArgs, run: PartsRun): Promise<SendEnd> {
  const ending = new AbortController();
  const signal = AbortSignal.any([args.signal, ending.signal]);
  const queue = [...run.parts];
  const inFlight = new Map<number, number>();
  let doneBytes = args.sizeBytes - run.parts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  let end: SendEnd = 'sent';
  let failure: { thrown: unknown } | null = null;
  const saveSometimes = createSparingSave(deps.clock, run);
  const report = () => args.onProgress?.([...inFlight.values()].reduce((sum, bytes) => sum + bytes, doneBytes));

  const sendOne = async (part: PlannedPart, lane: number): Promise<void> => {
    const onBytes = (sentBytes: number) => {
      inFlight.set(part.number, Math.min(sentBytes, part.lengthBytes));
      report();
    };
    if ((await run.send(part, { lane, signal, onBytes })) === 'stop') {
      end = 'stop';
      ending.abort();
      return;
    }
    inFlight.delete(part.number);
    doneBytes += part.lengthBytes;
    report();
    await saveSometimes();
  };
  const work = async (lane: number): Promise<void> => {
    try {
      for (let part = queue.shift(); part && !ending.signal.aborted; part = queue.shift()) await sendOne(part, lane);
    } catch (thrown) {
      if (!ending.signal.aborted) failure = { thrown };
      ending.abort();
    }
  };

  report();
  await Promise.all(Array.from({ length: Math.min(deps.partsAtOnce, queue.length) }, (_, lane) => work(lane)));
  if (failure) {
    // The failure is what counts; without this save the next attempt only sends more.
    await run.save().catch(() => undefined);
    throw (failure as { thrown: unknown }).thrown;
  }
  return end;
}

/**
 * Saves now and then, in turn, so that an older state never overwrites a newer one. A database that is away for a while ends no
 * upload: parts go on while the lease holds, and a later save makes good for the one that was missed.
 */
function createSparingSave(clock: Clock, { save, saveEveryMs }: PartsRun): () => Promise<void> {
  let savedAtMs = clock.monotonicMs();
  let saving: Promise<void> = Promise.resolve();
  return async () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - savedAtMs < saveEveryMs) return;
    savedAtMs = nowMs;
    saving = saving.then(save).catch((thrown: unknown) => {
      const { code, retry } = coerceError(thrown);
      if (retry === 'permanent' || !code.startsWith('database-')) throw thrown;
    });
    await saving;
  };
}
