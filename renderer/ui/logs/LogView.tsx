import { Button } from '@mantine/core';
import { IconPlayerPause, IconPlayerTrackNext } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import type { LogPlace } from '../../../agent/contract/index.ts';
import { asBridgeError, callBridge } from '../../bridge/call.ts';
import { useAppState } from '../../state/use-app-state.ts';
import { agentAbsence } from '../agent-words.ts';
import { EmptyState } from '../EmptyState.tsx';
import { ErrorNotice } from '../ErrorNotice.tsx';
import { formatAbsolute, formatCount, plural } from '../format.ts';
import { SkeletonRows } from '../SkeletonRows.tsx';
import { StatusShape } from '../StatusMark.tsx';
import { followLabel } from './follow-state.ts';
import { LogList } from './LogList.tsx';
import { LogToolbar } from './LogToolbar.tsx';
import type { LogBuffer } from './log-buffer.ts';
import type { LogFilter, LogLevel } from './log-filter.ts';
import type { LogReaderState, LogSource, ReadFailure, ReadKind } from './log-reader.ts';
import { exportName, plainText } from './log-text.ts';
import { isSelected, type LineSelection, selectedOf } from './selection-state.ts';
import { type LogOpening, useLogReader } from './use-log-reader.ts';
import { useLogSource } from './use-log-source.ts';
import './logs.css';

/** Longest texts the contract takes for copying and for a file. */
const MOST_COPIED = 1_000_000;
const MOST_EXPORTED = 20_000_000;

/** What is missing of a log that is shown otherwise. */
const UNREAD: Record<ReadKind, string> = {
  place: 'That place could not be read',
  older: 'Older lines could not be read',
  newer: 'Newer lines could not be read',
};

const isNarrowed = (filter: LogFilter, lowest: LogLevel) =>
  filter.text.trim() !== '' || filter.storageId !== null || filter.range.kind !== 'all' || filter.minLevel !== lowest;

function FilesNotice({ absence, folder }: { absence: string; folder: string }) {
  return (
    <div className="isg-log-files" role="status" title={folder}>
      <StatusShape status="unknown" />
      <span className="isg-log-files-words">{absence}: these lines come from its log files.</span>
      <Button variant="default" onClick={() => void callBridge('app.open-log-folder', {}).catch(() => undefined)}>
        Open log folder
      </Button>
    </div>
  );
}

interface PlaceholderProps {
  state: LogReaderState;
  isNarrow: boolean;
  isOtherNode: boolean;
}

function Unreadable({ failure: { message, isFinal }, isOtherNode }: { failure: ReadFailure; isOtherNode: boolean }) {
  const own = isOtherNode ? ' The log of this node can be read meanwhile.' : '';
  return (
    <ErrorNotice
      cause={message.replace(/ It is tried again\.$/, '')}
      consequence={isFinal ? 'No lines are shown until it is changed.' : 'Log lines cannot be read now.'}
      remedy={isFinal ? 'Change the search.' : `It is tried again every 3 s.${own}`}
      isLive
    />
  );
}

function Placeholder({ state, isNarrow, isOtherNode }: PlaceholderProps) {
  const { buffer, isLoaded, failure, source } = state;
  if (!isLoaded && failure !== null) return <Unreadable failure={failure} isOtherNode={isOtherNode} />;
  if (!isLoaded) return <SkeletonRows rows={12} height={24} label="Reading log lines" />;
  if (!buffer.isWhole) return <EmptyState title="Looking further back">{searchedWords(buffer)}</EmptyState>;
  if (source === 'files' && buffer.newerSeq !== null)
    return <EmptyState title="No line so far back">The log files begin later than that.</EmptyState>;
  if (buffer.newerSeq !== null) return <EmptyState title="Looking further on">No line found so far.</EmptyState>;
  if (isNarrow) return <EmptyState title="No line matches">Lines that match and arrive now are shown here.</EmptyState>;
  return <EmptyState title="No lines yet">They appear here as the node writes them.</EmptyState>;
}

/** How much of the log has been searched without a find. */
function searchedWords({ older, extent }: LogBuffer): string {
  if (older?.kind !== 'before' || !extent) return 'No line found so far.';
  const all = extent.lastSeq - extent.firstSeq + 1;
  const searched = Math.min(all, Math.max(0, extent.lastSeq - older.seq + 1));
  return `No line found in the newest ${formatCount(searched)} of ${formatCount(all)}.`;
}

