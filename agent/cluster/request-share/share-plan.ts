/**
 * How the requests that iconik allows a credential are divided among the live workers that use it. Pure. Rates are requests
 * a second; README.md says why what comes out is never above the budget although no two nodes see the same rows.
 */

/** One live worker of the credential, as its row tells. */
export interface ShareRow {
  runId: string;
  isLeader: boolean;
  /** What it would send if it could. */
  demandPerSecond: number;
}

/** A row of the ledger: what a run may send at this moment, and would like to. */
export interface HeldShare {
  runId: string;
  demandPerSecond: number;
  heldPerSecond: number;
}

/** An idle worker keeps this part of its own share, so that its first requests after a rest wait for nobody. */
const KEPT_PART = 1 / 4;
/** Smaller changes are not worth a write. */
const LEAST_CHANGE = 0.5;
const LEAST_CHANGE_PART = 0.1;

/** The share each would have if all were busy: half for the leader, the rest in equal parts; without a leader equal parts. */
function entitlements(rows: readonly ShareRow[], budget: number): number[] {
  const leaders = rows.filter(({ isLeader }) => isLeader).length;
  const others = rows.length - leaders;
  if (leaders === 0 || others === 0) return rows.map(() => budget / rows.length);
  // Two at most, for the moment of a take-over.
  return rows.map(({ isLeader }) => budget / 2 / (isLeader ? leaders : others));
}

/**
 * The division of `budget`, by run: nobody gets less than the smaller of its demand and its own share; what idle workers
 * leave goes to those that want more, in proportion to their own shares; what nobody wants returns to all. The sum is the
 * budget, to within rounding, and never above it.
 */
export function planShares(rows: readonly ShareRow[], budget: number): Map<string, number> {
  const own = entitlements(rows, budget);
  const needs = rows.map(({ demandPerSecond }, at) => Math.max(demandPerSecond, (own[at] ?? 0) * KEPT_PART));
  const given = needs.map((need, at) => Math.min(need, own[at] ?? 0));
  let spare = budget - sum(given);
  // Each round satisfies at least one of those that want more, or spends all.
  for (let round = 0; round < rows.length && spare > 1e-9; round++) {
    const hungry = needs.map((need, at) => (need > (given[at] ?? 0) ? (own[at] ?? 0) : 0));
    const weight = sum(hungry);
    if (weight === 0) break;
    const offered = spare;
    for (const [at, part] of hungry.entries()) {
      const more = Math.min((needs[at] ?? 0) - (given[at] ?? 0), (offered * part) / weight);
      if (part === 0) continue;
      given[at] = (given[at] ?? 0) + more;
      spare -= more;
    }
  }
  return new Map(
    rows.map(({ runId }, at) => [runId, (given[at] ?? 0) + Math.max(0, spare) * ((own[at] ?? 0) / budget)]),
  );
}

/** What a run does about its share at one look at the ledger. */
export type ShareStep =
  | { kind: 'keep' }
  /** Sends less from now on; needs nobody's leave. */
  | { kind: 'release'; toPerSecond: number }
  /** May send more once the ledger has accepted it. */
  | { kind: 'raise'; toPerSecond: number };

/**
 * The step of `runId` towards its planned share. Raises only into what nobody holds: `ledger` has every run that may send,
 * the dead ones included until they are struck out.
 */
export function nextShareStep(view: {
  runId: string;
  planned: number;
  ledger: readonly HeldShare[];
  budget: number;
}): ShareStep {
  const { runId, planned, ledger, budget } = view;
  const held = ledger.find((row) => row.runId === runId)?.heldPerSecond ?? 0;
  const tolerance = Math.min(LEAST_CHANGE, planned * LEAST_CHANGE_PART);
  if (planned < held - tolerance) return { kind: 'release', toPerSecond: planned };
  const free = budget - sum(ledger.map((row) => (row.runId === runId ? 0 : row.heldPerSecond)));
  const reachable = Math.min(planned, free);
  return reachable > held + tolerance ? { kind: 'raise', toPerSecond: reachable } : { kind: 'keep' };
}

/**
 * What a run would send if it could, of what it sent in the last look's time and what waits: in powers of two, so that
 * small changes are none, and at most the budget. Whoever has requests waiting asks for twice what it sends: how many
 * wait says little of how many would come.
 */
export function demandOf(load: { sentPerSecond: number; waiting: number }, budget: number): number {
  const wanted =
    load.waiting > 0 ? Math.max(2 * load.sentPerSecond, load.sentPerSecond + load.waiting) : load.sentPerSecond;
  if (wanted <= 0) return 0;
  return Math.min(budget, 2 ** Math.ceil(Math.log2(Math.max(1, wanted))));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
