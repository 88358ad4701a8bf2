import type { IsgBridge } from '../../preload/contract/bridge.ts';

declare global {
  interface Window {
    /** Put there by the preload script; everything the window knows of the world comes through it. */
    isg: IsgBridge;
  }
}

/** The one door to main. */
export function getBridge(): IsgBridge {
  return window.isg;
}