function countWords({ buffer, isLoaded }: LogReaderState, isNarrow: boolean): string {
  const first = buffer.lines[0];
  if (!isLoaded || !first) return '';
  const { extent, lines, isWhole, newerSeq } = buffer;
  const all = extent ? extent.lastSeq - extent.firstSeq + 1 : lines.length;
  const since = `since ${formatAbsolute(first.atMs)}`;
  const above = isWhole ? '' : '; older ones above';
  if (isNarrow && isWhole && newerSeq === null && extent)
    return `${formatCount(lines.length)} of ${plural(all, 'line')} match, ${since}`;
  if (isNarrow) return `${plural(lines.length, 'matching line')} read, ${since}${above}`;
  if (all > lines.length) return `${formatCount(lines.length)} of ${formatCount(all)} lines read, ${since}`;
  return `${plural(lines.length, 'line')}${isWhole ? '' : ' read'}, ${since}${above}`;
}

/** Copies and exports, and says how it went. */
function useTextOut(state: LogReaderState, selection: LineSelection | null, nodeName: string) {
  const [said, setSaid] = useState('');
  const { lines } = state.buffer;
  const chosen = () => (selection ? selectedOf(lines, selection) : lines);
  const run = async (work: () => Promise<string>) => {
    try {
      setSaid(await work());
    } catch (thrown) {
      setSaid(asBridgeError(thrown).message);
    }
  };
  const copy = () =>
    run(async () => {
      const wanted = chosen();
      const { text, left } = plainText(wanted, MOST_COPIED);
      await callBridge('app.copy-text', { text });
      return left === 0
        ? `Copied ${plural(wanted.length, 'line')}.`
        : `Copied the newest ${formatCount(wanted.length - left)} of ${plural(wanted.length, 'line')}; Export takes them all.`;
    });
  const exportLines = () =>
    run(async () => {
      const wanted = chosen();
      const { text, left } = plainText(wanted, MOST_EXPORTED);
      const { saved } = await callBridge('app.export-text', { suggestedName: exportName(nodeName, Date.now()), text });
      if (!saved) return '';
      return `Exported ${left === 0 ? '' : 'the newest '}${plural(wanted.length - left, 'line')}.`;
    });
  return { said, copy: () => void copy(), exportLines: () => void exportLines() };
}

function FollowButton({
  state,
  onPause,
  onFollow,
}: {
  state: LogReaderState;
  onPause: () => void;
  onFollow: () => void;
}) {
  const { follow } = state;
  const isFollowing = follow.kind === 'following';
  const hasNew = !isFollowing && follow.arrived > 0;
  return (
    <Button
      className="isg-log-follow"
      variant={hasNew ? 'filled' : 'default'}
      leftSection={
        isFollowing ? <IconPlayerPause size={16} aria-hidden /> : <IconPlayerTrackNext size={16} aria-hidden />
      }
      onClick={isFollowing ? onPause : onFollow}
      data-testid="log-follow"
    >
      {followLabel(follow)}
    </Button>
  );
}

const END: LogPlace = { kind: 'end' };

/** How the view is narrowed and where it was opened. Narrowing it otherwise leads to the end again. */
function useOpening(storageId: string | null, lowest: LogLevel, node: ChosenNode | undefined) {
  const widest: LogFilter = {
    minLevel: lowest,
    text: '',
    isPattern: false,
    range: { kind: 'all' },
    storageId,
    workerId: node?.workerId ?? null,
  };
  const [opening, setOpening] = useState<LogOpening>({ filter: widest, at: END });
  const [change] = useState(
    () => (part: Partial<LogFilter>) => setOpening(({ filter }) => ({ filter: { ...filter, ...part }, at: END })),
  );
  /** A line among its neighbours: nothing is narrowed but the node. */
  const showContext = (seq: number) =>
    setOpening(({ filter }) => ({
      filter: { ...widest, minLevel: 'debug', storageId: null, workerId: filter.workerId },
      at: { kind: 'around', seq },
    }));
  return { opening, change, showContext };
}

