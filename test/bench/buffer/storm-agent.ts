/** A storm of lines through the agent's whole log; says how its main thread fared, as JSON. Arguments: data folder, lines, seconds. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createAgentLog } from '../../../agent/agent-log.ts';
import { loadConfig } from '../../../agent/config/load-config.ts';

const [dataDir = '', lines = '0', seconds = '1'] = process.argv.slice(2);
const settings = ['--app-id', 'app', '--auth-token', 'token-of-a-bench', '--storage-gateway-id', 'gateway'];
const loaded = loadConfig([...settings, '--data-dir', dataDir], {});
if (loaded.kind !== 'ok') throw new Error(loaded.problems.join('; '));
const agentLog = createAgentLog(loaded.config);

const STEP_MS = 10;
const [most, durationMs] = [Number(lines), Number(seconds) * 1_000];
const delay = monitorEventLoopDelay({ resolution: 1 });
const beganMs = performance.now();
let written = 0;
const cpuBefore = process.threadCpuUsage();
delay.enable();
const storm = setInterval(() => {
  const due = Math.min(most, Math.round((most * (performance.now() - beganMs)) / durationMs));
  for (; written < due; written += 1)
    agentLog.log.warn(`A storage does not answer, attempt ${written}`, { storageId: 'storage', attempt: written });
  if (written < most) return;
  clearInterval(storm);
  delay.disable();
  const { user, system } = process.threadCpuUsage(cpuBefore);
  const { dropped } = agentLog.logStatus();
  agentLog.close();
  const tookMs = performance.now() - beganMs;
  const droppedInAll = dropped.reduce((sum, count) => sum + count, 0);
  process.stdout.write(
    `${JSON.stringify({
      p99Ms: delay.percentile(99) / 1e6,
      mostMs: delay.max / 1e6,
      microsPerLine: (user + system) / written,
      tookMs,
      written,
      dropped: droppedInAll,
    })}\n`,
  );
  process.exit(0);
}, STEP_MS);
