import { type Diagnosis, diagnosisSchema } from '../../agent/contract/index.ts';
import { type ErrandStart, runErrand } from '../agent-host/agent-errand.ts';
import type { AgentHost } from '../agent-host/agent-host.ts';
import type { Log } from '../logging/main-log.ts';
import type { AppStateStore } from './app-state-store.ts';

/** What a full check works with. */
export interface FullCheckParts {
  store: AppStateStore;
  host: Pick<AgentHost, 'state' | 'call'>;
  errand: ErrandStart;
  /** Why the program cannot look in the agent's place, in words; null when it can. */
  hindrance?: () => string | null;
  log: Log;
}

/** The full check on demand. */
export interface FullCheck {
  /** Runs one, or joins the one that runs; resolves when it has ended. What it found stands in the state. Never rejects. */
  run(): Promise<void>;
  /** Ends one that runs in a process of its own. */
  stop(): void;
}

/** A diagnosis takes at most 5 s; a busy machine may take longer to start its processes. */
const CALL_LIMIT_MS = 8_000;
const ERRAND_LIMIT_MS = 30_000;

/** The agent answers when it runs; its program is started for the check alone when it does not, or does not answer. */
export function createFullCheck(parts: FullCheckParts): FullCheck {
  const { store, log } = parts;
  const stopping = new AbortController();
  let running: Promise<void> | null = null;
  const run = async () => {
    const startedMs = Date.now();
    const began = performance.now();
    store.update({ check: { ...store.get().check, runningSinceMs: startedMs, failure: '' } });
    try {
      const diagnosis = (await askAgent(parts)) ?? (await askProgram(parts, stopping.signal));
      const last = { atMs: Date.now(), tookMs: Math.round(performance.now() - began), diagnosis };
      store.update({ check: { runningSinceMs: null, last, failure: '' } });
      log.info('A full check has ended', { ok: diagnosis.ok, findings: diagnosis.findings.map(({ code }) => code) });
    } catch (thrown) {
      const failure = thrown instanceof Error ? thrown.message : String(thrown);
      store.update({ check: { ...store.get().check, runningSinceMs: null, failure } });
      log.warn('A full check failed', { error: thrown });
    }
  };
  return {
    run: () => {
      running ??= run().finally(() => {
        running = null;
      });
      return running;
    },
    stop: () => stopping.abort(),
  };
}

/** Null when there is no agent that answers: during set-up, while it is down, hung, or of another mind. */
async function askAgent({ host, log }: FullCheckParts): Promise<Diagnosis | null> {
  if (host.state().state !== 'running') return null;
  try {
    return await host.call('doctor.run', {}, { limitMs: CALL_LIMIT_MS });
  } catch (thrown) {
    log.info('The agent did not make the check; its program is started for it', { error: thrown });
    return null;
  }
}

async function askProgram({ errand, hindrance, log }: FullCheckParts, signal: AbortSignal): Promise<Diagnosis> {
  const why = hindrance?.() ?? null;
  if (why !== null) throw new Error(why);
  let diagnosis: Diagnosis | undefined;
  const onLine = (line: string) => {
    diagnosis ??= parsed(line);
  };
  const end = await runErrand(errand, { flags: ['--doctor', '--json'], onLine, signal, limitMs: ERRAND_LIMIT_MS });
  if (diagnosis !== undefined) return diagnosis;
  if (end.words !== '') log.warn('What the check said', { words: end.words });
  throw new Error(
    end.isLate
      ? `The check gave no answer within ${ERRAND_LIMIT_MS / 1_000} s. The machine may be overloaded; try again.`
      : `The check ended without an answer (exit code ${end.code ?? 'none'}). Try again; main.log has what it said.`,
  );
}

function parsed(line: string): Diagnosis | undefined {
  try {
    return diagnosisSchema.parse(JSON.parse(line));
  } catch {
    // ignored because whatever else the program says is no answer
    return undefined;
  }
}
