import { readFileSync } from 'node:fs';
import { openArena } from './failover/arena.ts';
import { runEpisode, startNodes } from './failover/episodes.ts';
import { machineMs } from '../../agent/runtime/history.ts';
const arena = await openArena();
try {
  await startNodes(arena);
  for (let i = 0; i < 5; i++) {
    const t0 = machineMs();
    const gap = await runEpisode(arena, (process.argv[2] ?? 'graceful') as never);
    console.log('GAP', Math.round(gap));
    const lines = readFileSync(arena.historyPath, 'utf8').trim().split('\n').map((l) => JSON.parse(l)).filter((e) => e.atMs >= t0 - 5 && e.atMs <= t0 + gap + 60);
    let reads = 0;
    for (const e of lines) {
      if (e.kind === 'lease-read' && !e.released) { reads++; continue; }
      if (e.kind === 'loop-alive') continue;
      console.log(`${Math.round(e.atMs - t0)}`.padStart(6), e.node, e.kind, e.startMs ? `(${Math.round(e.atMs - e.startMs)})` : '', e.term ?? '', e.work ?? e.what ?? '', e.released ?? e.passed ?? e.accepted ?? '');
    }
  }
} finally { await arena.close(); }
process.exit(0);
