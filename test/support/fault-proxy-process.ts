/**
 * The fault proxy as a process of its own, so that what it does to a connection is not delayed by a test's other work. The
 * parent forks it with the options as its one argument; it answers `{ port }` and after each order `{ done }`.
 */
import { z } from 'zod';
import { startFaultProxy } from './fault-proxy.ts';
import { networkFaultsSchema, orderSchema } from './fault-proxy-orders.ts';

const argument = z.object({ targetPort: z.number(), faults: networkFaultsSchema.optional() });
const { targetPort, faults } = argument.parse(JSON.parse(process.argv[2] ?? ''));
const proxy = await startFaultProxy({ targetPort, ...(faults ? { faults } : {}) });

process.on('message', (raw) => {
  const order = orderSchema.parse(raw);
  const carryOut = async () => {
    if (order.kind === 'faults') await proxy.setFaults(order.faults);
    else proxy.resetAll();
    process.send?.({ kind: 'done', id: order.id, connections: proxy.connections() });
  };
  void carryOut();
});
// Its parent is gone: nobody needs it any more.
process.on('disconnect', () => process.exit(0));
process.send?.({ kind: 'ready', port: proxy.port });
