import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { measureViewer } from '../buffer-viewer/measure-viewer.ts';
import { startBenchServer } from '../queue/server.ts';
import { median, rounded } from '../statistics.ts';
import { type AppendFigures, appendOurs, appendPlain } from './appending.ts';
import { drain, fillOutbox, shipBesideWork } from './draining.ts';
import { shippingCost } from './shipping-cost.ts';

/** `npm run bench -- buffer`: the log's cache against one transaction per record on the same disk, and its way to the database. */

const stormRow = z.object({
  p99Ms: z.number(),
  microsPerLine: z.number(),
  mostMs: z.number(),
  dropped: z.number(),
  written: z.number(),
});

const say = (words: string) => process.stderr.write(`${words}\n`);

function middle(figures: readonly AppendFigures[]): AppendFigures {
  const of = (key: keyof AppendFigures) => median(figures.map((figure) => figure[key]));
  return { recordsPerSecond: of('recordsPerSecond'), appendP99Ms: of('appendP99Ms'), durableP99Ms: of('durableP99Ms') };
}

/** Ours and the peer in turn, on one disk; the middle of the rounds. */
async function appending(folder: string, isShort: boolean) {
  const [rounds, records] = isShort ? [1, 20_000] : [5, 500_000];
  const ours: AppendFigures[] = [];
  const plain: AppendFigures[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const place = await mkdtemp(join(folder, 'round-'));
    ours.push(await appendOurs(place, records));
    plain.push(appendPlain(place, records / 50));
    await rm(place, { recursive: true });
    say(
      `append, round ${round + 1}: ours ${rounded(ours.at(-1)?.recordsPerSecond ?? 0)}/s, plain ${rounded(plain.at(-1)?.recordsPerSecond ?? 0)}/s`,
    );
  }
  return { ours: middle(ours), plain: middle(plain) };
}

function storm(folder: string, isShort: boolean) {
  const program = fileURLToPath(new URL('./storm-agent.ts', import.meta.url));
  const [lines, seconds] = isShort ? [20_000, 2] : [1_000_000, 60];
  const text = execFileSync(process.execPath, [program, join(folder, 'storm'), String(lines), String(seconds)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return stormRow.parse(JSON.parse(text.toString()));
}

async function toDatabase(folder: string, isShort: boolean, parts: ReadonlySet<string>) {
  const server = await startBenchServer(4);
  try {
    const [backlog, spans, spanMs] = isShort ? [20_000, 1, 1_500] : [2_000_000, 6, 5_000];
    const database = await server.createDatabase('drain', true);
    const uri = `${database.direct}?sslmode=disable`;
    const fill = (name: string, records: number) => {
      fillOutbox(join(folder, name), records);
      return join(folder, name);
    };
    const drainPerSecond = parts.has('drain') ? await drain(fill('drain.db', backlog), uri, backlog) : null;
    if (drainPerSecond !== null) say(`drain: ${rounded(drainPerSecond)}/s`);
    if (!parts.has('beside')) return { drainPerSecond, beside: null, costMicros: null };
    const costMicros = await shippingCost(fill('cost.db', 100_000), database, isShort ? 2_000 : 15_000);
    say(`processor time of a shipped record: ${rounded(costMicros, 1)} µs`);
    const beside = await shipBesideWork(fill('beside.db', isShort ? 20_000 : 300_000), uri, spans, spanMs);
    say(`beside work: ${rounded(beside.share, 3)} of it, ${rounded(beside.shippedPerSecond)}/s shipped`);
    return { drainPerSecond, beside, costMicros };
  } finally {
    await server.stop();
  }
}

/** Runs all parts, or those that `only` names: append, drain, beside, storm, viewer (which needs a display and a built application). */
export async function benchBuffer({ isShort, only }: { isShort: boolean; only?: string | undefined }): Promise<object> {
  const parts = new Set(
    only?.split(',') ?? ['append', 'drain', 'beside', 'storm', ...(process.env.DISPLAY ? ['viewer'] : [])],
  );
  const folder = await mkdtemp(join(tmpdir(), 'isg-pro-bench-buffer-'));
  try {
    const append = parts.has('append') ? await appending(folder, isShort) : null;
    const shipping = parts.has('drain') || parts.has('beside') ? await toDatabase(folder, isShort, parts) : null;
    const stormy = parts.has('storm') ? storm(folder, isShort) : null;
    const viewer = parts.has('viewer') ? await measureViewer(isShort ? { lines: 100_000 } : {}) : null;
    return {
      bench: 'buffer',
      ours: {
        ...(viewer && { viewer }),
        ...(append && {
          recordsPerSecond: rounded(append.ours.recordsPerSecond),
          appendP99Ms: rounded(append.ours.appendP99Ms, 4),
          durableP99Ms: rounded(append.ours.durableP99Ms, 2),
        }),
        ...(shipping && shipping.drainPerSecond !== null && { drainPerSecond: rounded(shipping.drainPerSecond) }),
        ...(shipping?.beside && {
          workShareBesideShipping: rounded(shipping.beside.share, 3),
          shippedPerSecondBesideWork: rounded(shipping.beside.shippedPerSecond),
          processorMicrosPerShippedRecord: rounded(shipping.costMicros, 1),
        }),
        ...(stormy && {
          stormLoopP99Ms: rounded(stormy.p99Ms, 1),
          stormMicrosPerLine: rounded(stormy.microsPerLine, 1),
          stormDropped: stormy.dropped,
        }),
      },
      peers: append
        ? {
            'better-sqlite3, a transaction per record': {
              recordsPerSecond: rounded(append.plain.recordsPerSecond),
              appendP99Ms: rounded(append.plain.appendP99Ms, 3),
            },
          }
        : {},
      ratios: append
        ? { recordsVsPlain: rounded(append.ours.recordsPerSecond / append.plain.recordsPerSecond, 1) }
        : {},
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
