import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from '../../../renderer/App.tsx';
import { createFakeBridge } from '../../support/fake-bridge.ts';
import { SCENES, type Scene, sceneState } from '../../support/fake-bridge-scenes.ts';
import { LOG_SCENES } from './log-scenes.ts';

/**
 * The real window over the fake bridge, for looking: `?scene=problems#/cluster`. With `&still` time-dependent data are
 * sent once; otherwise a fresh state comes every second, as from a living agent. `&log=odd` plays a log of log-scenes.ts.
 */
const query = new URLSearchParams(window.location.search);
const asked = query.get('scene') ?? 'calm';
const scene: Scene = SCENES.find((name) => name === asked) ?? 'calm';
const bridge = createFakeBridge(scene, { handlers: LOG_SCENES[query.get('log') ?? ''] ?? {} });
window.isg = bridge;
if (!query.has('still')) {
  const openedMs = Date.now();
  setInterval(() => {
    const first = sceneState(scene, openedMs);
    if (first?.snapshot && first.agent.state === 'running') {
      bridge.emit('app-state', { ...first, snapshot: { ...first.snapshot, atMs: Date.now() } });
    }
  }, 1000);
}
const root = document.getElementById('root');
if (root) createRoot(root).render(createElement(App));
