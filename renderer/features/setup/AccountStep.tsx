import { PasswordInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { StatusMark } from '../../ui/StatusMark.tsx';
import { StepForm } from './StepForm.tsx';
import { accountProblems, urlAdvice } from './setup-checks.ts';
import type { Account } from './setup-state.ts';
import { useSetup } from './use-setup.ts';

/** Step 1: how to reach iconik; tried before the next step opens. */
export function AccountStep() {
  const { state, setup } = useSetup();
  const [left, setLeft] = useState<Partial<Record<keyof Account, boolean>>>({});
  const { account } = state;
  const problems = accountProblems(account);
  const advice = urlAdvice(account.iconikUrl);
  // a field is not called wrong before its reader has left it
  const field = (name: keyof Account) => ({
    value: account[name],
    error: left[name] && account[name] !== '' ? problems[name] : undefined,
    disabled: state.work !== null,
    spellCheck: false,
    autoComplete: 'off',
    onBlur: () => setLeft((last) => ({ ...last, [name]: true })),
    onChange: (event: React.ChangeEvent<HTMLInputElement>) =>
      setup.tell({ type: 'account-typed', account: { [name]: event.currentTarget.value } }),
  });
  return (
    <StepForm
      state={state}
      setup={setup}
      title="Connect to iconik"
      about={
        setup.wasResumed
          ? 'You started this before; what you entered is still here. The token is never kept, so enter it again.'
          : 'An administrator makes an App-ID and a token in iconik under Admin, Settings, Application Tokens. The token is shown there only once.'
      }
      continueLabel="Test and continue"
      remedy="Check URL, App-ID and token, and the way to iconik through proxy and firewall, then test again."
    >
      <TextInput
        label="iconik URL"
        description={advice === '' ? undefined : <StatusMark status="warning" label={advice} />}
        inputMode="url"
        {...field('iconikUrl')}
      />
      <TextInput label="App-ID" {...field('appId')} />
      <PasswordInput
        label="Token"
        description="Written to config.ini on this machine and never shown again."
        {...field('authToken')}
      />
    </StepForm>
  );
}
