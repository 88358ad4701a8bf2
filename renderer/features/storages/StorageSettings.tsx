import { TextInput } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { StorageState } from '../../../agent/contract/index.ts';
import { EmptyState } from '../../ui/EmptyState.tsx';
import { settingValue, settingWord } from './storage-words.ts';
import './storages.css';

/** More settings than this get a search box. */
const MANY = 12;

/** The storage's settings as iconik has them. They are changed in iconik. */
export function StorageSettings({ storage }: { storage: StorageState }) {
  const [search, setSearch] = useState('');
  const all = useMemo(
    () =>
      Object.entries(storage.settings)
        .map(([name, value]) => ({ name, label: settingWord(name), value: settingValue(value) }))
        .sort((a, b) => a.label.localeCompare(b.label)),
    [storage.settings],
  );
  if (all.length === 0)
    return <EmptyState title="No settings known">They come with the storage from iconik.</EmptyState>;
  const shown = all.filter(({ name, label }) => `${name} ${label}`.toLowerCase().includes(search.trim().toLowerCase()));
  return (
    <div className="isg-storage-settings" data-testid="storage-settings">
      <div className="isg-row">
        <span className="isg-dim isg-small">
          As iconik has them. They are changed in iconik and followed within a minute.
        </span>
        <span className="isg-spacer" />
        {all.length > MANY ? (
          <TextInput
            aria-label={`Search settings of ${storage.name}`}
            placeholder="Search settings"
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
        ) : null}
      </div>
      <dl className="isg-storage-setting-list">
        {shown.map(({ name, label, value }) => (
          <div key={name} className="isg-storage-setting">
            <dt title={name}>{label}</dt>
            <dd className={value === 'Not set' ? 'isg-dim' : undefined}>{value}</dd>
          </div>
        ))}
      </dl>
      {shown.length === 0 ? <p className="isg-dim isg-small">No setting matches.</p> : null}
    </div>
  );
}
