import { Button, CloseButton, Select, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { ROLES } from '../../../agent/contract/index.ts';
import { FilterChip } from './FilterChip.tsx';
import { ALL_JOBS, isNarrowed, type JobFilter, MOST_TEXT, toggled } from './job-filter.ts';
import { JOB_STATES, stateWord } from './job-words.ts';
import './jobs.css';

/** A thing to choose: its id and its name. */
export interface Choice {
  value: string;
  label: string;
}

/** Pause after the last key before a search is sent. */
const TYPING_MS = 200;

function SearchBox({ text, onChange }: { text: string; onChange: (text: string) => void }) {
  const [draft, setDraft] = useState(text);
  useEffect(() => setDraft(text), [text]);
  useEffect(() => {
    if (draft === text) return;
    const timer = setTimeout(() => onChange(draft), TYPING_MS);
    return () => clearTimeout(timer);
  }, [draft, text, onChange]);
  return (
    <TextInput
      className="isg-job-search"
      type="search"
      aria-label="Search jobs by file"
      placeholder="Search by file"
      maxLength={MOST_TEXT}
      value={draft}
      onChange={(event) => setDraft(event.currentTarget.value)}
      leftSection={<IconSearch size={16} stroke={1.6} aria-hidden />}
      rightSection={
        draft === '' ? null : <CloseButton aria-label="Clear search" size="sm" onClick={() => setDraft('')} />
      }
    />
  );
}

function FilterChips({ filter, onChange }: { filter: JobFilter; onChange: (change: Partial<JobFilter>) => void }) {
  const isOnNode = filter.nodeName !== null;
  return (
    <div className="isg-job-filter-row">
      <fieldset className="isg-chips" aria-label="State">
        {JOB_STATES.map((state) => (
          <FilterChip
            key={state}
            isOn={isOnNode ? state === 'leased' : filter.states.includes(state)}
            isDisabled={isOnNode}
            onToggle={() => onChange({ states: toggled(filter.states, state) })}
          >
            {stateWord(state)}
          </FilterChip>
        ))}
      </fieldset>
      <fieldset className="isg-chips" aria-label="Role">
        {ROLES.map((role) => (
          <FilterChip
            key={role}
            isOn={filter.roles.includes(role)}
            onToggle={() => onChange({ roles: toggled(filter.roles, role) })}
          >
            {role}
          </FilterChip>
        ))}
      </fieldset>
    </div>
  );
}

interface OneOfProps {
  /** What is chosen, for those who cannot see it. */
  what: string;
  /** Words for "none chosen", which means all. */
  all: string;
  choices: readonly Choice[] | readonly string[];
  value: string | null;
  onChange: (value: string | null) => void;
}

function OneOf({ what, all, choices, value, onChange }: OneOfProps) {
  return (
    <Select
      className="isg-job-select"
      aria-label={what}
      placeholder={all}
      clearable
      clearButtonProps={{ 'aria-label': all }}
      data={[...choices]}
      value={value}
      onChange={onChange}
    />
  );
}

/** What the jobs table is narrowed by. */
export function JobFilters({
  filter,
  onChange,
  storages,
  nodes,
}: {
  filter: JobFilter;
  onChange: (change: Partial<JobFilter>) => void;
  storages: readonly Choice[];
  nodes: readonly string[];
}) {
  const [onText] = useState(() => (text: string) => onChange({ text }));
  return (
    <search className="isg-job-filters" aria-label="Filter jobs">
      <div className="isg-job-filter-row">
        <SearchBox text={filter.text} onChange={onText} />
        <OneOf
          what="Storage"
          all="All storages"
          choices={storages}
          value={filter.storageId}
          onChange={(storageId) => onChange({ storageId })}
        />
        <OneOf
          what="Running on node"
          all="On any node"
          choices={nodes}
          value={filter.nodeName}
          onChange={(nodeName) => onChange({ nodeName })}
        />
        {isNarrowed(filter) ? (
          <Button variant="subtle" onClick={() => onChange(ALL_JOBS)}>
            Clear filters
          </Button>
        ) : null}
      </div>
      <FilterChips filter={filter} onChange={onChange} />
    </search>
  );
}
