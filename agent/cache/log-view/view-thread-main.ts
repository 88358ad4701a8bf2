import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';
import { readLogPage } from '../../runtime/log-page.ts';
import { EMPTY_LOG, openStoredLog, patternOf, type ReadableLog } from './stored-log.ts';
import { type PageAsk, type ViewAnswer, viewAskSchema } from './view-messages.ts';

// A thread of its own, so that neither a search through millions of lines nor a pattern that tries for ever holds up the
// agent. Who asked ends the thread when an answer takes too long.

const { path } = z.object({ path: z.string() }).parse(workerData);
let log: ReadableLog = EMPTY_LOG;

function opened(): ReadableLog {
  if (!log.isReplaced()) return log;
  log.close();
  log = EMPTY_LOG;
  log = openStoredLog(path) ?? EMPTY_LOG;
  return log;
}

async function readPage({ id, filter, at, limit, withinMs }: PageAsk): Promise<ViewAnswer> {
  const startedMs = performance.now();
  const isLate = () => performance.now() - startedMs > withinMs;
  try {
    return { kind: 'page', id, page: await readLogPage(opened().narrowedBy(filter), at, { limit, isLate }) };
  } catch (thrown) {
    // the file may be damaged, and about to be put aside
    log.close();
    log = EMPTY_LOG;
    return { kind: 'failed', id, reason: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

const say = (said: ViewAnswer) => parentPort?.postMessage(said);

parentPort?.on('message', (message: unknown) => {
  const ask = viewAskSchema.parse(message);
  say({ kind: 'begun', id: ask.id });
  if (ask.kind === 'page') void readPage(ask).then(say);
  else {
    const pattern = patternOf(ask.pattern);
    say({ kind: 'matched', id: ask.id, found: ask.texts.map((text) => pattern.test(text)) });
  }
});
