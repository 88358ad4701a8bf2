import { isBelievable } from '../../state/freshness.ts';
import { useRoute } from '../../state/navigation.ts';
import { useAppState, useFreshness } from '../../state/use-app-state.ts';
import { agentAbsence } from '../../ui/agent-words.ts';
import { EmptyState } from '../../ui/EmptyState.tsx';
import { ScreenHeader } from '../../ui/ScreenHeader.tsx';
import { SkeletonRows } from '../../ui/SkeletonRows.tsx';
import { StorageCard } from './StorageCard.tsx';
import { storagesSentence } from './storage-words.ts';
import './storages.css';

/** Storages this node serves. Opened with `storage` (an id) and `tab` (`problems`, `settings`, `logs`). */
export function StoragesScreen() {
  const app = useAppState();
  const fresh = useFreshness();
  const { params } = useRoute();
  const snapshot = app?.snapshot ?? null;
  const isLive = fresh !== null && isBelievable(fresh);
  if (!snapshot) {
    return (
      <>
        <ScreenHeader sentence="The storages are not known yet." />
        {app?.agent.state === 'running' ? (
          <SkeletonRows rows={3} height={120} label="Reading storages" />
        ) : (
          <EmptyState title="Nothing is known of the storages">They are shown as soon as the agent runs.</EmptyState>
        )}
      </>
    );
  }
  const { storages } = snapshot;
  const wanted = params.storage ?? params.storageId;
  return (
    <>
      <ScreenHeader
        sentence={
          isLive
            ? storagesSentence(storages)
            : `${agentAbsence(app?.agent.state) ?? 'The newest data are old'}; the storages are shown as last known.`
        }
      />
      {storages.length === 0 ? (
        <div className="isg-storage-card">
          <EmptyState title="No storage">
            Assign a storage to this gateway or its cluster in iconik; it appears here within a minute.
          </EmptyState>
        </div>
      ) : null}
      {storages.map((storage) => (
        <StorageCard
          key={storage.id}
          storage={storage}
          isLive={isLive}
          canRead={app?.agent.state === 'running'}
          isWanted={storage.id === wanted}
          initialTab={storage.id === wanted ? (params.tab ?? null) : null}
        />
      ))}
    </>
  );
}
