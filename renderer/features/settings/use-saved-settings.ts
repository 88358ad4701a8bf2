import { useCallback, useEffect, useRef, useState } from 'react';
import type { BridgeAnswer } from '../../../preload/contract/bridge.ts';
import { asBridgeError, type BridgeError, callBridge } from '../../bridge/call.ts';

/** How often the tiers of iconik are read again while the screen is shown: others may change them. */
const REFRESH_MS = 15_000;

/** What is saved now. Values stay when a later reading fails; the errors are of the last one. */
export interface SavedState {
  rows: BridgeAnswer<'settings.read'>['rows'] | null;
  rowsError: BridgeError | null;
  config: BridgeAnswer<'config.read'> | null;
  configError: BridgeError | null;
  isLoading: boolean;
}

const NOTHING: SavedState = { rows: null, rowsError: null, config: null, configError: null, isLoading: true };

async function readBoth(last: SavedState): Promise<SavedState> {
  const [rows, config] = await Promise.allSettled([callBridge('settings.read', {}), callBridge('config.read', {})]);
  return {
    rows: rows.status === 'fulfilled' ? rows.value.rows : last.rows,
    rowsError: rows.status === 'fulfilled' ? null : asBridgeError(rows.reason),
    config: config.status === 'fulfilled' ? config.value : last.config,
    configError: config.status === 'fulfilled' ? null : asBridgeError(config.reason),
    isLoading: false,
  };
}

/** Reads settings and config.ini, now, every 15 s and on `reload`, which resolves when what is shown is current. */
export function useSavedSettings(): SavedState & { reload: () => Promise<void> } {
  const [saved, setSaved] = useState(NOTHING);
  const last = useRef(saved);
  const turn = useRef(0);
  const reload = useCallback(async () => {
    turn.current += 1;
    const own = turn.current;
    const next = await readBoth(last.current);
    // an answer older than another question would show old values for a moment
    if (own !== turn.current) return;
    last.current = next;
    setSaved(next);
  }, []);
  useEffect(() => {
    void reload();
    const timer = setInterval(() => {
      if (!document.hidden) void reload();
    }, REFRESH_MS);
    return () => {
      turn.current += 1;
      clearInterval(timer);
    };
  }, [reload]);
  return { ...saved, reload };
}
