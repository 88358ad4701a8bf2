import type { NodeSnapshot } from '../../../agent/contract/index.ts';
import { formatCount } from '../../ui/format.ts';
import { LeaderShapeMark } from '../../ui/LeaderBadge.tsx';
import { RelativeTime } from '../../ui/RelativeTime.tsx';
import { StatusMark } from '../../ui/StatusMark.tsx';
import { type MemberRow, memberRows } from './member-rows.ts';
import { compareVersions, newestVersion } from './upgrade/versions.ts';

function NameCell({ row: { member, isDuplicate }, isLive }: { row: MemberRow; isLive: boolean }) {
  return (
    <td className="isg-member-name">
      <div className="isg-row">
        <span className="isg-truncate" title={member.name}>
          <b>{member.name}</b>
        </span>
        {member.isLeader && isLive ? (
          <span className="isg-primary">
            <LeaderShapeMark shape="crown-filled" size={13} />
            Primary
          </span>
        ) : null}
        {member.isSelf ? <span className="isg-tag">this node</span> : null}
        {isDuplicate ? <span className="isg-tag isg-tag-failing">duplicate</span> : null}
      </div>
      <div className="isg-dim isg-mono isg-truncate" title={member.host}>
        {member.host}
      </div>
    </td>
  );
}

function Row({ row, isLive, newest }: { row: MemberRow; isLive: boolean; newest: string }) {
  const { member, status, word, reason, health, healthWords } = row;
  return (
    <tr data-testid={`member-${member.workerId}`}>
      <NameCell row={row} isLive={isLive} />
      <td className="isg-member-state">
        <StatusMark status={status} label={word} size={14} />
        {reason === '' || status === 'ok' ? null : (
          <div className="isg-dim isg-clamp" title={reason}>
            {reason}
          </div>
        )}
      </td>
      <td>
        <span className="isg-member-roles">{member.roles.join(' · ')}</span>
      </td>
      <td className="isg-nowrap">
        {member.version}
        {compareVersions(member.version, newest) >= 0 ? null : <span className="isg-dim"> older</span>}
      </td>
      <td className="isg-nowrap">
        <RelativeTime atMs={member.lastSeenMs} />
      </td>
      <td className="isg-num">{isLive ? formatCount(member.runningJobs) : <span className="isg-dim">–</span>}</td>
      <td>
        <StatusMark status={health} label={healthWords} size={14} />
      </td>
    </tr>
  );
}

/** All nodes by name; their order does not change with their state. */
export function MembersTable({ snapshot, isLive }: { snapshot: NodeSnapshot; isLive: boolean }) {
  const names = new Map(snapshot.storages.map(({ id, name }) => [id, name]));
  const rows = memberRows(snapshot.cluster.members, names, isLive);
  const newest = newestVersion(rows.map(({ member }) => member.version));
  return (
    <table className="isg-table isg-members">
      <thead>
        <tr>
          <th>Node and host</th>
          <th>Availability</th>
          <th>Roles</th>
          <th>Version</th>
          <th>Last seen</th>
          <th className="isg-num">Running</th>
          <th>Health</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Row key={row.member.workerId} row={row} isLive={isLive} newest={newest} />
        ))}
      </tbody>
    </table>
  );
}
