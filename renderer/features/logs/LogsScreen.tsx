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
  const sentence =
    absence === null ? `What ${name} writes, as it happens.` : `${absence}; this is what ${name} wrote so far.`;
  return (
    <div className="isg-fill isg-logs">
      <ScreenHeader sentence={sentence} />
      <Tabs value={tab} onChange={setTab} keepMounted={false} className="isg-log-tabs">
        <Tabs.List>
          <Tabs.Tab value="lines">Log lines</Tabs.Tab>
          <Tabs.Tab value="errors">Error log</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="lines" className="isg-log-panel">
          <LogView storageId={null} label="Log lines" lowestLevel="debug" />
        </Tabs.Panel>
        <Tabs.Panel value="errors" className="isg-log-panel">
          <LogView storageId={null} label="Error log" lowestLevel="error" />
        </Tabs.Panel>
      </Tabs>
    </div>
  );
}
