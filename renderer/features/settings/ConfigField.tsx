import { Button, NativeSelect, PasswordInput, TextInput } from '@mantine/core';
import { type ReactNode, useId, useState } from 'react';
import type { ConfigEntry } from '../../../preload/contract/bridge.ts';
import { presentationOf } from './config-presentation.ts';
import { tellDraft } from './settings-session.ts';
import { EFFECT_WORDS } from './settings-summary.ts';

interface FieldProps {
  entry: ConfigEntry;
  /** Typed and not yet saved; null = to be removed; undefined = not touched. */
  typed: string | null | undefined;
  error: string | null;
  describedBy: string;
}

const isRequired = (entry: ConfigEntry): boolean => entry.default === '';

function SecretField({ entry, typed, error, describedBy }: FieldProps) {
  const [isReplacing, setIsReplacing] = useState(false);
  const type = (value: string | null) => tellDraft({ type: 'config-typed', entry, value });
  const isRemoved = typed === null;
  if (!isReplacing && typed === undefined && error === null) {
    return (
      <div className="isg-row">
        <span className={entry.isSet ? 'isg-secret isg-secret-set' : 'isg-secret'} data-testid={`secret-${entry.key}`}>
          {entry.isSet ? 'Set, never shown' : 'Not set'}
        </span>
        <Button
          variant="default"
          size="compact-sm"
          onClick={() => setIsReplacing(true)}
          aria-label={`${entry.isSet ? 'Replace' : 'Set'} ${entry.key}`}
        >
          {entry.isSet ? 'Replace' : 'Set'}
        </Button>
        {entry.isSet && !isRequired(entry) ? (
          <Button variant="default" size="compact-sm" onClick={() => type(null)} aria-label={`Remove ${entry.key}`}>
            Remove
          </Button>
        ) : null}
      </div>
    );
  }
  const keep = () => {
    // back to what is saved: for a set secret "not touched" is told as removal of the edit
    tellDraft({ type: 'config-reverted', key: entry.key });
    setIsReplacing(false);
  };
  return (
    <div className="isg-row isg-row-top">
      {isRemoved ? (
        <span className="isg-secret">Will be removed</span>
      ) : (
        <PasswordInput
          aria-label={entry.key}
          aria-describedby={describedBy}
          placeholder="Enter the new value"
          autoComplete="off"
          value={typed ?? ''}
          error={error}
          aria-invalid={error !== null}
          onChange={(event) => {
            const text = event.currentTarget.value;
            if (text === '') tellDraft({ type: 'config-reverted', key: entry.key });
            else type(text);
            setIsReplacing(true);
          }}
          autoFocus={isReplacing}
          className="isg-grow"
        />
      )}
      <Button variant="default" size="compact-sm" className="isg-keep" onClick={keep}>
        {entry.isSet ? 'Keep' : 'Cancel'}
      </Button>
    </div>
  );
}

function ChoiceField({ entry, typed, error, describedBy }: FieldProps) {
  const { choices } = presentationOf(entry.key);
  const value = typed === undefined ? (entry.value ?? '') : (typed ?? '');
  const known = value === '' || choices.includes(value) ? choices : [...choices, value];
  return (
    <NativeSelect
      aria-label={entry.key}
      aria-describedby={describedBy}
      error={error}
      value={value}
      data={[
        { value: '', label: entry.default === '' ? 'not set' : `default (${entry.default})` },
        ...known.map((choice) => ({ value: choice, label: choice })),
      ]}
      onChange={(event) => tellDraft({ type: 'config-typed', entry, value: event.currentTarget.value || null })}
    />
  );
}

function LineField({ entry, typed, error, describedBy }: FieldProps) {
  const { kind, unit } = presentationOf(entry.key);
  return (
    <TextInput
      aria-label={entry.key}
      aria-describedby={describedBy}
      placeholder={isRequired(entry) ? 'required' : entry.default}
      error={error}
      value={typed === undefined ? (entry.value ?? '') : (typed ?? '')}
      inputMode={kind === 'number' ? 'numeric' : 'text'}
      spellCheck={false}
      autoComplete="off"
      rightSection={unit === '' ? undefined : <span className="isg-unit">{unit}</span>}
      rightSectionWidth={unit === '' ? undefined : 52}
      classNames={{ input: kind === 'number' ? 'isg-num-input' : 'isg-mono' }}
      onChange={(event) => tellDraft({ type: 'config-typed', entry, value: event.currentTarget.value })}
    />
  );
}

/** One key of config.ini: what it does, and a field for it; problems stand below the field. */
export function ConfigField({
  entry,
  typed,
  problems,
  children,
}: {
  entry: ConfigEntry;
  typed: string | null | undefined;
  problems: readonly string[];
  /** What else belongs below the field. */
  children?: ReactNode;
}) {
  const describedBy = useId();
  const props = { entry, typed, describedBy, error: problems.length === 0 ? null : problems.join(' ') };
  const { kind } = presentationOf(entry.key);
  const isEmpty = typed === undefined ? !entry.isSet : typed === null;
  // an empty field shows its default inside
  const standard = isRequired(entry) ? 'Required.' : isEmpty ? '' : `Default: ${entry.default}.`;
  return (
    <li className="isg-key" data-testid={`key-${entry.key}`}>
      <div className="isg-setting-words" id={describedBy}>
        <span className="isg-setting-name">
          {entry.key} {typed === undefined ? null : <span className="isg-unsaved">unsaved</span>}
        </span>
        <span className="isg-setting-about">
          {entry.explanation} {entry.isSecret && !isRequired(entry) ? '' : standard}{' '}
          <span className="isg-effect" data-effect={entry.effect}>
            {EFFECT_WORDS[entry.effect]}
          </span>
        </span>
      </div>
      <div className="isg-key-field">
        {entry.isSecret ? (
          <SecretField {...props} />
        ) : kind === 'choice' ? (
          <ChoiceField {...props} />
        ) : (
          <LineField {...props} />
        )}
        {children}
      </div>
    </li>
  );
}
