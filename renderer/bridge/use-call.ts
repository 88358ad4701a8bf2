import { useCallback, useEffect, useRef, useState } from 'react';
import type { BridgeAnswer, BridgeCallName, BridgeParams } from '../../preload/contract/bridge.ts';
import { asBridgeError, type BridgeError, callBridge } from './call.ts';

/** What `useCall` knows. `data` stays while the same is read again, so that nothing jumps; `error` is of the last attempt. */
export interface CallState<Name extends BridgeCallName> {
  data: BridgeAnswer<Name> | null;
  error: BridgeError | null;
  /** True until the first answer or error for these parameters. */
  isLoading: boolean;
  /** Reads again at once. */
  reload: () => void;
}

/** How often to read again. */
export interface CallOptions {
  /** Reads again this long after each answer; not while the window is hidden. Absent = only at `reload`. */
  refreshMs?: number;
  /** Keeps showing the answer for earlier parameters until the new one comes (filters typed into a list). */
  keepPrevious?: boolean;
}

type Settled<Name extends BridgeCallName> = { key: string; data: BridgeAnswer<Name> | null; error: BridgeError | null };

/**
 * Reads by a call when shown and whenever name or parameters change (compared by value). Parameters null = do not call.
 * An answer that arrives after the parameters have changed is dropped.
 */
export function useCall<Name extends BridgeCallName>(
  name: Name,
  params: BridgeParams<Name> | null,
  { refreshMs, keepPrevious = false }: CallOptions = {},
): CallState<Name> {
  const key = params === null ? null : `${name} ${JSON.stringify(params)}`;
  const wanted = useRef(params);
  wanted.current = params;
  const [settled, setSettled] = useState<Settled<Name> | null>(null);
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((last) => last + 1), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `turn` asks for another reading of the same parameters.
  useEffect(() => {
    const now = wanted.current;
    if (key === null || now === null) return;
    let isCurrent = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async () => {
      try {
        const data = await callBridge(name, now);
        if (isCurrent) setSettled({ key, data, error: null });
      } catch (thrown) {
        const error = asBridgeError(thrown);
        if (isCurrent)
          setSettled((last) => ({ key, data: last?.key === key || keepPrevious ? (last?.data ?? null) : null, error }));
      }
      if (isCurrent && refreshMs !== undefined) timer = setTimeout(again, refreshMs);
    };
    const again = () => {
      if (document.hidden) timer = setTimeout(again, refreshMs);
      else void read();
    };
    void read();
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [name, key, refreshMs, keepPrevious, turn]);

  const isAnswered = settled !== null && settled.key === key;
  return {
    data: key !== null && (isAnswered || keepPrevious) ? (settled?.data ?? null) : null,
    error: isAnswered ? settled.error : null,
    isLoading: key !== null && !isAnswered,
    reload,
  };
}
