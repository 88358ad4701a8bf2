import { asciiLower } from '../../cache/log/ascii-lower.ts';
import type { LogView } from '../../cache/log-view/log-view.ts';
import {
  type AgentCallHandlers,
  type AgentParams,
  LOG_LEVELS,
  type LogLine,
  type LogSeverity,
} from '../../contract/index.ts';
import { coarsely, nodeLog } from '../../db/queries/node-log-view.ts';
import { IsgError } from '../../runtime/errors.ts';
import { readLogPage } from '../../runtime/log-page.ts';
import type { Database } from '../../runtime/sql.ts';

/** A page of another node's log is handed over with what it has after this long. */
const PAGE_MS = 1_000;

/** A stored record as it travels. */
export function toLogLine(record: {
  seq: number;
  atMs: number;
  level: LogSeverity;
  message: string;
  fields: Record<string, unknown>;
}): LogLine {
  const { seq, atMs, level, message, fields } = record;
  const isEmpty = Object.keys(fields).length === 0;
  return { seq, atMs, level, message, fields: isEmpty ? '' : JSON.stringify(fields) };
}

type Ask = AgentParams<'logs.read'>;

/** Logs as an operator reads them. `database` is null until the node runs. */
export function logCalls(view: LogView, database: () => Database | null): Pick<AgentCallHandlers, 'logs.read'> {
  return {
    'logs.read': async (ask) => {
      if (ask.isPattern) assertPattern(ask.text);
      return ask.workerId === null ? readOwn(view, ask) : readOther(view, database(), ask);
    },
  };
}

function assertPattern(text: string): void {
  try {
    new RegExp(text, 'i');
  } catch (thrown) {
    const why =
      thrown instanceof Error ? thrown.message.replace(/^Invalid regular expression: (\/.*\/\w*: )?/s, '') : '';
    throw new IsgError('pattern-invalid', `This is no regular expression yet: ${why}.`, { retry: 'permanent' });
  }
}

async function readOwn(view: LogView, { text, isPattern, storageId, fromMs, toMs, minLevel, at, limit }: Ask) {
  const filter = { minLevel: LOG_LEVELS.indexOf(minLevel), text, isPattern, mention: storageId, fromMs, toMs };
  const { lines, ...frame } = await view.read({ filter, at, limit });
  return {
    lines: lines.map(
      ({ level, fields, ...line }): LogLine => ({
        ...line,
        level: LOG_LEVELS[level] ?? 'info',
        fields: fields === '{}' ? '' : fields,
      }),
    ),
    ...frame,
  };
}

async function readOther(view: LogView, database: Database | null, ask: Ask) {
  if (!database) {
    const words =
      'The logs of other nodes are read from the database of the cluster, and this node is not connected to it now. It is tried again.';
    throw new IsgError('log-unreadable', words, { retry: 'transient' });
  }
  const startedMs = performance.now();
  const { text, isPattern } = ask;
  const judge = isPattern ? judgeByPattern(view, text) : text === '' ? null : judgeByText(text);
  const filter = { ...ask, text: isPattern ? '' : coarsely(text), judge };
  const keeper = await nodeLog(database, ask.workerId ?? '', filter);
  const isLate = () => performance.now() - startedMs > PAGE_MS;
  return readLogPage(keeper, ask.at, { limit: ask.limit, isLate });
}

/** Tries a pattern on message and on fields, as the own log's search does. */
function judgeByPattern(view: LogView, pattern: string) {
  return async (lines: readonly LogLine[]) => {
    const found = await view.match(
      pattern,
      lines.flatMap(({ message, fields }) => [message, fields]),
    );
    return lines.map((_, n) => found[2 * n] === true || found[2 * n + 1] === true);
  };
}

/** Looks for text in message and in fields, as the own log's search does. */
function judgeByText(text: string) {
  const wanted = asciiLower(text);
  return async (lines: readonly LogLine[]) =>
    lines.map(({ message, fields }) => asciiLower(message).includes(wanted) || asciiLower(fields).includes(wanted));
}
