import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';

// Whose turn it is to install a new version (agent/cluster/update-turn/README.md).

const turnRow = z.object({
  turn: z.coerce.number(),
  worker_id: z.string().nullable(),
  node_name: z.string(),
  version: z.string(),
  is_installing: z.boolean(),
  renewals: z.string(),
  failed_version: z.string().nullable(),
  failed_node_name: z.string(),
});
/** The one row. */
export type UpdateTurnRow = z.infer<typeof turnRow>;

const READ = `SELECT turn::text, worker_id, node_name, version, is_installing, renewals::text, failed_version, failed_node_name
FROM update_turn`;

/** The turn as it stands. */
export async function readUpdateTurn(sql: Sql): Promise<UpdateTurnRow> {
  const [row] = await sql.query(READ, [], turnRow);
  if (!row) throw new Error('the row of update_turn is missing');
  return row;
}

/** Who takes the turn, and for what. */
export interface TurnTaker {
  workerId: string;
  nodeName: string;
  version: string;
}

const isPlain = (version: string) => `${version} ~ '^[0-9]{1,9}([.][0-9]{1,9})*(-|$)'`;
const numbers = (version: string) => `string_to_array(split_part(${version}, '-', 1), '.')::int[]`;
/** SQL: whether version `a` may be noted over `b`, which may be null: only the newest that failed is remembered. */
const mayReplace = (a: string, b: string) =>
  `CASE WHEN ${isPlain(a)} AND ${isPlain(b)} THEN ${numbers(a)} >= ${numbers(b)} ELSE true END`;

// A turn that lapsed while its holder may have been installing leaves its version behind as failed.
const DID_NOT_RETURN = `$6 AND ${mayReplace('version', 'failed_version')}`;
const TAKE = `
UPDATE update_turn SET turn = turn + 1, renewals = renewals + 1, worker_id = $1, node_name = $2, version = $3, is_installing = false,
  failed_version = CASE WHEN ${DID_NOT_RETURN} THEN version ELSE failed_version END,
  failed_worker_id = CASE WHEN ${DID_NOT_RETURN} THEN worker_id ELSE failed_worker_id END,
  failed_node_name = CASE WHEN ${DID_NOT_RETURN} THEN node_name ELSE failed_node_name END
WHERE turn = $4::bigint AND renewals = $5::bigint
RETURNING turn::text`;
const takenRow = z.object({ turn: z.coerce.number() });

/**
 * Takes the turn when the row is still exactly as `seen`; the number of the new turn, or null when it moved. `didNotReturn`:
 * the holder of the seen turn had begun to install and was not heard of since.
 */
export async function takeUpdateTurn(
  sql: Sql,
  taker: TurnTaker,
  seen: Pick<UpdateTurnRow, 'turn' | 'renewals'>,
  didNotReturn: boolean,
): Promise<number | null> {
  const values = [taker.workerId, taker.nodeName, taker.version, seen.turn, seen.renewals, didNotReturn];
  const [row] = await sql.query(TAKE, values, takenRow);
  return row?.turn ?? null;
}

const HOLD = `
UPDATE update_turn SET renewals = renewals + 1, is_installing = is_installing OR $3
WHERE turn = $1::bigint AND worker_id = $2`;

/** Renews a turn; with `isInstalling` also notes that the installation may begin. False when it is another's by now. */
export async function holdUpdateTurn(
  sql: Sql,
  holder: { turn: number; workerId: string },
  isInstalling: boolean,
): Promise<boolean> {
  return (await sql.execute(HOLD, [holder.turn, holder.workerId, isInstalling])) === 1;
}

const END = `
UPDATE update_turn SET worker_id = NULL, is_installing = false, renewals = renewals + 1
WHERE turn = $1::bigint AND worker_id = $2`;

/** Gives a turn back; nothing when it is another's by now. */
export async function endUpdateTurn(sql: Sql, holder: { turn: number; workerId: string }): Promise<void> {
  await sql.execute(END, [holder.turn, holder.workerId]);
}

const FAILED = `
UPDATE update_turn SET failed_version = $1, failed_worker_id = $2, failed_node_name = $3, renewals = renewals + 1
WHERE ${mayReplace('$1::text', 'failed_version')}`;

/**
 * Notes that a version does not start on a node, unless a newer one is noted: reports come late, from nodes that were away. A
 * fact, not an order: it needs no turn.
 */
export async function noteFailedVersion(sql: Sql, failed: TurnTaker): Promise<void> {
  await sql.execute(FAILED, [failed.version, failed.workerId, failed.nodeName]);
}

const STARTED = `
UPDATE update_turn SET failed_version = NULL, failed_worker_id = NULL, failed_node_name = '', renewals = renewals + 1
WHERE failed_version = $1 AND failed_worker_id = $2`;

/** Takes a version off that was noted as failed on this very node, which runs it now. */
export async function noteStartedVersion(sql: Sql, started: { version: string; workerId: string }): Promise<void> {
  await sql.execute(STARTED, [started.version, started.workerId]);
}
