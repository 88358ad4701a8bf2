import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadConfig } from '../../../agent/config/load-config.ts';
import { diagnosisSchema } from '../../../agent/contract/index.ts';
import { type BundleOrder, makeBundle } from '../../../agent/doctor/support-bundle/make-bundle.ts';

const TOKEN = 'tok-5f1d2c3b4a596877';
const PASSWORD = 'pw/9:Geheim%1';
const PLANTED = [TOKEN, PASSWORD, encodeURIComponent(PASSWORD), 'SIGNATURE77', 'proxypw55', 'BEARER66abcdef'];

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-bundle-'));
  mkdirSync(join(dir, 'data', 'logs'), { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const log = (name: string, text: string) => writeFileSync(join(dir, 'data', 'logs', name), text);

/** A node whose iconik does not answer; `broken` makes its configuration unusable, which looks at nothing outside. */
function order(over: Partial<BundleOrder> = {}, { broken = false } = {}): BundleOrder {
  const configPath = join(dir, 'config.ini');
  const text = [
    '[main]',
    'iconik-url = http://127.0.0.1:9/',
    'app-id = app-1',
    `auth-token = ${TOKEN}`,
    'storage-gateway-id = gw-1',
    `db-connection-uri = postgresql://isg:${encodeURIComponent(PASSWORD)}@db.example/isg`,
    'https-proxy = http://me:proxypw55@127.0.0.1:9',
    ...(broken ? ['leader-ttl-ms = soon'] : []),
  ].join('\n');
  writeFileSync(configPath, text);
  const dataDir = join(dir, 'data');
  return {
    loaded: loadConfig(['--config', configPath, '--data-dir', dataDir], {}),
    configPath,
    dataDir,
    configText: () => readFileSync(configPath, 'utf8'),
    file: join(dir, 'out.zip'),
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...over,
  };
}

const READ = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as bundle:
    assert bundle.testzip() is None
    print(json.dumps({i.filename: bundle.read(i).decode() for i in bundle.infolist()}))`;

/** The entries of a zip with their texts, by a reader that is not ours. */
function entriesOf(file: string): Record<string, string> {
  const text = execFileSync('python3', ['-c', READ, file], { encoding: 'utf8', maxBuffer: 500_000_000 });
  return z.record(z.string(), z.string()).parse(JSON.parse(text));
}

describe('a support bundle', () => {
  it('holds what helps, and no secret of configuration, logs or state', async () => {
    const lines = [
      `connecting to postgresql://isg:${encodeURIComponent(PASSWORD)}@db.example/isg`,
      `the server refused "${PASSWORD}"`,
      'PUT https://store.example/bucket/key?X-Amz-Signature=SIGNATURE77&X-Amz-Date=1 answered 403',
      'authorization: Bearer BEARER66abcdef',
      'scan of NAS ended: 48,429 files',
    ];
    log('agent.log', `${lines.join('\n')}\n`);
    log('main.log', `Auth-Token: ${TOKEN}\n`);
    const appState = join(dir, 'state.json');
    writeFileSync(appState, JSON.stringify({ agent: { lastWords: [`token ${TOKEN}`] }, versions: { electron: '45' } }));
    const doings: string[] = [];
    const shares: number[] = [];
    await makeBundle(
      order({
        appState,
        onProgress: ({ doing, share }) => {
          doings.push(doing);
          shares.push(share);
        },
      }),
    );
    const entries = entriesOf(join(dir, 'out.zip'));
    const wanted = 'about.txt doctor.txt doctor.json config.ini settings.json iconik.json cluster.json app-state.json';
    const names = [
      ...wanted.split(' '),
      'versions.json',
      'data-folder.txt',
      'logs/agent.log',
      'logs/main.log',
      'logs.txt',
    ];
    expect(Object.keys(entries).toSorted()).toEqual(names.toSorted());
    for (const [name, text] of Object.entries(entries)) {
      for (const secret of PLANTED) expect(text.includes(secret), `${secret} in ${name}`).toBe(false);
    }
    expect(entries['logs/agent.log']).toContain('scan of NAS ended: 48,429 files');
    expect(entries['logs/agent.log']).toContain('https://store.example/bucket/key?*** answered 403');
    expect(diagnosisSchema.parse(JSON.parse(entries['doctor.json'] ?? '')).findings[0]?.code).toMatch(/^iconik-/);
    expect(entries['settings.json']).toContain('"wonBy": "default"');
    expect(entries['versions.json']).toContain(process.versions.node);
    expect(entries['data-folder.txt']).toContain('logs/agent.log');
    expect(statSync(join(dir, 'out.zip')).mode & 0o077).toBe(0);
    expect(doings[0]).toBe('Looking for what is wrong');
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  });

  it('of a node with a wrong configuration says so, and keeps its secrets all the same', async () => {
    log('agent.log', `token ${TOKEN}, password ${PASSWORD}\n`);
    await makeBundle(order({}, { broken: true }));
    const entries = entriesOf(join(dir, 'out.zip'));
    expect(diagnosisSchema.parse(JSON.parse(entries['doctor.json'] ?? '')).findings[0]?.code).toBe('config-invalid');
    expect(entries['config.ini']).toContain('leader-ttl-ms = soon');
    for (const text of Object.values(entries)) for (const secret of PLANTED) expect(text).not.toContain(secret);
  });

  it('takes the newest end of huge logs from a whole line on, and lists one that cannot be read', async () => {
    log('agent.log', `${TOKEN} first\n${'x'.repeat(90)}\n`.repeat(2_000));
    log('agent.1.log', 'old\n'.repeat(10));
    utimesSync(join(dir, 'data', 'logs', 'agent.1.log'), 1, 1);
    symlinkSync(join(dir, 'nowhere'), join(dir, 'data', 'logs', 'agent.2.log'));
    await makeBundle(order({ limits: { totalBytes: 1_000, fileBytes: 1_000 } }, { broken: true }));
    const entries = entriesOf(join(dir, 'out.zip'));
    const text = entries['logs/agent.log'] ?? '';
    expect(text.length).toBeGreaterThan(500);
    expect(text.length).toBeLessThanOrEqual(1_000);
    expect(text).toMatch(/^(\*\*\* first|x{90})\n/);
    expect(entries['logs.txt']).toMatch(/agent\.2\.log: not: ENOENT/);
    expect(entries['logs.txt']).toMatch(/agent\.1\.log: not: no log, or no room/);
    expect(entries['logs/agent.1.log']).toBeUndefined();
  });
});

