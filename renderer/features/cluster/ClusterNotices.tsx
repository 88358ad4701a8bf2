import type { NodeSnapshot } from '../../../agent/contract/index.ts';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { drillNotice, leaderlessLines } from './drill-words.ts';

/** Why nobody leads, node by node; nothing while somebody does or the cluster is disabled. */
function Leaderless({ cluster }: NodeSnapshot) {
  if (cluster.leaderless === null || !cluster.enabled) return null;
  return (
    <ErrorNotice cause="No node becomes Primary." consequence="Nothing is scanned and ingested meanwhile." isLive>
      <ul className="isg-consequences">
        {leaderlessLines(cluster.leaderless.causes).map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </ErrorNotice>
  );
}

/** What the Cluster screen has to say above its tables: nobody leads, and how the last drill goes. */
export function ClusterNotices({ snapshot }: { snapshot: NodeSnapshot }) {
  const drill = drillNotice(snapshot.cluster.drill.last);
  return (
    <>
      <Leaderless {...snapshot} />
      {drill === null ? null : <ErrorNotice {...drill} isLive />}
    </>
  );
}
