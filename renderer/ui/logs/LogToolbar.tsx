import { ActionIcon, Autocomplete, CloseButton, Select, TextInput } from '@mantine/core';
import { IconRegex, IconSearch } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { type LogFilter, type LogLevel, remembered, type TimeRange } from './log-filter.ts';
import { localTimeText, parseLocalTime } from './log-text.ts';
import './logs.css';

/** Pause after the last key before a search is sent. */
const TYPING_MS = 250;

const LEVELS: { value: LogLevel; label: string }[] = [
  { value: 'debug', label: 'All levels' },
  { value: 'info', label: 'Info and above' },
  { value: 'warn', label: 'Warnings and errors' },
  { value: 'error', label: 'Errors only' },
];

const RANGES = [
  { value: 'all', label: 'Any time' },
  { value: '15', label: 'Last 15 min' },
  { value: '60', label: 'Last hour' },
  { value: '1440', label: 'Last 24 h' },
  { value: 'between', label: 'From – to' },
];

/** Searches of this window, newest first; shared by all log views. */
let searches: string[] = [];

interface SearchProps {
  text: string;
  isPattern: boolean;
  onChange: (change: Partial<LogFilter>) => void;
  label: string;
}

function SearchBox({ text, isPattern, onChange, label }: SearchProps) {
  const [draft, setDraft] = useState(text);
  const sent = useRef(text);
  useEffect(() => {
    // emptied by the view itself, not by what is typed here
    if (text !== sent.current) setDraft(text);
    sent.current = text;
  }, [text]);
  useEffect(() => {
    if (draft === sent.current) return;
    const timer = setTimeout(() => {
      searches = remembered(searches, draft);
      sent.current = draft;
      onChange({ text: draft });
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [draft, onChange]);
  return (
    <Autocomplete
      className="isg-log-search"
      aria-label={label}
      placeholder={isPattern ? 'Regular expression' : 'Search'}
      title={isPattern ? 'Regular expression for message or fields' : 'Search message and fields'}
      maxLength={200}
      data={searches}
      filter={({ options }) => options}
      value={draft}
      onChange={setDraft}
      leftSection={<IconSearch size={16} stroke={1.6} aria-hidden />}
      rightSectionWidth={draft === '' ? 34 : 62}
      rightSection={
        <>
          {draft === '' ? null : <CloseButton aria-label="Clear search" size="sm" onClick={() => setDraft('')} />}
          <ActionIcon
            className="isg-log-pattern"
            variant="default"
            size="sm"
            aria-label="Regular expression"
            aria-pressed={isPattern}
            title="Search by a regular expression"
            onClick={() => onChange({ isPattern: !isPattern })}
          >
            <IconRegex size={14} aria-hidden />
          </ActionIcon>
        </>
      }
    />
  );
}

const rangeChoice = (range: TimeRange): string => (range.kind === 'last' ? String(range.minutes) : range.kind);

function chosenRange(choice: string | null, before: TimeRange): TimeRange {
  if (choice === 'between') return before.kind === 'between' ? before : { kind: 'between', fromMs: null, toMs: null };
  const minutes = Number(choice);
  return choice === null || !(minutes > 0) ? { kind: 'all' } : { kind: 'last', minutes };
}

function Instant({
  label,
  atMs,
  onChange,
}: {
  label: string;
  atMs: number | null;
  onChange: (atMs: number | null) => void;
}) {
  return (
    <TextInput
      type="datetime-local"
      step={1}
      aria-label={label}
      className="isg-log-instant"
      defaultValue={atMs === null ? '' : localTimeText(atMs)}
      onChange={(event) => onChange(parseLocalTime(event.currentTarget.value))}
    />
  );
}

/** Goes to an instant once Enter says that it is the one, or the field is left. */
function JumpBox({ onJump }: { onJump: (atMs: number) => void }) {
  const last = useRef('');
  const jump = (text: string) => {
    const atMs = parseLocalTime(text);
    if (atMs === null || text === last.current) return;
    last.current = text;
    onJump(atMs);
  };
  return (
    <TextInput
      type="datetime-local"
      step={1}
      aria-label="Jump to time"
      title="Jump to time"
      className="isg-log-jump"
      leftSection={<span className="isg-log-jump-word">Go to</span>}
      leftSectionWidth={56}
      onKeyDown={(event) => {
        if (event.key !== 'Enter') return;
        last.current = '';
        jump(event.currentTarget.value);
      }}
      onBlur={(event) => jump(event.currentTarget.value)}
    />
  );
}

/** What the log lines are narrowed by. */
export function LogToolbar({
  filter,
  onChange,
  hasLevels,
  nodes,
  onJump,
}: {
  filter: LogFilter;
  onChange: (change: Partial<LogFilter>) => void;
  /** Whether the level can be chosen; the error log has only errors. */
  hasLevels: boolean;
  /** Nodes whose log can be read, this one first with value ''; none when there is no choice. */
  nodes: { value: string; label: string }[];
  /** Told of an instant to go to. */
  onJump: (atMs: number) => void;
}) {
  const { range } = filter;
  return (
    <search className="isg-log-toolbar" aria-label="Filter log lines">
      {nodes.length > 1 ? (
        <Select
          className="isg-log-node"
          aria-label="Node"
          data={nodes}
          value={filter.workerId ?? ''}
          allowDeselect={false}
          onChange={(value) => onChange({ workerId: value === '' ? null : value })}
        />
      ) : null}
      <SearchBox text={filter.text} isPattern={filter.isPattern} onChange={onChange} label="Search log lines" />
      {hasLevels ? (
        <Select
          className="isg-log-select"
          aria-label="Level"
          data={LEVELS}
          value={filter.minLevel}
          allowDeselect={false}
          onChange={(minLevel) =>
            onChange({ minLevel: LEVELS.find(({ value }) => value === minLevel)?.value ?? 'debug' })
          }
        />
      ) : null}
      <Select
        className="isg-log-select"
        aria-label="Time range"
        data={RANGES}
        value={rangeChoice(range)}
        allowDeselect={false}
        onChange={(choice) => onChange({ range: chosenRange(choice, range) })}
      />
      {range.kind === 'between' ? (
        <span className="isg-log-span">
          <span className="isg-dim">from</span>
          <Instant label="From" atMs={range.fromMs} onChange={(fromMs) => onChange({ range: { ...range, fromMs } })} />
          <span className="isg-dim">to</span>
          <Instant label="To" atMs={range.toMs} onChange={(toMs) => onChange({ range: { ...range, toMs } })} />
        </span>
      ) : null}
      <JumpBox onJump={onJump} />
    </search>
  );
}
