/**
 * One leadership. Everything leader-only gets it and must: call `assertTrusted` synchronously right before each effect,
 * stop when `signal` fires, and name `term` and `runId` in every write (fencing).
 */
export interface Leadership {
  /** Number of this leadership; only ever grows. The fencing token. */
  readonly term: number;
  /** The run that leads. */
  readonly runId: string;
  /** Fires when the leadership ends, for whatever reason, before the lease can lapse. */
  readonly signal: AbortSignal;
  /** Throws `leadership-lost` unless the trust window is open at this instant. */
  assertTrusted(): void;
  /** Called as a fenced write begins; what it answers is told whether the fence let the write through. For a history. */
  watchWrite?(): (accepted: boolean) => void;
}

/** Work that runs only on the leader: begins with a leadership, resolves once fully stopped after its signal fired. */
export interface LeaderWork {
  name: string;
  /** Run once, and all other work begins when it has resolved or failed. */
  goesFirst?: boolean;
  run(leadership: Leadership): Promise<void>;
}
