import { useEffect, useSyncExternalStore } from 'react';
import type { ClusterMember } from '../../../../agent/contract/index.ts';
import { WatchedValue } from '../../../state/watched-value.ts';
import { rememberVersions, type VersionMemory } from './version-memory-state.ts';

/** As long as the window lives, also while another screen is shown. */
const memory = new WatchedValue<VersionMemory>(new Map());

/** What this window has seen of the nodes' versions, with what it sees now. */
export function useVersionMemory(members: readonly ClusterMember[]): VersionMemory {
  useEffect(() => {
    const next = rememberVersions(memory.get(), members, Date.now());
    if (next !== memory.get()) memory.set(next);
  }, [members]);
  return useSyncExternalStore(memory.subscribe, memory.get);
}
