import { Autocomplete, CloseButton, Select, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
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

function SearchBox({ text, onChange, label }: { text: string; onChange: (text: string) => void; label: string }) {
  const [draft, setDraft] = useState(text);
  useEffect(() => {
    if (draft === text) return;
    const timer = setTimeout(() => {
      searches = remembered(searches, draft);
      onChange(draft);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [draft, text, onChange]);
  return (
    <Autocomplete
      className="isg-log-search"
      aria-label={label}
      placeholder="Search message and fields"
      maxLength={200}
      data={searches}
      filter={({ options }) => options}
      value={draft}
      onChange={setDraft}
      leftSection={<IconSearch size={16} stroke={1.6} aria-hidden />}
      rightSection={
        draft === '' ? null : <CloseButton aria-label="Clear search" size="sm" onClick={() => setDraft('')} />
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

/** What the log lines are narrowed by. */
export function LogToolbar({
  filter,
  onChange,
  hasLevels,
}: {
  filter: LogFilter;
  onChange: (change: Partial<LogFilter>) => void;
  /** Whether the level can be chosen; the error log has only errors. */
  hasLevels: boolean;
}) {
  const { range } = filter;
  const [onText] = useState(() => (text: string) => onChange({ text }));
  return (
    <search className="isg-log-toolbar" aria-label="Filter log lines">
      <SearchBox text={filter.text} onChange={onText} label="Search log lines" />
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
          <Instant label="From" atMs={range.fromMs} onChange={(fromMs) => onChange({ range: { ...range, fromMs } })} />
          <span className="isg-dim">to</span>
          <Instant label="To" atMs={range.toMs} onChange={(toMs) => onChange({ range: { ...range, toMs } })} />
        </span>
      ) : null}
    </search>
  );
}
