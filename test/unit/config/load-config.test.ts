import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type ConfigHost, loadConfig } from '../../../agent/config/load-config.ts';
import { defaultConfigPath, defaultDataDir } from '../../../agent/config/locations.ts';

const LINUX = '/etc/iconik/iconik_storage_gateway/config.ini';
const MINIMAL = '[main]\napp-id=app\nauth-token=token-value-1\nstorage-gateway-id=gw\n';

function hostWith(files: Record<string, string>, env: Record<string, string> = {}): ConfigHost {
  return { platform: 'linux', isService: true, homeDir: '/home/ann', env, readText: (path) => files[path] ?? null };
}
const load = (text: string, argv: string[] = [], env: Record<string, string> = {}) =>
  loadConfig(argv, env, hostWith({ [LINUX]: text }, env));

function loaded(text: string, argv: string[] = [], env: Record<string, string> = {}) {
  const result = load(text, argv, env);
  if (result.kind === 'invalid') throw new Error(result.problems.join('\n'));
  return result;
}
function problemsOf(text: string, argv: string[] = []): string[] {
  const result = load(text, argv);
  return result.kind === 'invalid' ? result.problems : [];
}

describe('loadConfig', () => {
  it('fills in the documented defaults', () => {
    const { config, warnings } = loaded(MINIMAL);
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      iconikUrl: 'https://app.iconik.io/',
      appId: 'app',
      storageGatewayId: 'gw',
      proxyResolution: { width: 1280, height: 720 },
      proxyBitrate: 3_000_000,
      imageProxyResolution: { width: 2048, height: 2048 },
      tunables: {},
      leaderTtlMs: 3000,
      leaderRenewMs: 750,
      leaderMarginMs: 750,
      heartbeatLapseMs: 6000,
      iconikRequestsPerSecond: 45,
      iconikSettleMs: 15_000,
      priorityOrder: 'larger-first',
      logLevel: 'info',
      dataDir: '/var/lib/isg-pro',
      configPath: LINUX,
      noWait: false,
    });
    expect(config.authToken.reveal()).toBe('token-value-1');
  });

  it('never shows a secret by accident', () => {
    const { config } = loaded(`${MINIMAL}db_connection_uri=postgresql://isg:hunter22@db/isg`);
    const shown = `${JSON.stringify(config)} ${inspect(config, { depth: 9 })} ${String(config.authToken)} ${String(config.dbConnectionUri)}`;
    expect(shown).not.toContain('hunter22');
    expect(shown).not.toContain('token-value-1');
    expect(config.dbConnectionUri?.reveal()).toBe('postgresql://isg:hunter22@db/isg');
  });

  it('lets flags win over the file, in both spellings', () => {
    const { config } = loaded(MINIMAL, [
      '--app-id',
      'other',
      '--iconik-url=http://127.0.0.1:8080',
      '--no-wait',
      '--data-dir=/data',
    ]);
    expect(config).toMatchObject({
      appId: 'other',
      iconikUrl: 'http://127.0.0.1:8080/',
      noWait: true,
      dataDir: '/data',
    });
  });

  it('needs no file when the flags say everything', () => {
    const argv = ['--app-id=a', '--auth-token=b', '--storage-gateway-id=c'];
    const result = loadConfig(argv, {}, hostWith({}));
    expect(result).toMatchObject({ kind: 'ok', config: { configPath: undefined, appId: 'a' } });
  });

  it('tells all problems at once, each with its line or flag and the allowed range', () => {
    const problems = problemsOf(
      `[main]\napp-id=a\nproxy-resolution=100x100\nmax-transcoding-jobs=0\nleader_ttl_ms=soon\nvisibility_timeout=60\nlog-level=loud\n`,
      ['--nonsense', '--iconik-url=ftp://x'],
    );
    const all = problems.join('\n');
    expect(problems).toHaveLength(9);
    expect(all).toMatch(/unknown flag --nonsense/);
    expect(all).toMatch(/--iconik-url: iconik-url must be a URL/);
    expect(all).toMatch(/line 3: proxy-resolution .*640x360 to 1920x1080/);
    expect(all).toMatch(/line 4: max-transcoding-jobs .*1 to 64/);
    expect(all).toMatch(/line 5: leader-ttl-ms must be a whole number/);
    expect(all).toMatch(/line 6: visibility-timeout may not stand in config.ini.*cluster/);
    expect(all).toMatch(/line 7: log-level/);
    expect(all).toMatch(/auth-token is missing/);
    expect(all).toMatch(/storage-gateway-id is missing/);
  });

  it('never repeats a value in a problem', () => {
    const problems = problemsOf('[main]\napp-id=a b secret\nauth-token=tok en\nproxy-bitrate=hunter22\n', [
      '--auth-token',
      'x y',
    ]);
    expect(problems.join()).not.toMatch(/secret|tok en|hunter22|x y/);
  });

  it('checks the relation of the leader’s times and names it', () => {
    const problems = problemsOf(`${MINIMAL}leader-ttl-ms=2000\n`);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(
      /leader-ttl-ms \(2000\) must be more than 2 × leader-renew-ms \+ leader-margin-ms \(2250\)/,
    );
  });

  it('keeps unknown keys and the standalone gateway’s, with a warning each', () => {
    const { warnings } = loaded(`${MINIMAL}storage-id=7\nfuture-key=1\nuse-packaged-imagemagick=false\n`);
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).toMatch(/unknown key "future-key"/);
  });

  it('takes an empty value as not set', () => {
    expect(loaded(`${MINIMAL}proxy-bitrate=\nffmpeg-path=\n`).config).toMatchObject({
      proxyBitrate: 3_000_000,
      ffmpegPath: undefined,
    });
    expect(problemsOf(MINIMAL.replace('app-id=app', 'app-id='))).toHaveLength(1);
  });

  it('holds exactly the tunables that the file says, under iconik’s names', () => {
    const { config } = loaded(`${MINIMAL}max_transcoding_jobs=3\nfile-upload-parallel-uploads-num=9\n`);
    expect(config.tunables).toEqual({ max_transcoding_jobs: 3, file_upload_parallel_uploads_num: 9 });
  });

  it('listens for other gateways only where it is told to, with the vendor’s port and a certificate', () => {
    expect(loaded(MINIMAL).config).toMatchObject({ directTransfer: undefined, directTransferCa: undefined });
    const files = 'direct-transfer-certificate=/c.pem\ndirect-transfer-key=/k.pem\n';
    const at = (address: string) =>
      loaded(`${MINIMAL}${files}direct-transfer-address=${address}\n`).config.directTransfer;
    const pair = { certificateFile: '/c.pem', keyFile: '/k.pem' };
    expect(at('10.1.2.3')).toEqual({ host: '10.1.2.3', port: 8443, ...pair });
    expect(at('gateway.lan:9000')).toEqual({ host: 'gateway.lan', port: 9000, ...pair });
    expect(at('[fe80::1]:9000')).toEqual({ host: 'fe80::1', port: 9000, ...pair });
    expect(at(':8443')).toEqual({ host: '', port: 8443, ...pair });
    // A certificate without an address opens nothing.
    expect(loaded(MINIMAL + files).config.directTransfer).toBeUndefined();
    for (const address of ['https://10.1.2.3:8443', '10.1.2.3:0', '10.1.2.3:70000', 'fe80::1', 'a b'])
      expect(problemsOf(`${MINIMAL}${files}direct-transfer-address=${address}\n`)).toHaveLength(1);
    expect(problemsOf(`${MINIMAL}direct-transfer-address=:8443\n`)).toEqual([
      expect.stringContaining('needs direct-transfer-certificate and direct-transfer-key'),
    ]);
  });

  it('takes the proxy from the environment unless the file names one', () => {
    const env = { HTTPS_PROXY: 'http://env:3128' };
    expect(loaded(MINIMAL, [], env).config.httpsProxy).toBe('http://env:3128');
    expect(loaded(`${MINIMAL}https-proxy=http://file:1\n`, [], env).config.httpsProxy).toBe('http://file:1/');
    expect(loaded(MINIMAL, [], { HTTPS_PROXY: 'nonsense' }).config.httpsProxy).toBeUndefined();
  });

  it('says that a named file is missing, and nothing else', () => {
    const result = loadConfig(['--config', '/no/such.ini'], {}, hostWith({}));
    expect(result).toEqual({ kind: 'invalid', problems: ['/no/such.ini: there is no such file'] });
  });

  it('warns when a token would travel in the clear', () => {
    expect(loaded(`${MINIMAL}iconik-url=http://iconik.example\n`).warnings.join()).toMatch(/not https/);
  });

  it.each([
    ['--config', /--config needs a value/],
    ['--config=', /--config needs a value/],
    ['--doctor=yes', /--doctor takes no value/],
    ['stray', /argument 1 is not a flag/],
  ])('refuses the command line %s', (argument, words) => {
    expect(problemsOf(MINIMAL, [argument])[0]).toMatch(words);
  });
});

describe('default locations', () => {
  it('are the vendor’s for config.ini and ours for data', () => {
    const host = (platform: NodeJS.Platform, isService: boolean) => ({
      platform,
      isService,
      homeDir: '/home/ann',
      env: {},
    });
    expect(defaultConfigPath(host('darwin', true))).toBe(
      '/Library/Application Support/Cantemo/IconikStorageGateway/config.ini',
    );
    expect(defaultConfigPath(host('win32', true))).toBe(
      'C:\\Program Files\\Cantemo\\Iconik Storage Gateway\\config.ini',
    );
    expect(defaultDataDir(host('linux', false))).toBe('/home/ann/.local/share/isg-pro');
    expect(defaultDataDir(host('darwin', true))).toBe('/Library/Application Support/ISG Pro');
    expect(defaultDataDir(host('darwin', false))).toBe('/home/ann/Library/Application Support/ISG Pro');
    expect(defaultDataDir(host('win32', true))).toBe('C:\\ProgramData\\ISG Pro');
  });
});
