import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { encodeLine, LINK_CALLS, MAX_LINE_TO_AGENT } from '../../../agent/contract/index.ts';
import { ServiceAgent } from './service-agent.ts';
import { ServiceClient } from './service-client.ts';

/** What comes over the socket of a real agent that runs as a service, and must not pass. */

const CASES = 330;
/** What the agent's heap takes for messages of a megabyte, and keeps for the next ones; it levels off at about 70 MB. */
const MEMORY_GROWTH = 110_000_000;
const seed = Date.now() & 0x7fffffff;

let dir = '';
let agent: ServiceAgent;
let witness: ServiceClient;
beforeAll(async () => {
  process.stdout.write(`The seed of the fuzzed socket is ${seed}\n`);
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-fuzz-'));
  chmodSync(dir, 0o755);
  agent = new ServiceAgent(dir);
  agent.start();
  witness = await agent.client();
}, 60_000);
afterAll(async () => {
  witness?.close();
  await agent?.end();
  rmSync(dir, { recursive: true, force: true });
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const line = (text: string): Uint8Array => bytes(`${text}\n`);
const wrongParams = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.string(),
  fc.array(fc.jsonValue(), { maxLength: 3 }),
);
const prototypeKey = fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '');
const unknownName = fc
  .oneof(
    prototypeKey,
    fc.string({ maxLength: 60 }),
    fc.constantFrom(
      'config.read',
      'agent.restart',
      'app.state',
      'service',
      'service.',
      'SERVICE.RESTART',
      'service.stop',
    ),
  )
  .filter((name) => !Object.hasOwn(LINK_CALLS, name));
const id = fc.oneof(fc.integer(), fc.constantFrom(-0, 1e308, Number.MAX_SAFE_INTEGER));

/** A save that asks for what may not pass: keys that are none, values that are none, keys of prototypes. */
const wrongSave = fc
  .tuple(
    fc.oneof(
      prototypeKey,
      fc.string({ maxLength: 20 }).filter((key) => !/^[a-z-]+$/.test(key)),
    ),
    fc.string(),
  )
  .map(([key, value]) => `{"changes":{${JSON.stringify(key)}:${JSON.stringify(value)}}}`);

const kinds: Record<string, fc.Arbitrary<Uint8Array>> = {
  'random bytes': fc.uint8Array({ minLength: 1, maxLength: 4_096 }),
  'a broken frame': fc.json().map((text) => line(text.slice(0, -1))),
  'half a frame': fc
    .string({ maxLength: 200 })
    .map((name) => bytes(`{"type":"call","id":1,"name":${JSON.stringify(name)}`)),
  'any value': fc.json().map(line),
  'a huge line': fc
    .integer({ min: MAX_LINE_TO_AGENT, max: MAX_LINE_TO_AGENT + 70_000 })
    .map((length) => new Uint8Array(length).fill(97)),
  'a huge message': fc
    .integer({ min: 1, max: 900_000 })
    .map((length) => line(JSON.stringify({ type: 'call', id: 1, name: 'x'.repeat(length), params: {} }))),
  'deep nesting': fc
    .tuple(fc.integer({ min: 1_000, max: 200_000 }), fc.constantFrom(['[', ']'], ['{"a":', '}']))
    .map(([depth, [open = '', close = '']]) =>
      line(
        `{"type":"call","id":1,"name":"doctor.run","params":${open.repeat(depth)}1${close.repeat(depth)}}`.slice(
          0,
          MAX_LINE_TO_AGENT,
        ),
      ),
    ),
  'a call of no contract': fc
    .tuple(unknownName, id, fc.jsonValue())
    .map(([name, number, params]) => encodeLine({ type: 'call', id: number, name, params })),
  'a call with wrong parameters': fc
    .tuple(fc.constantFrom(...Object.keys(LINK_CALLS)), id, wrongParams)
    .map(([name, number, params]) => encodeLine({ type: 'call', id: number, name, params })),
  'prototype keys': fc
    .tuple(prototypeKey, fc.json())
    .map(([key, value]) =>
      line(
        `{"type":"call","id":1,"name":"settings.write","params":{${JSON.stringify(key)}:${value}},${JSON.stringify(key)}:${value}}`,
      ),
    ),
  'a save of what is no setting': wrongSave.map((params) =>
    line(`{"type":"call","id":1,"name":"service.config-write","params":${params}}`),
  ),
  'an order that no client has': fc
    .constantFrom({ type: 'stop' }, { type: 'token', token: 'x' }, { type: 'hello', protocol: 1 })
    .map(encodeLine),
  'a flood': fc.integer({ min: 501, max: 3_000 }).map((times) => bytes('{"type":"beat"}\n'.repeat(times))),
  'a flood of calls': fc
    .integer({ min: 100, max: 400 })
    .map((times) => bytes('{"type":"call","id":1,"name":"jobs.list","params":{}}\n'.repeat(times))),
};

/** Sends it in the given pieces; resolves when the agent has cut the connection off, or answered what comes after it. */
async function send(payload: Uint8Array, pieces: number): Promise<ServiceClient> {
  const client = new ServiceClient(agent.socketPath);
  const size = Math.ceil(payload.length / pieces);
  for (let at = 0; at < payload.length; at += size) client.socket.write(payload.subarray(at, at + size));
  const marker = 424_242;
  client.socket.write(encodeLine(''));
  client.say({ type: 'call', id: marker, name: 'no.such-call', params: {} });
  const isOver = () => client.isClosed || client.ofType('refusal').some((refusal) => refusal.id === marker);
  await vi.waitUntil(isOver, { timeout: 20_000, interval: 2 });
  client.close();
  return client;
}

it('lets nothing of 330 generated cases pass, stays alive and small, and serves others meanwhile', async () => {
  const beats = witness.ofType('beat').length;
  const memory = agent.memory();
  const seen = new Map<string, number>();
  const names = Object.keys(kinds);
  const one = fc.constantFrom(...names).chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      payload: kinds[kind] ?? fc.constant(new Uint8Array()),
      pieces: fc.integer({ min: 1, max: 5 }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(one, async ({ kind, payload, pieces }) => {
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      const client = await send(payload, pieces);
      const passed = client.ofType('answer').filter(({ value }) => !isRefusedSave(value));
      expect({ kind, passed }).toEqual({ kind, passed: [] });
      expect(client.ofType('goodbye')).toEqual([]);
      expect(await witness.call('service.config-read', {})).toMatchObject({ status: 'absent' });
      expect(agent.memory() - memory).toBeLessThan(MEMORY_GROWTH);
    }),
    { numRuns: CASES, seed, endOnFailure: true },
  );
  expect([...seen.keys()].toSorted()).toEqual(names.toSorted());
  expect(witness.ofType('beat').length).toBeGreaterThan(beats);
  expect(agent.isAlive()).toBe(true);
  expect(statSync(agent.configPath, { throwIfNoEntry: false })).toBeUndefined();
}, 240_000);

/** A save may be answered, by what is wrong with it. */
function isRefusedSave(value: unknown): boolean {
  const problems: unknown = Object(value).problems;
  return Array.isArray(problems) && problems.length > 0;
}
