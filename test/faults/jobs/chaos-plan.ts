import { createHash } from 'node:crypto';

/** What may go wrong in a chaos run, and what people do meanwhile. Durations in milliseconds, `node` counted from 0. */
export type Fault =
  /** SIGKILL, then a start as the same installation, or (`isNew`) as another one: the machine was replaced. */
  | { kind: 'kill'; node: number; isNew: boolean }
  /** SIGSTOP, then SIGCONT. */
  | { kind: 'freeze'; node: number; forMs: number }
  /** All connections of a node are reset. */
  | { kind: 'reset'; node: number }
  /** A node's connections stay open and carry nothing. */
  | { kind: 'silence'; node: number; forMs: number }
  /** The answers to a node are lost, its requests arrive. */
  | { kind: 'lost-answers'; node: number; forMs: number }
  | { kind: 'pooler' }
  | { kind: 'database'; how: 'fast' | 'immediate' }
  /** Others hold all connections of the pooler's pool. */
  | { kind: 'pool-full'; forMs: number }
  /** Somebody cancels, re-prioritises and retries jobs by hand. */
  | { kind: 'operator' };

/** Numbers that follow from a seed and from how many were drawn: uniform in [0, 1). */
export function seededRandom(seed: number): () => number {
  let drawn = 0;
  return () => {
    drawn += 1;
    return createHash('sha256').update(`${seed} ${drawn}`).digest().readUInt32BE() / 2 ** 32;
  };
}

/** Up to 8 s: past the shortest `heartbeat-lapse-ms` (3 s) and past its default (6 s). */
const away = (random: () => number): number => Math.round(200 + random() * 7_800);

/** The kinds in the order of their shares; those that stop everybody are rarer, so that work goes on in between. */
const KINDS: readonly (readonly [share: number, make: (node: number, random: () => number) => Fault])[] = [
  [3, (node, random) => ({ kind: 'kill', node, isNew: random() < 0.5 })],
  [4, (node, random) => ({ kind: 'freeze', node, forMs: away(random) })],
  [2, (node) => ({ kind: 'reset', node })],
  [2, (node, random) => ({ kind: 'silence', node, forMs: away(random) })],
  [2, (node, random) => ({ kind: 'lost-answers', node, forMs: Math.round(100 + random() * 1_900) })],
  [1, () => ({ kind: 'pooler' })],
  [1, (_, random) => ({ kind: 'database', how: random() < 0.5 ? 'fast' : 'immediate' })],
  [1, (_, random) => ({ kind: 'pool-full', forMs: Math.round(500 + random() * 2_500) })],
  [3, () => ({ kind: 'operator' })],
];
const SHARES = KINDS.reduce((sum, [share]) => sum + share, 0);

/** The next fault. */
export function drawFault(nodes: number, random: () => number): Fault {
  const node = Math.floor(random() * nodes);
  let left = random() * SHARES;
  for (const [share, make] of KINDS) {
    left -= share;
    if (left < 0) return make(node, random);
  }
  return { kind: 'operator' };
}
