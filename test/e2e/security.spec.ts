import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, type Page, test } from '@playwright/test';
import fc from 'fast-check';
import { BRIDGE_CALLS, type BridgeCallName } from '../../preload/contract/bridge.ts';
import { SCREENS } from '../../renderer/state/route.ts';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { mainLog } from './main-record.ts';
import { openScreen } from './screens.ts';

// A page that has fallen into wrong hands: what it may not do, tried in the real window.

const PAGE = 'app://isg/index.html';
const PRELOAD = fileURLToPath(new URL('../../out/preload/preload.cjs', import.meta.url));
/** The same calls in every run; another number draws others. */
const FUZZ_SEED = 20_461;
const DATABASE_PASSWORD = /postgres(?:ql)?:\/\/[^:@/\s]+:[^@\s]+@/;

let open: DesktopCluster;
let page: Page;

test.beforeAll(async () => {
  open = await openCluster();
  page = open.desktop.page;
  const phase = async () => (await open.desktop.state()).snapshot?.phase;
  await expect.poll(phase, { timeout: 30_000 }).toBe('running');
});

test.afterAll(() => open.close());

/** What a call answers that no contract allows; the types of the bridge end where a hostile page begins. */
function callAnyhow(
  name: unknown,
  params: unknown,
): Promise<{ ok: boolean; error?: { code: string; message: string } }> {
  return page.evaluate(([calledName, calledParams]) => window.isg.call(calledName as never, calledParams as never), [
    name,
    params,
  ] as const);
}

const refusals = (): string[] =>
  mainLog(open.place.dataDir).flatMap(({ level, message }) => (level === 'warn' ? [message] : []));

/** The window as it has to be after every attempt: still ours, still alone, still answering. */
async function expectUntouched(): Promise<void> {
  expect(page.url().split('#')[0]).toBe(PAGE);
  // A window that was destroyed leaves the list of contents a moment later.
  const countContents = () => open.desktop.app.evaluate(({ webContents }) => webContents.getAllWebContents().length);
  await expect.poll(countContents).toBe(1);
  expect((await open.desktop.state()).agent.state).toBe('running');
}

test('the page sees two functions and nothing of Node or Electron', async () => {
  const seen = await page.evaluate(() => {
    const names = ['require', 'process', 'module', 'Buffer', 'global', 'ipcRenderer', 'electron', '__dirname'];
    const inFrame = document.createElement('iframe');
    document.body.append(inFrame);
    const frame = inFrame.contentWindow as (Window & { isg?: unknown }) | null;
    const isBridgeInFrame = frame?.isg !== undefined;
    inFrame.remove();
    return {
      globals: names.filter((name) => name in window),
      bridge: Object.keys(window.isg).toSorted(),
      isBridgeInFrame,
    };
  });
  expect(seen).toEqual({ globals: [], bridge: ['call', 'on'], isBridgeInFrame: false });
  const forged = await page.evaluate(() => {
    const attempts = [
      () => window.isg.on('isg:call' as never, () => {}),
      () => window.isg.on('constructor' as never, () => {}),
    ];
    const mayReplace = () => {
      const before: unknown = Reflect.get(window.isg, 'call');
      try {
        (window.isg as { call: unknown }).call = () => 'mine';
      } catch {
        return false;
      }
      return Reflect.get(window.isg, 'call') !== before;
    };
    const reach = (window.isg.call as unknown as { constructor: (code: string) => () => unknown }).constructor;
    const reached = (() => {
      try {
        return reach('return typeof require + typeof process')();
      } catch {
        return 'refused';
      }
    })();
    const outcomes = attempts.map((attempt) => {
      try {
        attempt();
        return 'listens';
      } catch {
        return 'refused';
      }
    });
    return { outcomes, isReplaced: mayReplace(), reached };
  });
  expect(forged).toMatchObject({ outcomes: ['refused', 'refused'], isReplaced: false });
  // the bridge's functions are of the page's own world: their constructor leads back into it
  expect(['undefinedundefined', 'refused']).toContain(forged.reached);
});

test('the window’s preferences are the strict ones, and development tools stay out of a release', async () => {
  const preferences = await open.desktop.app.evaluate(({ webContents }) => {
    const [contents] = webContents.getAllWebContents();
    // typed by no version of Electron, but there in all
    const seen = contents as unknown as { getLastWebPreferences(): Record<string, unknown> };
    return seen.getLastWebPreferences();
  });
  expect(preferences).toMatchObject({
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    webSecurity: true,
  });
  const absent = [
    'allowRunningInsecureContent',
    'experimentalFeatures',
    'webviewTag',
    'nodeIntegrationInWorker',
    'nodeIntegrationInSubFrames',
  ];
  expect(absent.filter((name) => preferences[name] === true)).toEqual([]);
  expect(preferences.enableBlinkFeatures ?? '').toBe('');
  expect(page.url().startsWith('app://')).toBe(true);
});

