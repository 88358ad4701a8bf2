import { useEffect, useRef } from 'react';
import type { BridgeEvent, BridgeEventName } from '../../preload/contract/bridge.ts';
import { getBridge } from './bridge.ts';

/** Calls the newest `listener` at each event while the component is shown. */
export function useBridgeEvent<Name extends BridgeEventName>(
  event: Name,
  listener: (payload: BridgeEvent<Name>) => void,
): void {
  const newest = useRef(listener);
  useEffect(() => {
    newest.current = listener;
  });
  useEffect(() => getBridge().on(event, (payload) => newest.current(payload)), [event]);
}
