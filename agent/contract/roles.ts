/** The four roles a node may hold, as iconik spells them (reference B.2). MAIN work runs only on the leader. */
export const ROLES = ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'] as const;

/** One of the four roles. */
export type Role = (typeof ROLES)[number];
