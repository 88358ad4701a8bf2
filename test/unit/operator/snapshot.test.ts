import { describe, expect, it } from 'vitest';
import { nodeSnapshotSchema } from '../../../agent/contract/index.ts';
import { makeCursor, readCursor } from '../../../agent/operator/calls/cursor.ts';
import { mergeMinutes } from '../../../agent/operator/figures.ts';
import { subjectOf } from '../../../agent/operator/job-subject.ts';
import { idleSnapshot, runningSnapshot } from '../../../agent/operator/snapshot.ts';
import { SnapshotFeed } from '../../../agent/operator/snapshot-feed.ts';
import { settingsWords } from '../../../agent/operator/storage-settings.ts';
import { createManualClock } from '../iconik/manual-clock.ts';
import { nodeView, OTHER_RUN, OWN_RUN, ok } from './node-view.ts';

const identity = {
  storageGatewayId: 'gw-a',
  workerId: 'worker-a',
  version: '1.0.0',
  host: 'a.local',
  startedMs: 1,
  dataDir: '/data',
  iconikUrl: 'https://app.iconik.io/',
};
const noFigures = { cluster: null, storages: new Map(), throughput: [] };
const take = (view = nodeView(), figures: Parameters<typeof runningSnapshot>[0]['figures'] = noFigures) =>
  nodeSnapshotSchema.parse(runningSnapshot({ identity, view, runId: OWN_RUN, figures, isStopping: false, atMs: 5 }));

describe('the snapshot', () => {
  it('of a node that waits says for what, and shows nothing as fine', () => {
    const idle = { phase: 'waiting-for-database', reason: 'The database is away.', isDuplicate: false } as const;
    expect(nodeSnapshotSchema.parse(idleSnapshot(identity, idle, 5))).toMatchObject({
      phase: 'waiting-for-database',
      reason: 'The database is away.',
      status: { availability: 'unavailable', reason: 'The database is away.' },
      leadership: { standing: 'unknown' },
      checks: [],
    });
  });

  it('counts running jobs against the slots of all lanes of a role', () => {
    const running = [1, 2].map((n) => ({
      jobId: String(n),
      role: 'TRANSFER' as const,
      kind: 'upload',
      progress: 1.7,
      note: '',
      payload: { path: 'a.mov' },
      startedMs: 3,
    }));
    const snapshot = take(nodeView({ running }));
    expect(snapshot.roles.find(({ role }) => role === 'TRANSFER')).toMatchObject({
      running: 2,
      limit: 7,
      state: 'working',
    });
    expect(snapshot.running[0]).toMatchObject({ subject: 'a.mov', progress: 1 });
  });

  it('says of MAIN on a follower that it waits, and of a role without its needs what is in the way', () => {
    const view = nodeView({
      workingRoles: new Set(['CHECKSUM']),
      facts: {
        ...nodeView().facts,
        checks: [
          ok('database'),
          ok('iconik'),
          { check: 'ffmpeg', status: 'warning', reason: 'No ffmpeg.', remedy: 'Install it.' },
        ],
      },
    });
    const why = new Map(take(view).roles.map((role) => [role.role, role.why]));
    expect(why.get('MAIN')).toMatch(/Another node leads/);
    expect(why.get('TRANSCODE')).toBe('No ffmpeg. Install it.');
    expect(why.get('CHECKSUM')).toBe('');
  });

  it('marks the leader among the members by the lease, not by an older read, and drops roles it does not know', () => {
    const { members } = take().cluster;
    expect(members.map(({ name, isLeader, isSelf }) => [name, isLeader, isSelf])).toEqual([
      ['node-a', false, true],
      ['node-b', true, false],
    ]);
    expect(members[0]?.roles).toEqual(['MAIN']);
  });

  it('counts its own jobs exactly, and says of others whether the count is younger than how they stand', () => {
    const job = {
      jobId: '1',
      role: 'TRANSFER' as const,
      kind: 'upload',
      progress: 0,
      note: '',
      payload: {},
      startedMs: 3,
    };
    const cluster = {
      queued: {},
      running_by_worker: { 'worker-node-a': 7, 'worker-node-b': 4 },
      last_seen_ms: {},
      started_ms: {},
      last_failures: [],
      history: [],
      failed_jobs: 0,
    };
    const told = (figures: Parameters<typeof take>[1]) =>
      take(nodeView({ running: [job] }), figures).cluster.members.map((each) => [
        each.runningJobs,
        each.areJobsCounted,
      ]);
    expect(told(noFigures)).toEqual([
      [1, true],
      [0, false],
    ]);
    const countedFor = (standing: string) => ({
      ...noFigures,
      cluster,
      countedFor: new Map([['worker-node-b', standing]]),
    });
    expect(told(countedFor(`${OTHER_RUN} available`))[1]).toEqual([4, true]);
    expect(told(countedFor(`${OTHER_RUN} draining`))[1]).toEqual([4, false]);
    expect(told(countedFor('an-earlier-run available'))[1]).toEqual([4, false]);
  });

  it('tells a node that said goodbye from one that is only seen no more', () => {
    const [self, other] = nodeView().members;
    const left = (over: object) =>
      take(nodeView({ members: [self, other].flatMap((each) => (each ? [{ ...each, ...over }] : [])) })).cluster
        .members[1];
    expect(left({ alive: false })).toMatchObject({ isAlive: false, hasLeft: false });
    expect(
      left({ alive: false, availability_status: 'unavailable', status_reason: 'It stopped answering.' }),
    ).toMatchObject({ hasLeft: false });
    expect(left({ alive: false, availability_status: 'unavailable', status_reason: 'stopped' })).toMatchObject({
      hasLeft: true,
    });
  });
});

