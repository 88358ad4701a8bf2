import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { nodeSnapshotSchema } from '../../contract/index.ts';

/** What a node leaves in its data folder for whoever asks on this machine: `npm run agent -- --status`. */
const statusSchema = z.object({
  pid: z.number(),
  snapshot: nodeSnapshotSchema,
  log: z.object({ waitingRecords: z.number().nullable(), bytes: z.number() }),
});
/** What a node leaves in its data folder. */
export type LocalStatus = z.infer<typeof statusSchema>;

const fileOf = (dataDir: string) => join(dataDir, 'status.json');
/** Older than this, the agent is not running or hangs. */
const FRESH_MS = 15_000;

/** Replaces the file whole. Throws what the file system throws. */
export function writeStatus(dataDir: string, status: LocalStatus): void {
  const temporary = `${fileOf(dataDir)}.new`;
  writeFileSync(temporary, JSON.stringify(status), { mode: 0o640 });
  renameSync(temporary, fileOf(dataDir));
}

/** The status as last written; null when there is none that can be read. */
function readStatus(dataDir: string): LocalStatus | null {
  try {
    return statusSchema.safeParse(JSON.parse(readFileSync(fileOf(dataDir), 'utf8'))).data ?? null;
  } catch {
    // ignored because a node that never ran has left nothing, and that is what is said
    return null;
  }
}

function ageWords(ageMs: number): string {
  const seconds = Math.max(0, Math.round(ageMs / 1_000));
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

/** The status in words, one fact a line. Pure. */
export function statusWords(status: LocalStatus, nowMs: number): string[] {
  const { snapshot, pid, log } = status;
  const { node, leadership, roles, checks } = snapshot;
  const ageMs = nowMs - snapshot.atMs;
  const old = ageMs > FRESH_MS ? ' The agent does not run now, or hangs.' : '';
  const term = leadership.term === null ? '' : `, term ${leadership.term}`;
  return [
    `${node.name || 'This node'} was ${snapshot.phase} ${ageWords(ageMs)} ago (process ${pid}, version ${node.version}).${old}`,
    ...(snapshot.reason === '' ? [] : [snapshot.reason]),
    `Availability: ${snapshot.status.availability}${snapshot.status.reason === '' ? '' : ` (${snapshot.status.reason})`}`,
    `Leadership: ${leadership.standing}${term}${leadership.why === '' ? '' : ` (${leadership.why})`}`,
    ...roles.map(
      ({ role, state, running, limit, why }) =>
        `${role}: ${state}, ${running} of ${limit} running${why === '' ? '' : ` (${why})`}`,
    ),
    ...checks.map(
      ({ check, status: verdict, reason }) => `Check ${check}: ${verdict}${reason === '' ? '' : ` (${reason})`}`,
    ),
    ...(log.waitingRecords === null ? [] : [`Log records on their way to the database: ${log.waitingRecords}`]),
  ];
}

/** Prints the status of the node with this data folder; answers whether it is fresh. */
export function printStatus(dataDir: string, isJson: boolean, write: (text: string) => void): boolean {
  const status = readStatus(dataDir);
  const nowMs = Date.now();
  if (!status) {
    write(isJson ? 'null\n' : `No agent has run with the data folder ${dataDir}.\n`);
    return false;
  }
  const ageMs = nowMs - status.snapshot.atMs;
  write(isJson ? `${JSON.stringify({ ageMs, ...status })}\n` : `${statusWords(status, nowMs).join('\n')}\n`);
  return ageMs <= FRESH_MS;
}
