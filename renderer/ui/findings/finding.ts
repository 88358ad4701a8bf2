/** What a finding can be mended with; only things that exist. `open-*` leads to a screen. */
export type FindingAction =
  | 'restart-agent'
  | 'resume-node'
  | 'open-logs'
  | 'open-log-folder'
  | 'open-settings'
  | 'open-set-up'
  | 'open-storages'
  | 'open-cluster';

/** `critical`: work stands still. `warning`: work goes on, but something needs a person. `note`: good to know. */
export type Severity = 'critical' | 'warning' | 'note';

/** One thing that is wrong: what happened, what it means now, what to do. */
export interface Finding {
  /** The same for the same trouble across looks, so that an unfolded finding stays unfolded. */
  id: string;
  severity: Severity;
  cause: string;
  consequence: string;
  remedy: string;
  actions: readonly FindingAction[];
  /** Facts the finding rests on, one line each; may be empty. */
  evidence: readonly string[];
}

/** A sentence with a capital and a full stop, so that reasons from elsewhere read alike. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  // names that are written small stay so
  const first = /^(iconik|ffmpeg|ffprobe|config\.ini)\b/.test(trimmed)
    ? trimmed
    : trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.?:]$/.test(first) ? first : `${first}.`;
}
