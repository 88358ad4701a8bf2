import { Button } from '@mantine/core';
import type { NodeSnapshot } from '../../../../agent/contract/index.ts';
import { navigate, useRoute } from '../../../state/navigation.ts';
import { useNow } from '../../../state/use-now.ts';
import { ErrorNotice } from '../../../ui/ErrorNotice.tsx';
import { UpgradeGuide } from './UpgradeGuide.tsx';
import { upgradePlan } from './upgrade-plan.ts';
import { planSentence } from './upgrade-words.ts';
import { useVersionMemory } from './use-version-memory.ts';

const BUTTON_ID = 'upgrade-guide-button';
const NOBODY: ReadonlySet<string> = new Set();

// Open or not is part of the window's address, so that the guide is still there after a reload.
const open = () => navigate('cluster', { guide: 'open' });
const close = () => {
  navigate('cluster');
  document.getElementById(BUTTON_ID)?.focus();
};
const useIsOpen = (): boolean => useRoute().params.guide === 'open';

/** Opens and closes the guide. */
export function UpgradeGuideButton() {
  const isOpen = useIsOpen();
  return (
    <Button
      id={BUTTON_ID}
      variant="default"
      aria-expanded={isOpen}
      {...(isOpen ? { 'aria-controls': 'upgrade-guide' } : {})}
      onClick={isOpen ? close : open}
    >
      Upgrade guide
    </Button>
  );
}

/** The guide when it is open; else, while versions are mixed, the way to it. */
export function UpgradeSection({ snapshot }: { snapshot: NodeSnapshot }) {
  const { members, enabled } = snapshot.cluster;
  const isOpen = useIsOpen();
  const nowMs = useNow();
  const memory = useVersionMemory(members);
  if (isOpen) return <UpgradeGuide snapshot={snapshot} memory={memory} onClose={close} />;
  const plan = upgradePlan({ members, enabled, way: 'one-by-one', nowMs, memory, leftOut: NOBODY });
  if (plan.phase !== 'under-way') return null;
  return (
    <ErrorNotice
      status="unknown"
      cause="An upgrade is under way."
      consequence={planSentence(plan).sentence}
      action={
        <Button variant="default" onClick={open}>
          Open upgrade guide
        </Button>
      }
    />
  );
}
