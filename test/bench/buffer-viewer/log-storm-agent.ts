/**
 * The agent's log, link and operator with nothing behind them but a writer of lines, to be run by the desktop application in
 * the agent's place. `storm.json` in the data folder says how many lines and how fast, and how many of them at once at first.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { createAgentLog } from '../../../agent/agent-log.ts';
import { loadConfig } from '../../../agent/config/load-config.ts';
import { EXIT } from '../../../agent/contract/index.ts';
import { openParentLink } from '../../../agent/link/parent-link.ts';
import { toLogLine } from '../../../agent/operator/calls/log-calls.ts';
import { Operator } from '../../../agent/operator/operator.ts';
import type { Logger } from '../../../agent/runtime/logger.ts';

const LOOK_MS = 50;
const STEP_MS = 10;
const orderSchema = z.object({
  lines: z.number(),
  perSecond: z.number(),
  atOnce: z.number(),
  shortFields: z.number().default(0),
});

function storm(log: Logger, { lines, perSecond, atOnce, shortFields }: z.infer<typeof orderSchema>): void {
  const more = Object.fromEntries(Array.from({ length: shortFields }, (_, nth) => [`f${nth}`, `v${nth}`]));
  const beganMs = performance.now();
  let written = 0;
  const timer = setInterval(() => {
    const due = Math.min(lines, atOnce + Math.round((perSecond * (performance.now() - beganMs)) / 1_000));
    for (; written < due; written += 1) {
      log.info(`Storm line ${written}`, { role: 'CHECKSUM', nth: written, ...more });
    }
    if (written === lines) clearInterval(timer);
  }, STEP_MS);
}

const link = openParentLink({ version: '0.0.0' });
if (!link) throw new Error('The storm is run by the desktop application');
const loaded = loadConfig(process.argv.slice(2), process.env, undefined, 'token-of-a-test');
if (loaded.kind !== 'ok') throw new Error(loaded.problems.join('; '));
const { config } = loaded;
const agentLog = createAgentLog(config, (records) => link.sendLog(records.map(toLogLine)));
const { log } = agentLog;
const operator = new Operator({
  link,
  log,
  logView: agentLog.view,
  identity: {
    storageGatewayId: config.storageGatewayId,
    workerId: '',
    version: '0.0.0',
    host: 'storm',
    startedMs: Date.now(),
    dataDir: config.dataDir,
    iconikUrl: config.iconikUrl,
  },
  httpsProxy: undefined,
  first: { phase: 'waiting-for-iconik', reason: 'Only its log is looked at.', isDuplicate: false },
});
log.info('The log is open');

const orderPath = join(config.dataDir, 'storm.json');
const looking = setInterval(() => {
  if (!existsSync(orderPath)) return;
  const order = orderSchema.parse(JSON.parse(readFileSync(orderPath, 'utf8')));
  rmSync(orderPath);
  storm(log, order);
}, LOOK_MS);
link.onStop(async () => {
  clearInterval(looking);
  await operator.close();
  await agentLog.view.close();
  agentLog.close();
  process.exit(EXIT.stopped);
});
