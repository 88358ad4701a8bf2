import { Button, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { callBridge } from '../../bridge/call.ts';
import { useNavigate } from '../../state/navigation.ts';
import { useAppState } from '../../state/use-app-state.ts';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { plural } from '../../ui/format.ts';
import { ScreenHeader, Section } from '../../ui/ScreenHeader.tsx';
import { SkeletonRows } from '../../ui/SkeletonRows.tsx';
import { ConfigField } from './ConfigField.tsx';
import { groupEntries, matchesSearch } from './config-presentation.ts';
import { sortProblems, typedProblems, withoutPath } from './config-problems.ts';
import { FileNotices } from './FileNotices.tsx';
import { SettingItem } from './SettingItem.tsx';
import { saveChanges } from './save-settings.ts';
import { configKeyOf } from './setting-tiers.ts';
import { changesOf, countWrong, type DraftEvent, effectsOf, type SettingsDraft } from './settings-draft.ts';
import { tellDraft, useSettingsSession } from './settings-session.ts';
import { settingsSentence } from './settings-summary.ts';
import { TokenPlace } from './TokenPlace.tsx';
import { UnsavedBar } from './UnsavedBar.tsx';
import { type SavedState, useSavedSettings } from './use-saved-settings.ts';
import './settings.css';

const CALLS = {
  writeConfig: (params: Parameters<typeof callBridge<'config.write'>>[1]) => callBridge('config.write', params),
  writeSetting: (params: Parameters<typeof callBridge<'settings.write'>>[1]) => callBridge('settings.write', params),
};

function Limits({ saved, draft, search }: { saved: SavedState; draft: SettingsDraft; search: string }) {
  const { rows, rowsError, isLoading } = saved;
  const shown = (rows ?? []).filter((row) => matchesSearch(search, row.name, row.explanation));
  if (rows !== null && shown.length === 0) return null;
  return (
    <Section
      title="Limits of this node"
      aside={
        <span className="isg-dim isg-small">
          config.ini › node › cluster › default: the first that says something counts
        </span>
      }
      isFlush
    >
      {rows === null && isLoading ? <SkeletonRows rows={6} height={53} label="Reading settings" /> : null}
      {rowsError === null ? null : (
        <div className="isg-section-body">
          <ErrorNotice
            status={rows === null ? 'failing' : 'warning'}
            cause={rows === null ? 'The settings of node and cluster cannot be read.' : 'These values may be old.'}
            consequence={rowsError.message}
            remedy="They are read again by themselves as soon as the agent and iconik answer."
          />
        </div>
      )}
      <ul className="isg-setting-list">
        {shown.map((row) => (
          <SettingItem key={row.name} row={row} draft={draft} />
        ))}
      </ul>
    </Section>
  );
}

function ConfigGroups({
  saved,
  draft,
  search,
}: {
  saved: ReturnType<typeof useSavedSettings>;
  draft: SettingsDraft;
  search: string;
}) {
  const { rows, config, configError } = saved;
  const state = useAppState();
  if (config === null) {
    if (configError === null) return <SkeletonRows rows={6} height={53} label="Reading config.ini" />;
    return (
      <ErrorNotice
        cause="config.ini cannot be read."
        consequence={configError.message}
        remedy="Check that the file and its folder can be read."
      />
    );
  }
  const keys = config.entries.map(({ key }) => key);
  const typed = typedProblems(config.entries, draft.config);
  const inFile = sortProblems(withoutPath(state?.config.problems ?? [], config.path), keys);
  const above = new Set((rows ?? []).map(({ name }) => configKeyOf(name)));
  return groupEntries(config.entries, above).map(({ title, about, entries }) => {
    const shown = entries.filter((entry) => matchesSearch(search, entry.key, entry.explanation, title));
    if (shown.length === 0) return null;
    return (
      <Section key={title} title={title} aside={<span className="isg-dim isg-small">{about}</span>} isFlush>
        <ul className="isg-setting-list">
          {shown.map((entry) => (
            <ConfigField
              key={entry.key}
              entry={entry}
              typed={draft.config[entry.key]}
              problems={
                typed.get(entry.key) ??
                draft.problems.byKey.get(entry.key) ??
                (draft.config[entry.key] === undefined ? inFile.byKey.get(entry.key) : undefined) ??
                []
              }
            >
              {entry.key === 'auth-token' && draft.config[entry.key] === undefined ? (
                <TokenPlace token={config.token} reload={saved.reload} />
              ) : null}
            </ConfigField>
          ))}
        </ul>
      </Section>
    );
  });
}

function RefusedList({ draft }: { draft: SettingsDraft }) {
  const all = [...new Set([...draft.problems.general, ...[...draft.problems.byKey.values()].flat()])];
  if (all.length === 0) return null;
  return (
    <div data-testid="config-problems">
      <ErrorNotice
        isLive
        cause={`config.ini was not changed: ${plural(all.length, 'problem')}.`}
        consequence="Nothing was saved; your changes are kept below."
        remedy="Correct the fields that say so, then save again."
      >
        <ul className="isg-problem-list">
          {all.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      </ErrorNotice>
    </div>
  );
}

/** Saves the draft. Edits stay in the fields until the saved values are read again, so that nothing jumps back for a moment. */
function useSave(saved: ReturnType<typeof useSavedSettings>, onRefused: () => void) {
  const { draft } = useSettingsSession();
  const [isSaving, setIsSaving] = useState(false);
  const [said, setSaid] = useState('');
  const shown = { rows: saved.rows, entries: saved.config?.entries ?? [] };
  const changes = changesOf(draft, shown);
  const save = async () => {
    setIsSaving(true);
    const settled: DraftEvent[] = [];
    const keys = shown.entries.map(({ key }) => key);
    const path = saved.config?.path ?? '';
    const tell = (event: DraftEvent) =>
      settled.push(event.type === 'config-refused' ? { ...event, problems: withoutPath(event.problems, path) } : event);
    const shownNow = Object.fromEntries(shown.entries.map(({ key, revision }) => [key, revision]));
    const outcome = await saveChanges(changes, CALLS, tell, { keys, seen: { ...shownNow, ...draft.seen } });
    await saved.reload();
    for (const event of settled) tellDraft(event);
    setIsSaving(false);
    const refused = outcome.refused === 0 ? '' : ` ${plural(outcome.refused, 'change')} refused.`;
    setSaid(outcome.saved === 0 ? 'Nothing was saved.' : `${plural(outcome.saved, 'change')} saved.${refused}`);
    if (outcome.refused > 0) onRefused();
  };
  return { draft, changes, effects: effectsOf(draft, shown), wrong: countWrong(draft, shown), isSaving, said, save };
}

/** Every setting with its effective value and its tiers, and every key of config.ini. */
export function SettingsScreen() {
  const navigate = useNavigate();
  const saved = useSavedSettings();
  const { reload } = saved;
  const state = useAppState();
  // an agent that has started has taken up what waited for it; a file that was mended or broken says something else
  const occasion = `${state?.agent.state} ${state?.config.status}`;
  useEffect(() => {
    if (occasion !== '') void reload();
  }, [occasion, reload]);
  const [search, setSearch] = useState('');
  const content = useRef<HTMLDivElement>(null);
  const { draft, changes, effects, wrong, isSaving, said, save } = useSave(saved, () =>
    // after the next painting the refused fields carry their mark
    requestAnimationFrame(() => {
      const refused = content.current?.querySelector<HTMLElement>('[aria-invalid="true"]');
      refused?.focus({ preventScroll: true });
      refused?.scrollIntoView({ block: 'center' });
    }),
  );
  return (
    <>
      <ScreenHeader sentence={settingsSentence(saved)}>
        <TextInput
          aria-label="Find a setting"
          placeholder="Find a setting"
          leftSection={<IconSearch size={16} />}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
        <Button variant="default" onClick={() => navigate('settings', { assistant: 'open' })}>
          Set-up assistant
        </Button>
      </ScreenHeader>
      {saved.config === null ? null : <FileNotices config={saved.config} reload={saved.reload} />}
      <RefusedList draft={draft} />
      <div className="isg-stack" ref={content}>
        <Limits saved={saved} draft={draft} search={search} />
        <ConfigGroups saved={saved} draft={draft} search={search} />
      </div>
      <p className="isg-small isg-dim isg-config-path">
        config.ini: <span className="isg-mono">{saved.config?.path ?? 'not known'}</span>. Comments, order and keys that
        are not shown here are kept as they are. <span role="status">{said}</span>
      </p>
      <UnsavedBar
        changes={changes}
        effects={effects}
        wrong={wrong}
        isSaving={isSaving}
        onSave={() => void save()}
        onDiscard={() => tellDraft({ type: 'discarded' })}
      />
    </>
  );
}
