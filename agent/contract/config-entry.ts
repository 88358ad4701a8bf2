import { z } from 'zod';
import { configEffectSchema } from './config-effects.ts';

/** One entry of config.ini as the settings screen shows it; secrets are never sent, only whether they are set. */
export const configEntrySchema = z.object({
  key: z.string(),
  /** Text of the value; null for a secret or when not set. */
  value: z.string().nullable(),
  isSecret: z.boolean(),
  isSet: z.boolean(),
  /** Tells this value from every other without telling it; goes back with a change, so that nobody's edit is overwritten. */
  revision: z.string(),
  /** How a change comes to count. */
  effect: configEffectSchema,
  explanation: z.string(),
  /** Default in words; empty when required. */
  default: z.string(),
});
/** One entry of config.ini. */
export type ConfigEntry = z.infer<typeof configEntrySchema>;

/** A key that somebody else changed since the window read it. */
const configConflictSchema = z.object({
  key: z.string(),
  /** What stands there now; null for a secret or when not set. */
  value: z.string().nullable(),
  isSet: z.boolean(),
  /** Of what stands there now: sent with the next try, it overwrites that. */
  revision: z.string(),
});
/** A key that somebody else changed since the window read it. */
export type ConfigConflict = z.infer<typeof configConflictSchema>;

/** Changes of keys (null removes one) with the revisions that the user saw. */
export const configChangesShape = {
  changes: z.record(z.string(), z.string().max(10_000).nullable()),
  seen: z.record(z.string(), z.string().max(100)).optional(),
};
/** What a save came to; nothing was written unless both are empty. */
export const configWrittenSchema = z.object({
  problems: z.array(z.string()),
  conflicts: z.array(configConflictSchema),
});
