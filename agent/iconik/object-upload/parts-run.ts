import type { Clock } from '../../runtime/clock.ts';
import type { StoreDeps } from './object-store-http.ts';
import type { PlannedPart } from './part-plan.ts';

/** What sending a file in parts needs. */
export interface PartsDeps extends StoreDeps {
  /** Parts of one file sent at once (`file-upload-parallel-uploads-threads-num`; reference C.9: common practice is 4). */
  partsAtOnce: number;
}

/** What a lost checkpoint costs at most on a store that shows no list: parts of this time are sent again. */
const CHECKPOINT_EVERY_MS = 15_000;

/** One round of sending parts. */
export interface PartsRun {
  parts: readonly PlannedPart[];
  partsAtOnce: number;
  /** Bytes that the store holds already. */
  heldBytes: number;
  signal: AbortSignal;
  onProgress: (doneBytes: number) => void;
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
export async function runParts(run: PartsRun): Promise<SendEnd> {
  const ending = new AbortController();
  const signal = AbortSignal.any([run.signal, ending.signal]);
  const queue = [...run.parts];
  const inFlight = new Map<number, number>();
  let doneBytes = run.heldBytes;
  let end: SendEnd = 'sent';
  let failure: { thrown: unknown } | null = null;
  const report = () => run.onProgress([...inFlight.values()].reduce((sum, bytes) => sum + bytes, doneBytes));

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
  await Promise.all(Array.from({ length: Math.min(run.partsAtOnce, queue.length) }, (_, lane) => work(lane)));
  if (failure) throw (failure as { thrown: unknown }).thrown;
  return end;
}

/** Saves at most every 15 s, in turn, so that an older state never overwrites a newer one. */
export function createSparingSave(clock: Clock, save: () => Promise<void>): () => Promise<void> {
  let savedAtMs = clock.monotonicMs();
  let saving: Promise<void> = Promise.resolve();
  return async () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - savedAtMs < CHECKPOINT_EVERY_MS) return;
    savedAtMs = nowMs;
    saving = saving.then(save);
    await saving;
  };
}
