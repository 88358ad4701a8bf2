import { AsyncLocalStorage } from 'node:async_hooks';
import type { History } from '../runtime/history.ts';
import type { Leadership, LeaderWork } from './leadership.ts';

/** How often a leader notes that its main loop turns, milliseconds. */
const ALIVE_MS = 1_000;

/** Leader work with a record of it. */
export interface RecordedWork {
  /** The given work, and one more that notes begin and end of each leadership. */
  work: readonly LeaderWork[];
  /** Term under which the code that asks was started; null outside leader work. */
  termNow: () => number | null;
}

/**
 * Notes begin, end and trust checks of each leadership, its fenced writes with the fence's answer, and when each piece of
 * work has settled. The elector and the work itself know nothing of it.
 */
export function recordWork(
  work: readonly LeaderWork[],
  history: History,
  sleep: (ms: number, signal: AbortSignal) => Promise<void>,
): RecordedWork {
  const terms = new AsyncLocalStorage<number>();
  const begun = noteBegin(history);
  const recorded = work.map((item) => recordOne(item, { history, terms, begun }));
  return { work: [noteLife(history, sleep), ...recorded], termNow: () => terms.getStore() ?? null };
}

/** Says begin and end of each leadership once, whichever of its work begins first. */
function noteBegin(history: History): (leadership: Leadership) => void {
  let lastTerm = 0;
  return ({ term, signal }) => {
    if (term === lastTerm) return;
    lastTerm = term;
    history.say('trust-begun', { term });
    signal.addEventListener('abort', () => history.say('trust-ended', { term }), { once: true });
  };
}

function noteLife(history: History, sleep: (ms: number, signal: AbortSignal) => Promise<void>): LeaderWork {
  return {
    name: 'history',
    run: async ({ term, signal }) => {
      while (!signal.aborted) {
        await sleep(ALIVE_MS, signal).catch(() => {});
        history.say('loop-alive', { term });
      }
    },
  };
}

interface Recorder {
  history: History;
  terms: AsyncLocalStorage<number>;
  begun: (leadership: Leadership) => void;
}

function recordOne(item: LeaderWork, { history, terms, begun }: Recorder): LeaderWork {
  return {
    ...item,
    run: async (leadership) => {
      const { term } = leadership;
      begun(leadership);
      history.say('work-begun', { term, work: item.name });
      try {
        await terms.run(term, () => item.run(recordLeadership(leadership, history)));
      } finally {
        history.say('work-settled', { term, work: item.name });
      }
    },
  };
}

function recordLeadership(leadership: Leadership, history: History): Leadership {
  const { term, runId, signal } = leadership;
  return {
    term,
    runId,
    signal,
    assertTrusted: () => {
      try {
        leadership.assertTrusted();
      } catch (thrown) {
        history.say('trust-asked', { term, passed: false });
        throw thrown;
      }
      history.say('trust-asked', { term, passed: true });
    },
    watchWrite: () => {
      const startMs = history.nowMs();
      return (accepted) => history.say('fenced-write', { startMs, term, accepted });
    },
  };
}
