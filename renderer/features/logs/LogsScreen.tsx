import { Tabs } from '@mantine/core';
import { useState } from 'react';
import { useRoute } from '../../state/navigation.ts';
import { useAppState } from '../../state/use-app-state.ts';
import { agentAbsence } from '../../ui/agent-words.ts';
import { LogView } from '../../ui/logs/LogView.tsx';
import { ScreenHeader } from '../../ui/ScreenHeader.tsx';
import '../../ui/logs/logs.css';

/** Log lines and error log of this node, live or from its files. Opened with `tab` (`lines` or `errors`). */
export function LogsScreen() {
  const { params } = useRoute();
  const app = useAppState();
  const [tab, setTab] = useState<string | null>(params.tab === 'errors' ? 'errors' : 'lines');
  const name = app?.snapshot?.node.name ?? 'this node';
  const absence = agentAbsence(app?.agent.state);
  const [workerId, choose] = useState<string | null>(null);
  const node = { workerId, choose };
  const other = app?.snapshot?.cluster.members.find((member) => member.workerId === workerId && !member.isSelf);
  const sentence =
    absence !== null
      ? `${absence}; this is what ${name} wrote so far.`
      : other
        ? `What ${other.name} wrote, as it comes to the cluster’s database.`
        : `What ${name} writes, as it happens.`;
  return (
    <div className="isg-fill isg-logs">
      <ScreenHeader sentence={sentence} />
      <Tabs value={tab} onChange={setTab} keepMounted={false} className="isg-log-tabs">
        <Tabs.List>
          <Tabs.Tab value="lines">Log lines</Tabs.Tab>
          <Tabs.Tab value="errors">Error log</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="lines" className="isg-log-panel">
          <LogView storageId={null} label="Log lines" lowestLevel="debug" node={node} />
        </Tabs.Panel>
        <Tabs.Panel value="errors" className="isg-log-panel">
          <LogView storageId={null} label="Error log" lowestLevel="error" node={node} />
        </Tabs.Panel>
      </Tabs>
    </div>
  );
}