describe('a support bundle that cannot be finished', () => {
  const whatIsLeft = () => readdirSync(dir).filter((name) => name.startsWith('out.zip'));

  it('says in words that the disk is full, leaves nothing, and keeps the file that was there', async () => {
    const file = join(dir, 'out.zip');
    writeFileSync(file, 'an earlier one');
    /** A disk with room for a hundred bytes: the file is there, and begins to fill. */
    const open = (path: string) => {
      writeFileSync(path, 'PK');
      let room = 100;
      return new Writable({
        write: (chunk: Buffer, _, done) => {
          room -= chunk.length;
          done(room < 0 ? Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }) : null);
        },
      });
    };
    const made = makeBundle(order({ open }, { broken: true }));
    await expect(made).rejects.toThrow(/was not written: there is no room left on the disk.* Nothing was left behind/);
    expect(whatIsLeft()).toEqual(['out.zip']);
    expect(readFileSync(file, 'utf8')).toBe('an earlier one');
  });

  it('says that the folder is not there', async () => {
    const made = makeBundle(order({ file: join(dir, 'gone', 'out.zip') }, { broken: true }));
    await expect(made).rejects.toThrow(/there is no such folder/);
  });

  it('leaves nothing when it is cancelled half-way', async () => {
    log('agent.log', 'line\n'.repeat(1_000));
    const stop = new AbortController();
    const onProgress = ({ doing }: { doing: string }) => {
      if (doing === 'Packing logs/agent.log') stop.abort();
    };
    await expect(makeBundle(order({ signal: stop.signal, onProgress }, { broken: true }))).rejects.toThrow(/abort/i);
    expect(whatIsLeft()).toEqual([]);
    expect(existsSync(join(dir, 'out.zip.part'))).toBe(false);
  });
});
