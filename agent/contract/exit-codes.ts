/** Exit codes of the agent (design: commands). The supervisor decides by them whether a restart can help. */
export const EXIT = {
  /** Stopped on request. */
  stopped: 0,
  /** `--doctor` found problems, or `--status` found no agent that runs. */
  doctorFoundProblems: 1,
  /** config.ini or the flags are wrong; a restart changes nothing until they are edited. */
  configInvalid: 2,
  /** The database schema asks for a newer version of this program. */
  schemaTooNew: 3,
  /** Another run holds this storage gateway id or this data folder (only with `--no-wait`). */
  duplicateRefused: 4,
  /** The parent process went away. */
  parentLost: 5,
  /** The database belongs to another cluster. */
  otherCluster: 6,
  /** The database refused a change of its tables that this version needs; nothing of it was applied. Tried again: it may be mended there. */
  schemaFailed: 65,
  /** A system service that was asked to start anew: whoever supervises it does so. */
  restart: 75,
  /** A mistake in the program; restarting is right. */
  crash: 70,
} as const;
