import { contextBridge, ipcRenderer } from 'electron';
import type { BridgeEventName, CHANNELS, IsgBridge } from './contract/bridge.ts';

/** `window.isg`: the two channels of the bridge and nothing else of Electron. Main checks every call again. */

/** Written out, so that no schema library is loaded into each page; a channel or event that differs from the contract does not compile. */
const channels: typeof CHANNELS = { call: 'isg:call', event: 'isg:event' };
const EVENTS: Record<BridgeEventName, true> = { 'app-state': true, 'log-lines': true, navigate: true };

const call: IsgBridge['call'] = (name, params) => ipcRenderer.invoke(channels.call, { name, params });

const on: IsgBridge['on'] = (event, listener) => {
  if (!Object.hasOwn(EVENTS, event)) throw new Error('This event is not known.');
  let isWaiting = true;
  const onMessage = (_: unknown, name: unknown, payload: Parameters<typeof listener>[0]) => {
    if (name !== event) return;
    isWaiting = false;
    listener(payload);
  };
  ipcRenderer.on(channels.event, onMessage);
  if (event === 'app-state') {
    // the first state is asked for: it may have been sent before anybody listened
    const first = call('app.state', {});
    void first.then((result) => isWaiting && result.ok && listener(result.value as never));
  }
  return () => {
    isWaiting = false;
    ipcRenderer.off(channels.event, onMessage);
  };
};

contextBridge.exposeInMainWorld('isg', { call, on } satisfies IsgBridge);
