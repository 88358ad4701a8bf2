import { StringDecoder } from 'node:string_decoder';
import { fromAgentSchema } from '../../agent/contract/index.ts';
import type { AgentProcess, AgentProcessEvents, SpawnAgent } from './agent-process.ts';
import { childEnvironment } from './child-environment.ts';
import type { RunEnd } from './host-situation.ts';
import type { KeptToken } from './kept-token.ts';

/** How the agent's program is started for one errand: the same program and environment as for the node. */
export interface ErrandStart {
  spawn: SpawnAgent;
  /** The agent's entry file. */
  entry: string;
  configPath: string;
  dataDir: string;
  /** Main's own environment; the errand gets the allowed part of it. */
  environment: Readonly<Record<string, string | undefined>>;
  /** The token that is kept for the agent; it goes over the link, never into arguments or environment. */
  keptToken?: KeptToken;
}

/** One errand: a diagnosis, a support bundle. */
export interface Errand {
  /** Flags beside config.ini and data folder. */
  flags: readonly string[];
  /** Each whole line of standard output. */
  onLine(line: string): void;
  /** Asks the program to end; killed when it has not a few seconds later. */
  signal: AbortSignal;
  /** Killed after this time. */
  limitMs: number;
}

/** How an errand ended. */
export interface ErrandEnd {
  code: number | null;
  /** The end of standard error, for the reason. */
  words: string;
  isLate: boolean;
}

const GRACE_MS = 3_000;
/** More than an errand has to say; beyond it the program is not ours. */
const LINE_LIMIT = 4_000_000;
const WORDS_LIMIT = 4_000;

/**
 * Runs the agent's program beside the supervised agent until it has done one errand. Resolves when the process is gone and
 * everything it said has been heard; never rejects.
 */
export function runErrand(start: ErrandStart, errand: Errand): Promise<ErrandEnd> {
  const { promise, resolve } = Promise.withResolvers<ErrandEnd>();
  const lines = splitLines((line) => errand.onLine(line));
  const words = new StringDecoder('utf8');
  let said = '';
  let end: RunEnd | null = null;
  let isSilent = false;
  let isLate = false;
  const timers: NodeJS.Timeout[] = [];
  const finish = () => {
    if (end === null || !isSilent) return;
    for (const timer of timers) clearTimeout(timer);
    errand.signal.removeEventListener('abort', stop);
    resolve({ code: end.code, words: (end.startError ?? said).trim(), isLate });
  };
  const child = spawned(start, errand, {
    message: (value) => {
      if (start.keptToken?.has() && isHello(value)) child.send({ type: 'token', token: start.keptToken.read() });
    },
    output: (stream, chunk) => {
      if (stream === 'stdout') lines(chunk);
      else said = (said + words.write(chunk)).slice(-WORDS_LIMIT);
    },
    exited: (ended) => {
      end = ended;
      // Without a process there are no streams that could close.
      if (ended.startError !== null) isSilent = true;
      // A stream that stays open (a child of its own has it) must not keep the errand from ending.
      timers.push(setTimeout(heardAll, GRACE_MS));
      finish();
    },
    silent: heardAll,
  });
  function heardAll() {
    isSilent = true;
    finish();
  }
  function stop() {
    child.send({ type: 'stop' });
    timers.push(setTimeout(() => child.kill(), GRACE_MS));
  }
  errand.signal.addEventListener('abort', stop, { once: true });
  if (errand.signal.aborted) stop();
  timers.push(
    setTimeout(() => {
      isLate = true;
      child.kill();
    }, errand.limitMs),
  );
  return promise;
}

const isHello = (value: unknown): boolean => fromAgentSchema.safeParse(value).data?.type === 'hello';

const NO_PROCESS: AgentProcess = {
  pid: undefined,
  send: () => undefined,
  terminate: () => undefined,
  kill: () => undefined,
};

function spawned(start: ErrandStart, errand: Errand, events: AgentProcessEvents): AgentProcess {
  try {
    return start.spawn(requestOf(start, errand), events);
  } catch (thrown) {
    const startError = thrown instanceof Error ? thrown.message : String(thrown);
    queueMicrotask(() => events.exited({ code: null, signal: null, isCodeCertain: true, startError }));
    return NO_PROCESS;
  }
}

function requestOf({ entry, configPath, dataDir, environment, keptToken }: ErrandStart, { flags }: Errand) {
  const args = ['--config', configPath, '--data-dir', dataDir, ...flags];
  if (keptToken?.has()) args.push('--token-by-parent');
  return { entry, args, env: childEnvironment(environment, process.platform) };
}

function splitLines(onLine: (line: string) => void): (chunk: Buffer) => void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  return (chunk) => {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = (lines.pop() ?? '').slice(0, LINE_LIMIT);
    for (const line of lines) onLine(line);
  };
}