it('a job’s subject is its file, or where its file is to go', () => {
  expect(subjectOf({ path: 'a/b.mov' })).toBe('a/b.mov');
  expect(
    subjectOf({ destinationDirectoryPath: 'in', destinationFilename: null, destinationFileSetName: 'c.mov' }),
  ).toBe('in/c.mov');
  expect(subjectOf({ destinationDirectoryPath: '', destinationFilename: 'd.mov' })).toBe('d.mov');
  for (const odd of [null, 7, [], {}, { path: 3 }]) expect(subjectOf(odd)).toBe('');
});

it('settings of a storage are shown as text, but none that may hold a secret', () => {
  const settings = {
    scan: true,
    scan_ignore: ['*.tmp', 're:/x/'],
    growing_files_threshold: 2,
    metadata_conversion_url_headers: 'Authorization: very-secret',
    setting_of_the_future: 'very-secret',
    number_of_the_future: 3,
    remote_path: undefined,
  };
  expect(settingsWords(settings)).toEqual({
    scan: 'true',
    scan_ignore: '*.tmp, re:/x/',
    growing_files_threshold: '2',
    number_of_the_future: '3',
  });
});

it('fresh minutes take the place of older figures, and only the last hour stays', () => {
  const row = (minute: number, jobs: number) => ({
    minute_ms: minute * 60_000,
    role: 'CHECKSUM' as const,
    jobs,
    bytes: 0,
  });
  const merged = mergeMinutes([row(1, 1), row(60, 2), row(61, 3)], [row(61, 4), row(62, 1)]);
  expect(merged.map(({ minute_ms, jobs }) => [minute_ms / 60_000, jobs])).toEqual([
    [60, 2],
    [61, 4],
    [62, 1],
  ]);
});

it('a cursor comes back as it was made, and anything else is refused', () => {
  const parse = (value: unknown) => (typeof value === 'object' && value !== null && 'at' in value ? value : undefined);
  expect(readCursor(makeCursor({ at: 'ä' }), parse)).toEqual({ at: 'ä' });
  expect(readCursor(null, parse)).toBeNull();
  for (const odd of ['', '%%', makeCursor({ other: 1 }), makeCursor(null)])
    expect(() => readCursor(odd, parse)).toThrow(/beginning/);
});

describe('the feed of snapshots', () => {
  const feed = () => {
    const clock = createManualClock();
    const sent: number[] = [];
    const state = { reason: 'a' };
    const runner = new SnapshotFeed({
      take: () => idleSnapshot(identity, { phase: 'set-up', reason: state.reason, isDuplicate: false }, clock.wallMs()),
      send: () => sent.push(clock.monotonicMs()),
      clock,
    });
    runner.start();
    return { clock, sent, state, runner };
  };

  it('sends what changed within a quarter of a second, and what did not every 5 s', async () => {
    const { clock, sent, state, runner } = feed();
    expect(sent).toHaveLength(1);
    for (let n = 0; n < 3; n += 1) await clock.advance(250);
    expect(sent).toHaveLength(1);
    state.reason = 'b';
    await clock.advance(250);
    expect(sent).toHaveLength(2);
    for (let n = 0; n < 20; n += 1) await clock.advance(250);
    expect(sent).toHaveLength(3);
    await runner.stop();
  });

  it('sends at most four a second, however often something changes, and at once when hurried', async () => {
    const { clock, sent, state, runner } = feed();
    for (let n = 0; n < 100; n += 1) {
      state.reason = String(n);
      await clock.advance(10);
    }
    expect(sent.length).toBeLessThanOrEqual(5);
    const before = sent.length;
    state.reason = 'now';
    runner.hurry();
    await clock.advance(0);
    expect(sent).toHaveLength(before + 1);
    await runner.stop();
    expect(sent.length).toBeLessThanOrEqual(before + 1);
  });
});
