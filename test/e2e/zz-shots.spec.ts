import { expect, test } from '@playwright/test';
import { makeClips } from '../demo/clips.ts';
import { openCluster } from './desktop.ts';
import { openScreen, placeVideo, untilQuiet } from './screens.ts';

test('shots', async () => {
  test.setTimeout(240_000);
  const all = await openCluster({
    nodes: [
      { name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'] },
      { name: 'node-b', roles: ['MAIN', 'TRANSFER'] },
    ],
    config: { 'max-transcoding-jobs': 3 },
    beforeStart: async (c) => {
      const cl = c.standIn.records.clusters.get(c.account.clusterId);
      if (cl) {
        cl.name = 'Post production';
        cl.settings = { max_transcoding_jobs: 4, file_upload_parallel_uploads_num: 6 };
      }
      const g = c.standIn.records.gateways.get(c.account.gatewayIds[0]);
      if (g) g.settings = { checksum_max_workers: 4 };
      await makeClips(c.mediaDir);
    },
  });
  try {
    const { page } = all.desktop;
    await untilQuiet(all.cluster, 13).catch(async () => console.log(JSON.stringify(await all.cluster.counts())));
    all.cluster.startNode('node-b');
    for (const n of [3, 4, 5]) await placeVideo(all.cluster, `dailies/Take ${n}.mp4`, 16 + n);
    await openScreen(page, 'overview');
    await expect(page.getByRole('progressbar')).toHaveCount(3, { timeout: 60_000 });
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
    await page.mouse.move(90, 700);
    const shot = (n: string) => page.screenshot({ path: `/tmp/e2ew/r-${n}.png` });
    await shot('overview');
    await openScreen(page, 'logs');
    await expect(page.getByTestId('log-line').first()).toBeVisible();
    await page.mouse.move(90, 700);
    await shot('logs');
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
    await openScreen(page, 'settings');
    await page.getByTestId('setting-max_transcoding_jobs').getByRole('button').first().click();
    await page.mouse.move(90, 700);
    await shot('settings');
  } finally {
    await all.close();
  }
});
