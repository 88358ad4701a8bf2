import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { FaultProxy, NetworkFaults } from './fault-proxy.ts';

const way = <T extends z.ZodType>(value: T) =>
  z.object({ up: value.optional(), down: value.optional() }).transform((both) => withoutUndefined(both));
const latency = z.object({ delayMs: z.number(), jitterMs: z.number().optional() }).transform(withoutUndefined);

/** Drops keys whose value is undefined, as `exactOptionalPropertyTypes` wants it. */
function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as never;
}

/** Faults as they cross to the process. */
export const networkFaultsSchema: z.ZodType<NetworkFaults> = z
  .object({
    cut: way(z.enum(['hold', 'drop'])).optional(),
    latency: way(latency).optional(),
    refuse: z.boolean().optional(),
    resetEveryMs: z.number().positive().optional(),
  })
  .transform((faults) => withoutUndefined(faults) as NetworkFaults);

/** What the process is told. */
export const orderSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('faults'), id: z.number(), faults: networkFaultsSchema }),
  z.object({ kind: z.literal('reset'), id: z.number() }),
]);

const answerSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready'), port: z.number() }),
  z.object({ kind: z.literal('done'), id: z.number(), connections: z.number() }),
]);

/** What can be asked of a proxy in another process. */
export type ForkedFaultProxy = Omit<FaultProxy, 'failUsed' | 'hits'>;

/** A fault proxy in a process of its own; `connections` is as of the last order. */
export async function forkFaultProxy(options: {
  targetPort: number;
  faults?: NetworkFaults;
}): Promise<ForkedFaultProxy> {
  const program = fileURLToPath(new URL('./fault-proxy-process.ts', import.meta.url));
  const child = fork(program, [JSON.stringify(options)], { execArgv: [] });
  const [first] = await once(child, 'message');
  const ready = answerSchema.parse(first);
  if (ready.kind !== 'ready') throw new Error('the fault proxy did not start');
  let connections = 0;
  let lastId = 0;
  const waiting = new Map<number, () => void>();
  child.on('message', (raw) => {
    const answer = answerSchema.parse(raw);
    if (answer.kind !== 'done') return;
    connections = answer.connections;
    waiting.get(answer.id)?.();
    waiting.delete(answer.id);
  });
  const order = (what: { kind: 'faults'; faults: NetworkFaults } | { kind: 'reset' }) =>
    new Promise<void>((resolve) => {
      lastId += 1;
      waiting.set(lastId, resolve);
      child.send({ ...what, id: lastId });
    });
  return {
    port: ready.port,
    setFaults: (faults) => order({ kind: 'faults', faults }),
    resetAll: () => void order({ kind: 'reset' }),
    connections: () => connections,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
