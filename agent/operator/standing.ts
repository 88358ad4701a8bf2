import type { NodeSnapshot } from '../contract/index.ts';
import type { ClusterFigures } from '../db/queries/operator-figures.ts';
import type { NodeView } from './operated-node.ts';

// How a node stands in the election, in the words of the leader badge. Pure.

type Leadership = NodeSnapshot['leadership'];

/** A lease read longer ago than this tells nothing of now. */
const STALE_MS = 5_000;

/** The run that leads now as far as this node knows; null when nobody does or nothing is known. */
export function leaderRunId(view: NodeView, ownRunId: string): string | null {
  if (view.election.term !== null) return ownRunId;
  const { holderRunId, released, silentMs, readAgoMs } = view.election;
  if (released || silentMs >= view.leaderTtlMs || readAgoMs > STALE_MS) return null;
  // A run that holds the lease without trusting it does not lead: it is about to, or has just stopped.
  return holderRunId === ownRunId ? null : holderRunId;
}

/** The leader badge's state. `history` gives the instant at which a leadership began. */
export function leadershipOf(view: NodeView, ownRunId: string, history: ClusterFigures['history']): Leadership {
  const leader = leaderRunId(view, ownRunId);
  const term = leader === null ? null : (view.election.term ?? view.election.leaseTerm);
  const span = history.find((candidate) => candidate.term === term);
  const name =
    leader === ownRunId
      ? view.entities.gateway.name
      : (view.members.find(({ run_id }) => run_id === leader)?.name ?? span?.name ?? null);
  const known = { term, leaderName: leader === null ? null : name, sinceMs: span?.started_ms ?? null };
  return { ...known, ...standingOf(view, leader, ownRunId) };
}

function standingOf(view: NodeView, leader: string | null, ownRunId: string): Pick<Leadership, 'standing' | 'why'> {
  if (leader === ownRunId) return { standing: 'leader', why: '' };
  if (!view.facts.roles.includes('MAIN')) return { standing: 'worker', why: '' };
  if (!view.eligibility.eligible) return { standing: 'cannot-lead', why: view.eligibility.why };
  if (view.election.readAgoMs > STALE_MS) return { standing: 'unknown', why: '' };
  return { standing: leader === null ? 'nobody' : 'follower', why: '' };
}
