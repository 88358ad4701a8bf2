import type { AgentCallHandlers, LogLine, NodeSnapshot } from '../contract/index.ts';
import type { BeatCounter } from './beat-counter.ts';
import { ChannelLink } from './channel-link.ts';
import { findParentChannel } from './parent-channel.ts';

/** Why the agent is to end: the parent asked for it, or is gone; or a service's user asked for a start anew. */
export type StopCause = 'asked' | 'lost' | 'restart';

/** The typed channel to the parent process (Electron main). */
export interface ParentLink {
  /** Turns of the main loop; the beat thread tells it to the parent. */
  readonly counter: BeatCounter;
  /** Answers calls by these handlers from now on; calls without one are refused as not possible now. */
  serve(handlers: Partial<AgentCallHandlers>): void;
  /** A thread tells the parent of the main loop's turns from now on: the link itself beats rarely. */
  beatRarely(): void;
  /** Passes the words of refusals; for the redaction of secrets. */
  redactBy(redact: (text: string) => string): void;
  sendSnapshot(snapshot: NodeSnapshot): void;
  /** Lines in order; sent in batches. Lines that the parent is too slow for are left out: the log store has them. */
  sendLog(lines: readonly LogLine[]): void;
  /** The token that the parent keeps for this agent; null when it sends none within the limit, or is gone. */
  token(limitMs: number): Promise<string | null>;
  /** The listener takes the place of an earlier one. Called once, also when it happened before. */
  onStop(listener: (cause: StopCause) => void): void;
  /** Called each time the parent has been silent for 10 s although the channel stands. */
  onSilence(listener: (silentMs: number) => void): void;
  /** Last words before an end; resolves when they are handed over, at the latest after half a second. */
  goodbye(code: number, reason: string): Promise<void>;
}

/**
 * Opens the link to the parent and says hello; null for a process without a parent that listens. Call it before anything
 * else: hello is what tells the parent that the agent is there.
 */
export function openParentLink(options: { version: string }): ParentLink | null {
  const channel = findParentChannel();
  return channel === null ? null : new ChannelLink({ channel, version: options.version });
}
