import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerAppRequest } from '../../../main/windows/app-files.ts';

let dir: string;
let folder: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-pages-'));
  folder = join(dir, 'renderer');
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(dir, 'config.json'), 'hunter22');
  writeFileSync(join(folder, '.hidden.js'), 'hunter22');
  writeFileSync(join(folder, 'index.html'), '<meta nonce="__CSP_NONCE__"><script nonce="__CSP_NONCE__"></script>');
  writeFileSync(join(folder, 'assets', 'index-a_B-1.js'), 'run();');
  writeFileSync(join(folder, 'assets', 'notes.txt'), 'hunter22');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const get = (url: string, method = 'GET') => answerAppRequest({ method, url }, folder);

describe('the pages of the window', () => {
  it('come with the policy, and the page with a nonce of its own each time', async () => {
    const nonces = [];
    for (const url of ['app://isg/index.html', 'app://isg/index.html?x#/jobs']) {
      const answer = await get(url);
      const nonce = /'nonce-([^']+)'/.exec(answer.headers.get('content-security-policy') ?? '')?.[1];
      expect(await answer.text()).toBe(`<meta nonce="${nonce}"><script nonce="${nonce}"></script>`);
      expect(answer.headers.get('content-type')).toContain('text/html');
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      nonces.push(nonce);
    }
    expect(nonces[0]).not.toBe(nonces[1]);
    const script = await get('app://isg/assets/index-a_B-1.js');
    expect([script.status, await script.text()]).toEqual([200, 'run();']);
    expect(script.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  it.each([
    'app://isg/../config.json',
    'app://isg/assets/../../config.json',
    'app://isg/%2e%2e/config.json',
    'app://isg/..%2fconfig.json',
    'app://isg/assets/..%5c..%5cconfig.json',
    'app://isg/assets/..\\..\\config.json',
    'app://isg//etc/passwd',
    'app://isg/C:/config.json',
    'app://isg/index.html%00.js',
    'app://isg/.hidden.js',
    'app://isg/assets/notes.txt',
    'app://isg/assets',
    'app://isg/assets/',
    'app://isg/',
    'app://isg/missing.js',
    'app://other/index.html',
    'app://isg.example.com/index.html',
    'file:///etc/passwd',
  ])('do not include %s', async (url) => {
    const answer = await get(url);
    expect(answer.status).toBe(404);
    expect(await answer.text()).toBe('Not found');
  });

  it('are only read', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'HEAD'])
      expect((await get('app://isg/index.html', method)).status).toBe(404);
  });
});
