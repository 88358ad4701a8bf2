import { mkdirSync } from 'node:fs';
import { test, expect } from '@playwright/test';
import { openCluster } from './desktop.ts';
import { makeOddFiles, makeAudio, makeDropFrame, makeStills } from '../demo/clips.ts';
test('probe', async () => {
  const t0 = Date.now();
  const all = await openCluster({ beforeStart: async (c) => { await makeAudio(c.mediaDir); await makeDropFrame(c.mediaDir); await makeStills(c.mediaDir); await makeOddFiles(c.mediaDir); } });
  console.log('open', Date.now() - t0);
  const { cluster, desktop } = all;
  try {
  await expect.poll(async () => (await cluster.hasSchema()) && JSON.stringify(await cluster.counts())).toContain('"ingested":');
  for (let i = 0; i < 8; i++) { await new Promise((r) => setTimeout(r, 1500)); console.log(Date.now() - t0, JSON.stringify(await cluster.counts())); }
  const s = await desktop.state();
  console.log(JSON.stringify(s.snapshot, null, 1).slice(0, 9000));
  console.log(desktop.app.process().pid);
  mkdirSync('/tmp/e2ew', { recursive: true });
  for (const x of ['overview','cluster','jobs','storages','logs','settings','diagnostics']) { await desktop.page.evaluate((h) => { location.hash = '#/' + h; }, x); await new Promise((r) => setTimeout(r, 600)); await desktop.page.screenshot({ path: `/tmp/e2ew/${x}.png` }); }
  console.log(await desktop.page.evaluate(() => [innerWidth, innerHeight, devicePixelRatio]));
  } finally { await all.close(); }
});
