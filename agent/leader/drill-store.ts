import type { OpenDrill } from './drill-state.ts';
import type { Leadership } from './leadership.ts';

/** How far a drill has come; times by the database's clock, milliseconds. */
export interface DrillReport {
  isHandedOver: boolean;
  /** Null while it goes on; `completed`, or `not completed: …`. */
  outcome: string | null;
  /** From the request until the successor led. */
  handOverMs: number | null;
  /** From the request until the first leader led again. */
  totalMs: number | null;
  /** Without a leader: from a release until the next leadership began. */
  outGapMs: number | null;
  backGapMs: number | null;
}

/** The drill's row. Writes are fenced and throw `leadership-lost`; all calls throw when the database does not answer. */
export interface DrillStore {
  /** Begins a drill and ends any other that was left open; answers its id. */
  begin(leadership: Leadership, to: { runId: string; name: string }): Promise<string>;
  /** The newest open drill. */
  open(): Promise<OpenDrill | null>;
  markHandedOver(leadership: Leadership, drillId: string): Promise<void>;
  markTurnOver(leadership: Leadership, drillId: string): Promise<void>;
  /** Ends a drill; the outcome `completed` also stamps the hand-back. */
  end(leadership: Leadership, drillId: string, outcome: string): Promise<void>;
  /** Ends what this leadership began, whether or not it has heard of its begin. */
  endBegun(leadership: Leadership, outcome: string): Promise<void>;
  report(drillId: string): Promise<DrillReport | null>;
}
