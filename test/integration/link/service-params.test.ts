import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  type AgentCallHandlers,
  LINK_CALLS,
  type LinkCallName,
  type ServiceCallHandlers,
} from '../../../agent/contract/index.ts';
import type { ParentLink } from '../../../agent/link/parent-link.ts';
import { ServiceLink } from '../../../agent/link/service-link.ts';
import { serviceCalls } from '../../../agent/operator/calls/service-calls.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { ServiceClient } from './service-client.ts';

/** What reaches the handlers of a service, over a real socket and with a handler for every call. */

const NAMES = Object.keys(LINK_CALLS) as LinkCallName[];
const CASES_EACH = 20;
const seed = Date.now() & 0x7fffffff;

let dir = '';
let link: ServiceLink;
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-params-'));
  chmodSync(dir, 0o755);
  link = new ServiceLink({ version: '1.2.3' });
  closing.push(() => link.close());
  await link.listen(join(dir, 'run', 'agent.sock'), silentLogger);
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(dir, { recursive: true, force: true });
});

const open = async (): Promise<ServiceClient> => {
  const client = await ServiceClient.open(join(dir, 'run', 'agent.sock'));
  closing.push(() => client.close());
  return client;
};

/** Objects with the call's own keys and foreign ones, of values that fit now and then; and what is no object. */
function someParams(name: LinkCallName): fc.Arbitrary<unknown> {
  const { properties = {} } = z.toJSONSchema(LINK_CALLS[name].params, { io: 'input' });
  const key = fc.constantFrom(...Object.keys(properties), 'foreign', '__proto__', 'constructor', '');
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom('', '0', null, true, 0, -1, 1, [], {}, ['x'], { key: 'x' }),
  );
  const wrong = fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.string(), fc.array(value, { maxLength: 3 }));
  const made = fc.array(fc.tuple(key, value), { maxLength: 5 });
  // As JSON, so that `__proto__` is a key like any other.
  const text = made.map(
    (entries) => `{${entries.map(([one, held]) => `${JSON.stringify(one)}:${JSON.stringify(held)}`).join(',')}}`,
  );
  return fc.oneof(
    { arbitrary: text.map((json): unknown => JSON.parse(json)), weight: 4 },
    { arbitrary: wrong, weight: 1 },
  );
}

describe('parameters over the socket of a service', { timeout: 120_000 }, () => {
  it('reach the handler of each call only as its schema lets them through', async () => {
    const reached: unknown[] = [];
    const record = async (params: unknown): Promise<never> => {
      reached.push(params);
      throw new Error('recorded');
    };
    const handlers = Object.fromEntries(NAMES.map((name) => [name, record]));
    link.serve(handlers as Partial<AgentCallHandlers>);
    link.serveOwn(handlers as unknown as ServiceCallHandlers);
    for (const name of NAMES) {
      const client = await open();
      let refused = 0;
      for (const params of [null, [], 'x', ...fc.sample(someParams(name), { numRuns: CASES_EACH, seed })]) {
        reached.length = 0;
        await client.refusal(name, params);
        const parsed = LINK_CALLS[name].params.safeParse(params);
        refused += parsed.success ? 0 : 1;
        const expected: unknown[] = parsed.success ? [parsed.data] : [];
        if (!isDeepStrictEqual(reached, expected))
          expect({ seed, name, params, reached }).toEqual({ seed, name, params, reached: expected });
      }
      // else a link that looks at no parameters would pass
      expect({ name, isRefused: refused >= 3 }).toEqual({ name, isRefused: true });
      client.close();
    }
  });

  it('hand no token of a client to the agent', async () => {
    const client = await open();
    client.say({ type: 'token', token: 'stolen' });
    await client.refusal('node.pause', {});
    const asParent: ParentLink = link;
    expect(await asParent.token(10)).toBeNull();
  });

  it('change config.ini one after the other, lose none of 20 saves of four clients, and keep its mode', async () => {
    const configPath = join(dir, 'config.ini');
    writeFileSync(configPath, '[main]\napp-id = app\nauth-token = hunter2\nstorage-gateway-id = gw\n');
    chmodSync(configPath, 0o600);
    link.serveOwn(serviceCalls({ configPath, restart: () => undefined }));
    const clients = await Promise.all([open(), open(), open(), open()]);
    const keys = [
      'log-retention-days',
      'log-cache-max-megabytes',
      'iconik-requests-per-second',
      'checksum-max-megabytes-per-second',
    ];
    const saves = clients.flatMap((client, at) =>
      ['21', '22', '23', '24', '25'].map((value) =>
        client.call('service.config-write', { changes: { [keys[at] ?? '']: value } }),
      ),
    );
    expect((await Promise.all(saves)).flatMap(({ problems }) => problems)).toEqual([]);
    const written = readFileSync(configPath, 'utf8');
    for (const key of keys) expect(written).toContain(`${key} = 25\n`);
    expect(written).toContain('auth-token = hunter2\n');
    expect((statSync(configPath).mode & 0o777).toString(8)).toBe('600');
  });
});
