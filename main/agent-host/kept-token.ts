/** The application token where it is kept for the agent outside config.ini. */
export interface KeptToken {
  has(): boolean;
  /** null when it cannot be read any more. */
  read(): string | null;
}
