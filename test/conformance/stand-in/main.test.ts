import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';

test('the program prints its account first, serves the mount point, and ends on SIGTERM', async () => {
  const mount = mkdtempSync(join(tmpdir(), 'stand-in-mount-'));
  const main = join(import.meta.dirname, '../../stand-in/main.ts');
  const child = spawn(process.execPath, [main, '--port', '0', '--mount', mount], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const exited = once(child, 'exit');
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const account = JSON.parse(line) as Record<string, string>;
    expect(Object.keys(account)).toEqual(['url', 'appId', 'authToken', 'clusterId', 'storageGatewayId', 'storageId']);
    const headers = { 'app-id': account.appId ?? '', 'auth-token': account.authToken ?? '' };
    const get = async (path: string) => (await fetch(`${account.url}/API/files/v1/${path}/`, { headers })).json();
    expect(await get(`storages/${account.storageId}`)).toMatchObject({
      method: 'FILE',
      settings: { mount_point: mount, scan: true, scan_interval_seconds: 1, growing_files_threshold: 2, delete: true },
    });
    expect(await get(`storage_gateway_clusters/${account.clusterId}`)).toMatchObject({
      db_connection_uri: '',
      storage_ids: [account.storageId],
    });
    const gateway = await get(`storage_gateways/${account.storageGatewayId}`);
    expect(gateway).toMatchObject({
      roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'],
      cluster_id: account.clusterId,
      enabled: true,
    });
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
    rmSync(mount, { recursive: true, force: true });
  }
});
