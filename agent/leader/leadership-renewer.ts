/** How the renewal of one leadership stands. */
export interface RenewalStanding {
  /** Start of the last renewal that the database confirmed, by the elector's clock; null before the first. */
  confirmedMs: number | null;
  /** The lease of this term is another's, or was released. */
  isRefused: boolean;
  /** In words why renewal has ended by itself (its thread is gone); null while it goes on. */
  failure: string | null;
}

/**
 * Renews the lease of one leadership every `renewMs` from `begin` to `end`. Implementations: on the main loop (tests,
 * simulations with a clock of their own), and in a thread that heavy work on the main loop cannot delay.
 */
export interface LeadershipRenewer {
  /** Whether a leadership that begins now could be kept; while not, the node must not stand. */
  isReady(): boolean;
  /** Renews the lease of this term from now on. */
  begin(term: number): void;
  /** Sends no further renewal; one that is under way may still take effect, but never on a released lease. */
  end(): void;
  /** How it stands at this instant; cheap, synchronous, and true also right after the main loop was blocked. */
  standing(term: number): RenewalStanding;
  /** Told when a renewal was refused or renewal has failed; set once before the first `begin`. */
  onTrouble(listener: () => void): void;
}