test('calls that the contract does not know are refused with a code', async () => {
  for (const name of ['agent.run', 'app.state ', '__proto__', 'constructor', 'isg:event', 'x'.repeat(200), 7, null]) {
    const answer = await callAnyhow(name, {});
    expect(answer.ok, String(name)).toBe(false);
    expect(answer.error?.code, String(name)).toBe('refused');
  }
  await expectUntouched();
});

test('parameters of a wrong shape are refused, and the refusal does not repeat them', async () => {
  const wrong: [string, unknown][] = [
    ['config.write', { changes: { 'app-id': 5 } }],
    ['config.write', 'secret-in-a-wrong-place'],
    ['app.copy-text', {}],
    ['app.copy-text', null],
    ['logs.read-files', { minLevel: 'info', text: 'secret-in-a-wrong-place', cursor: null, limit: 1_000_000 }],
    ['logs.read-files', { minLevel: '../../etc', text: '', cursor: null, limit: 1 }],
    ['jobs.set-priority', { jobId: '1', priority: Number.NaN }],
    ['jobs.list', { roles: ['ROOT'], states: [], storageId: null, nodeName: null, text: '', cursor: null, limit: 1 }],
  ];
  for (const [name, params] of wrong) {
    const answer = await callAnyhow(name, params);
    expect(answer.error?.code, name).toBe('refused');
    expect(answer.error?.message).not.toContain('secret-in-a-wrong-place');
  }
  const notPlain = await page.evaluate(async () => {
    const round: Record<string, unknown> = {};
    round.self = round;
    const values = [new Map([['text', 'x']]), new Date(), new Uint8Array(8), round];
    const results = values.map((params) => window.isg.call('app.copy-text', params as never).catch(() => null));
    return (await Promise.all(results)).map((result) => result === null || (!result.ok && result.error.code));
  });
  // what the border between page and preload cannot carry never arrives, which is as good
  for (const outcome of notPlain) expect([true, 'refused']).toContain(outcome);
  expect(refusals().join('\n')).not.toContain('secret-in-a-wrong-place');
  await expectUntouched();
});

test('of 400 generated calls with parameters that no contract allows, none passes', async () => {
  const values = fc.oneof(
    fc.jsonValue(),
    fc.record({ text: fc.jsonValue(), changes: fc.jsonValue(), jobId: fc.jsonValue() }),
  );
  const names = fc.oneof(fc.constantFrom(...Object.keys(BRIDGE_CALLS)), fc.string({ unit: 'binary' }));
  const isAllowed = ([name, params]: [string, unknown]) =>
    Object.hasOwn(BRIDGE_CALLS, name) && BRIDGE_CALLS[name as BridgeCallName].params.safeParse(params).success;
  const wanted = { numRuns: 400, seed: FUZZ_SEED };
  const drawn: [string, unknown][] = fc.sample(
    fc.tuple(names, values).filter((call) => !isAllowed(call)),
    wanted,
  );
  const answers = await page.evaluate((text) => {
    const calls = JSON.parse(text) as [never, never][];
    return Promise.all(calls.map(([name, params]) => window.isg.call(name, params))) as Promise<
      { ok: boolean; error?: { code: string } }[]
    >;
  }, JSON.stringify(drawn));
  const passed = drawn.filter((_, at) => answers[at]?.error?.code !== 'refused');
  expect(answers).toHaveLength(400);
  expect(passed).toEqual([]);
  await expectUntouched();
});

test('a payload of 30 MB is refused and costs the application nothing', async () => {
  const before = refusals().length;
  const outcome = await page.evaluate(async () => {
    const text = 'x'.repeat(30_000_000);
    const calls = [
      window.isg.call('app.copy-text', { text }),
      window.isg.call('app.export-text', { suggestedName: 'a.txt', text }),
      window.isg.call('app.state', { [text]: 1 } as never),
      window.isg.call('app.copy-text', { text: Array.from({ length: 400 }, () => text.slice(0, 75_000)) } as never),
    ];
    return (await Promise.all(calls)).map((result) => (result.ok ? 'taken' : result.error.code));
  });
  expect(outcome).toEqual(['refused', 'refused', 'refused', 'refused']);
  const since = refusals().slice(before);
  expect(since.filter((message) => message.includes('too large')).length).toBe(4);
  await expectUntouched();
});

