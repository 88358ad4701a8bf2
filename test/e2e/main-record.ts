import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ParsedLogLine, parseLogLine } from '../../main/logging/log-line.ts';

/** A move of the supervisor from one state to another, as main wrote it down when it happened. */
export interface HostMove {
  atMs: number;
  to: string;
  words: string;
}

/** All that main wrote into its log. */
export function mainLog(dataDir: string): ParsedLogLine[] {
  const lines = readFileSync(join(dataDir, 'logs', 'main.log'), 'utf8').split('\n');
  return lines.map(parseLogLine).filter((line) => line !== null);
}

/** Moves of the supervisor since an instant, oldest first. */
export function hostMoves(dataDir: string, sinceMs: number): HostMove[] {
  return mainLog(dataDir).flatMap(({ atMs, message, fields }) => {
    const to = /"to":"([a-z-]+)"/.exec(fields)?.[1];
    return to === undefined || atMs < sinceMs ? [] : [{ atMs, to, words: message }];
  });
}

/** The first move to a state since an instant; undefined while there is none. */
export function moveTo(dataDir: string, to: string, sinceMs: number): HostMove | undefined {
  return hostMoves(dataDir, sinceMs).find((move) => move.to === to);
}

/** Process id of the agent that was ready last. */
export function agentPid(dataDir: string): number {
  const ready = mainLog(dataDir).findLast(({ message }) => message === 'Agent ready');
  const pid = /"pid":(\d+)/.exec(ready?.fields ?? '')?.[1];
  if (pid === undefined) throw new Error('the agent was never ready');
  return Number(pid);
}

/** Prints what was measured, beside the test's name. */
export function tellMeasured(what: string, measured: Record<string, number>): void {
  const parts = Object.entries(measured).map(([name, value]) => `${name} ${Math.round(value)}`);
  process.stdout.write(`      measured, ${what}: ${parts.join(', ')}\n`);
}
