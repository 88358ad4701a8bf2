import * as queries from '../../db/queries/update-turn.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Sql } from '../../runtime/sql.ts';
import { observeCounter, type Standstill } from '../../runtime/standstill.ts';
import { type ClaimFacts, planClaim, type Refusal } from './turn-plan.ts';

/** A node that wants the turn asks about four times a minute; reads further apart prove nothing about the time between. */
const MAX_GAP_MS = 60_000;

/** What a claim came to. */
export type TurnAnswer = { kind: 'yours'; turn: number } | ({ kind: 'not-now' } & Refusal);

/** The part of a claim that only the caller knows. */
export type TurnClaim = Pick<ClaimFacts, 'version' | 'isAsked' | 'isLeading' | 'others'> & { nodeName: string };

/** This node's dealings with the turn. Throws what the database throws; a call may be repeated. */
export class UpdateTurns {
  readonly #sql: Sql;
  readonly #workerId: string;
  readonly #clock: Clock;
  #stood: Standstill | null = null;

  constructor(sql: Sql, workerId: string, clock: Clock) {
    this.#sql = sql;
    this.#workerId = workerId;
    this.#clock = clock;
  }

  /** Takes the turn if it is free, this installation's already, or has lapsed, and nothing stands against it. */
  async claim(claim: TurnClaim): Promise<TurnAnswer> {
    const startedMs = this.#clock.monotonicMs();
    const row = await queries.readUpdateTurn(this.#sql);
    const read = { value: `${row.turn}/${row.renewals}`, startedMs, endedMs: this.#clock.monotonicMs() };
    this.#stood = observeCounter(this.#stood, read, MAX_GAP_MS);
    const plan = planClaim({ ...claim, row, stoodMs: this.#stood.stoodMs, selfWorkerId: this.#workerId });
    if (plan.kind === 'refuse') return { ...plan, kind: 'not-now' };
    const taker = { workerId: this.#workerId, nodeName: claim.nodeName, version: claim.version };
    const turn = await queries.takeUpdateTurn(this.#sql, taker, row, plan.didNotReturn);
    if (turn !== null) return { kind: 'yours', turn };
    return { kind: 'not-now', why: 'another-updates', node: (await queries.readUpdateTurn(this.#sql)).node_name };
  }

  /** Renews; `isInstalling` before the program is replaced. False: the turn is another's, nothing may be installed. */
  hold(turn: number, isInstalling: boolean): Promise<boolean> {
    return queries.holdUpdateTurn(this.#sql, { turn, workerId: this.#workerId }, isInstalling);
  }

  /** Gives the turn back and notes how it went; the note counts even when the turn has been taken by another. */
  async end(
    turn: number | null,
    outcome: 'given-up' | 'installed' | 'failed',
    about: { version: string; nodeName: string },
  ) {
    const self = { workerId: this.#workerId, ...about };
    if (outcome === 'failed') await queries.noteFailedVersion(this.#sql, self);
    if (outcome === 'installed') await queries.noteStartedVersion(this.#sql, self);
    if (turn !== null) await queries.endUpdateTurn(this.#sql, { turn, workerId: this.#workerId });
  }
}