test('another window with the same preload script is not listened to', async () => {
  const answer = await open.desktop.app.evaluate(
    async ({ BrowserWindow }, { preload, url }) => {
      const forged = new BrowserWindow({ show: false, webPreferences: { preload, sandbox: true } });
      try {
        await forged.loadURL(url);
        return await forged.webContents.executeJavaScript('isg.call("config.read", {})');
      } finally {
        forged.destroy();
      }
    },
    { preload: PRELOAD, url: PAGE },
  );
  expect(answer).toMatchObject({ ok: false, error: { code: 'refused' } });
  await expectUntouched();
});

test('every permission is denied', async () => {
  const answers = await page.evaluate(async () => {
    const codeOf = (thrown: unknown) => (thrown instanceof DOMException ? thrown.name : String(thrown));
    const place = new Promise<string>((resolve) => {
      navigator.geolocation.getCurrentPosition(
        () => resolve('granted'),
        ({ code, PERMISSION_DENIED }) => resolve(code === PERMISSION_DENIED ? 'denied' : 'failed'),
      );
    });
    const media = navigator.mediaDevices.getUserMedia({ audio: true, video: true }).then(() => 'granted', codeOf);
    const screen = navigator.mediaDevices.getDisplayMedia({ video: true }).then(() => 'granted', codeOf);
    const clipboard = navigator.clipboard.readText().then(() => 'granted', codeOf);
    const names = [
      'geolocation',
      'notifications',
      'camera',
      'microphone',
      'clipboard-read',
      'midi',
      'persistent-storage',
    ];
    const states = names.map((name) => navigator.permissions.query({ name: name as PermissionName }));
    return {
      states: (await Promise.all(states)).map(({ state }) => state),
      notification: await Notification.requestPermission(),
      place: await place,
      media: await media,
      screen: await screen,
      clipboard: await clipboard,
    };
  });
  expect([...new Set(answers.states)]).toEqual(['denied']);
  expect(answers.notification).toBe('denied');
  expect(answers.place).toBe('denied');
  // a machine without camera and microphone says so before anybody is asked
  expect(['NotAllowedError', 'NotFoundError']).toContain(answers.media);
  expect(answers.clipboard).toBe('NotAllowedError');
  expect(answers.screen).not.toBe('granted');
  expect(refusals().some((message) => message.includes('asked for a permission'))).toBe(true);
});

test('the policy of the page blocks inline scripts, eval, foreign scripts and the network', async () => {
  const outcome = await page.evaluate(async () => {
    const blocked: string[] = [];
    const isNetworkBlocked = new Promise<void>((resolve) => {
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
        blocked.push(effectiveDirective);
        if (effectiveDirective === 'connect-src') resolve();
      });
    });
    const marks = window as unknown as Record<string, unknown>;
    const inline = document.createElement('script');
    inline.textContent = 'window.inlineRan = true';
    const foreign = document.createElement('script');
    foreign.src = 'https://example.invalid/x.js';
    const data = document.createElement('script');
    data.src = 'data:text/javascript,window.dataRan = true';
    const button = document.createElement('button');
    button.setAttribute('onclick', 'window.handlerRan = true');
    document.body.append(inline, foreign, data, button);
    button.click();
    // outside of the debugger's own evaluation, for which the policy does not count
    const evaluated = await new Promise<string>((resolve) => {
      setTimeout(() => {
        try {
          const evaluate = Reflect.get(globalThis, 'eval') as (text: string) => unknown;
          resolve(String(evaluate('1 + 1')));
        } catch (thrown) {
          resolve(thrown instanceof EvalError ? 'refused' : String(thrown));
        }
      });
    });
    const fetched = await fetch('https://example.invalid/').then(
      () => 'fetched',
      () => 'refused',
    );
    const own = await fetch('app://isg/index.html').then(
      () => 'fetched',
      () => 'refused',
    );
    for (const element of [inline, foreign, data, button]) element.remove();
    await isNetworkBlocked;
    return {
      evaluated,
      fetched,
      own,
      ran: ['inlineRan', 'dataRan', 'handlerRan'].filter((name) => name in marks),
      blocked: [...new Set(blocked)].toSorted(),
    };
  });
  expect(outcome).toMatchObject({ evaluated: 'refused', fetched: 'refused', own: 'refused', ran: [] });
  expect(outcome.blocked).toEqual(expect.arrayContaining(['connect-src', 'script-src-attr', 'script-src-elem']));
  const policy = await open.desktop.app.evaluate(async ({ session }, url) => {
    const response = await session.defaultSession.fetch(url);
    return response.headers.get('content-security-policy');
  }, PAGE);
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
});