/** Nodes of the cluster whose logs can be read, this one first. */
function useNodes(source: LogSource): { value: string; label: string }[] {
  const snapshot = useAppState()?.snapshot;
  if (!snapshot || source === 'files') return [];
  const others = snapshot.cluster.members.filter(({ isSelf }) => !isSelf);
  return [
    { value: '', label: snapshot.node.name === '' ? 'This node' : `${snapshot.node.name} (this)` },
    ...others.map(({ workerId, name }) => ({ value: workerId, label: name })),
  ];
}

/** The node whose log is shown, where something outside the view shows it, too. */
export interface ChosenNode {
  /** null = this node. */
  workerId: string | null;
  choose: (workerId: string | null) => void;
}

/** Log lines of this node: filter, list that follows its end, copy, export. Fills its parent's height. */
export function LogView({
  storageId,
  label,
  lowestLevel,
  node,
}: {
  /** Only lines about this storage; null = all. */
  storageId: string | null;
  label: string;
  /** `error`: only errors, and no choice of level. */
  lowestLevel: LogLevel;
  node?: ChosenNode;
}) {
  const app = useAppState();
  const absence = agentAbsence(app?.agent.state);
  const source = useLogSource(app?.agent.state);
  const { opening, change, showContext } = useOpening(storageId, lowestLevel, node);
  const { filter } = opening;
  const { reader, state } = useLogReader(source, opening);
  const nodes = useNodes(source);
  const [chosen, setSelection] = useState<LineSelection | null>(null);
  // lines that were chosen and are not among those shown, since they are narrowed otherwise, are not chosen
  const selection = state.buffer.lines.some(({ seq }) => isSelected(chosen, seq)) ? chosen : null;
  const toEnd = useRef<() => void>(() => undefined);
  const { said, copy, exportLines } = useTextOut(state, selection, app?.snapshot?.node.name ?? 'node');
  const hasLines = state.buffer.lines.length > 0;
  const what = selection ? 'selection' : 'all';
  const isOneLine = selection !== null && selection.anchorSeq === selection.activeSeq;
  const hasContext = source === 'agent' && isOneLine && isNarrowed(filter, 'debug');
  return (
    <div className="isg-log-view" data-testid="log-view" data-source={source}>
      {source === 'files' && absence !== null ? <FilesNotice absence={absence} folder={app?.logFolder ?? ''} /> : null}
      <LogToolbar
        filter={filter}
        onChange={(part) => {
          change(part);
          if (part.workerId !== undefined) node?.choose(part.workerId);
        }}
        hasLevels={lowestLevel !== 'error'}
        nodes={nodes}
        onJump={(atMs) => reader.jump({ kind: 'time', atMs })}
      />
      <div className="isg-log-area">
        <LogList
          reader={reader}
          state={state}
          label={label}
          selection={selection}
          onSelect={setSelection}
          onCopy={copy}
          endRef={toEnd}
          placeholder={
            <Placeholder
              state={state}
              isNarrow={isNarrowed(filter, lowestLevel)}
              isOtherNode={filter.workerId !== null}
            />
          }
        />
        {hasLines && state.isReadingOlder ? <div className="isg-log-older">Reading older lines</div> : null}
        {hasLines && state.failure !== null ? (
          <div className="isg-log-older isg-log-older-error" role="status">
            {UNREAD[state.failure.kind]}: {state.failure.message}
          </div>
        ) : null}
      </div>
      <div className="isg-log-foot">
        <span className="isg-log-count isg-dim" data-testid="log-count">
          {countWords(state, isNarrowed(filter, 'debug'))}
        </span>
        <span className="isg-log-said" role="status">
          {said}
        </span>
        {hasContext ? (
          <Button variant="default" onClick={() => showContext(selection.activeSeq)}>
            Show in context
          </Button>
        ) : null}
        <Button variant="default" disabled={!hasLines} onClick={copy}>
          Copy {what}
        </Button>
        <Button variant="default" disabled={!hasLines} onClick={exportLines}>
          Export {what}
        </Button>
        <FollowButton
          state={state}
          onPause={() => reader.dispatch({ kind: 'pause-pressed' })}
          onFollow={() => toEnd.current()}
        />
      </div>
    </div>
  );
}
