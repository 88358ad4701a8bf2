/** `npm run stand-in -- --port N [--mount DIR]`: the stand-in alone, with one account. Its first line says how to reach it. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROLES } from '../../agent/contract/index.ts';
import { createStandIn } from './stand-in.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, mount: { type: 'string' } } });
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  process.stderr.write(`--port must be a port number, not "${values.port}"\n`);
  process.exit(2);
}
const dataDir = mkdtempSync(join(tmpdir(), 'isg-pro-stand-in-'));
const mountPoint = resolve(values.mount ?? join(dataDir, 'media'));
mkdirSync(mountPoint, { recursive: true });

const standIn = await createStandIn({ port, dataDir });
const seeded = standIn.seed({
  storages: [{ name: 'media', mountPoint }],
  gateways: [{ name: 'node', roles: [...ROLES] }],
});
const { url, appId, authToken } = standIn;
const [storageGatewayId] = seeded.gatewayIds;
const [storageId] = seeded.storageIds;
process.stdout.write(
  `${JSON.stringify({ url, appId, authToken, clusterId: seeded.clusterId, storageGatewayId, storageId })}\n`,
);
process.stdout.write(`Serving ${mountPoint}; stop with Ctrl-C.\n`);

let isStopping = false;
async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await standIn.close();
  rmSync(dataDir, { recursive: true, force: true });
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop());