test('the page’s address serves the built files and nothing else', async () => {
  const addresses = [
    'app://isg/../main/main.js',
    'app://isg/%2e%2e/main/main.js',
    'app://isg/..%2fmain%2fmain.js',
    'app://isg/%2e%2e%2f%2e%2e%2fpackage.json',
    'app://isg/..%5c..%5cpackage.json',
    'app://isg/assets/../../main/main.js',
    'app://isg//etc/passwd',
    'app://isg/%00index.html',
    'app://isg/index.html%00.js',
    'app://isg/',
    'app://other/index.html',
    'app://isg/.git/config',
  ];
  const statuses = await open.desktop.app.evaluate(
    async ({ session }, urls) => {
      const status = async (url: string) => {
        const answer = await session.defaultSession.fetch(url).catch(() => null);
        return answer === null ? 0 : answer.status;
      };
      return Promise.all(urls.map(status));
    },
    [PAGE, ...addresses],
  );
  expect(statuses[0]).toBe(200);
  expect(statuses.slice(1).filter((status) => status !== 404 && status !== 0)).toEqual([]);
  const loaded = await page.evaluate(
    (urls) =>
      Promise.all(
        urls.map((url) => {
          const script = document.createElement('script');
          script.src = url;
          const outcome = new Promise<string>((resolve) => {
            script.onload = () => resolve(`loaded ${url}`);
            script.onerror = () => resolve('refused');
          });
          document.body.append(script);
          return outcome.finally(() => script.remove());
        }),
      ),
    addresses,
  );
  expect([...new Set(loaded)]).toEqual(['refused']);
});

test('the account’s token and the database’s password reach neither the page nor a log', async () => {
  const { authToken } = open.cluster.standIn;
  expect(readFileSync(open.place.configPath, 'utf8'), 'the file has it').toContain(authToken);
  const answers = await page.evaluate(async () => {
    const paging = { cursor: null, limit: 500 };
    const lines = { ...paging, minLevel: 'debug' as const, text: '' };
    return JSON.stringify(
      await Promise.all([
        window.isg.call('app.state', {}),
        window.isg.call('config.read', {}),
        window.isg.call('settings.read', {}),
        window.isg.call('logs.read', { ...lines, storageId: null, fromMs: null, toMs: null }),
        window.isg.call('logs.read-files', lines),
      ]),
    );
  });
  expect(answers).toContain('"key":"auth-token","value":null,"isSecret":true,"isSet":true');
  const shown: string[] = [answers];
  for (const screen of SCREENS) {
    await openScreen(page, screen);
    shown.push(await page.evaluate(() => document.documentElement.outerHTML));
  }
  // a value is shown in a field, not in the page's text
  const fields = await page.evaluate(() =>
    [...document.querySelectorAll('input')].map(({ value }) => value).join('\n'),
  );
  const stored = await page.evaluate(() =>
    JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), document.cookie]),
  );
  const folder = join(open.place.dataDir, 'logs');
  const logs = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  const everything = [...shown, fields, stored, ...logs].join('\n');
  expect(everything.includes(authToken), 'the token').toBe(false);
  expect(DATABASE_PASSWORD.exec(everything), 'the password').toBeNull();
  // nor by a part of a call's failure
  const refused = await callAnyhow('config.write', { changes: { 'auth-token': `${authToken} with spaces` } });
  expect(JSON.stringify(refused)).not.toContain(authToken);
});

// Last, because Playwright goes on waiting for the navigations that were refused before it clicks anything.
test('the page cannot go elsewhere, nor open or hold another page', async () => {
  const before = refusals().length;
  await page.evaluate(() => {
    document.body.dataset.mark = 'same document';
  });
  for (const url of [
    'https://example.invalid/',
    'file:///etc/passwd',
    'data:text/html,other',
    'javascript:document.title="x"',
  ]) {
    await page.evaluate((target) => {
      location.href = target;
    }, url);
    await page.evaluate((target) => {
      const link = document.createElement('a');
      link.href = target;
      document.body.append(link);
      link.click();
      link.target = '_blank';
      link.click();
      link.remove();
    }, url);
    const opened = await page.evaluate((target) => window.open(target) === null, url);
    expect(opened, url).toBe(true);
    await expectUntouched();
  }
  const form = page.evaluate(() => {
    const made = document.createElement('form');
    made.action = 'https://example.invalid/';
    made.method = 'post';
    document.body.append(made);
    made.submit();
    made.remove();
    const frame = document.createElement('iframe');
    frame.src = 'https://example.invalid/';
    document.body.append(frame);
    return new Promise<string>((resolve) => {
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => resolve(effectiveDirective));
    }).finally(() => frame.remove());
  });
  expect(['form-action', 'frame-src']).toContain(await form);
  await expect.poll(() => refusals().slice(before).join('\n')).toMatch(/a page tried to (load a|go to another) page/);
  expect(refusals().slice(before).join('\n')).toContain('a page tried to open a window');
  expect(await page.evaluate(() => document.body.dataset.mark), 'it was not even loaded anew').toBe('same document');
  await expectUntouched();
});
