/** The thread of the log (agent/cache/README.md): keeps the cache's file and ships it. Ends with its process. */
import { parentPort, workerData } from 'node:worker_threads';
import { LogKeeper } from '../../../cache/log/log-keeper.ts';
import { type FromLogThread, logThreadDataSchema, toLogThreadSchema } from '../../../cache/log/log-messages.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { LogShipper } from '../log-shipper.ts';
import { ProcessorLoad } from '../processor-load.ts';

/** How often the node is told how the file stands. */
const STATUS_MS = 1_000;

const port = parentPort;
if (port === null) throw new Error('the log’s thread was started as a program');
const post = (message: FromLogThread) => port.postMessage(message);
const { memory, ...data } = logThreadDataSchema.parse(workerData);
const storedUpTo = new Int32Array(memory);

const keeper = new LogKeeper({
  ...data,
  wallMs: () => systemClock.wallMs(),
  onStored(batches, upTo) {
    Atomics.store(storedUpTo, 0, upTo);
    Atomics.notify(storedUpTo, 0);
    post({ kind: 'stored', batches: [...batches], upTo });
  },
  onTold: (level, message, fields) => post({ kind: 'told', level, message, fields }),
});

const load = new ProcessorLoad();
let isTold = false;
let shipper: LogShipper | null = null;
const telling = setInterval(() => post({ kind: 'keeper', status: keeper.status() }), STATUS_MS).unref();

async function shipTo(target: ConstructorParameters<typeof LogShipper>[0] | null): Promise<void> {
  const former = shipper;
  shipper = null;
  await former?.stop();
  if (target === null || shipper !== null) return;
  shipper = new LogShipper(target, {
    use: (work) => keeper.use(work),
    clock: systemClock,
    random: Math.random,
    isBusy: () => isTold || load.isFull(),
    onStatus: (status) => post({ kind: 'shipping', status }),
    onTold: (level, message, fields) => post({ kind: 'told', level, message, fields }),
  });
}

let changing = Promise.resolve();
port.on('message', (message: unknown) => {
  const { success, data: order } = toLogThreadSchema.safeParse(message);
  if (!success) {
    post({ kind: 'told', level: 'error', message: 'An order to the log’s thread makes no sense.', fields: {} });
  } else if (order.kind === 'batch') keeper.take(order);
  else if (order.kind === 'look-back') {
    post({ kind: 'looked', callId: order.callId, ...keeper.look(order.beforeSeq, order.limit, order.filter) });
  } else if (order.kind === 'busy') isTold = order.isBusy;
  else if (order.kind === 'ship') changing = changing.then(() => shipTo(order.target));
  else {
    // Records first: the process waits for them, and for nothing else.
    keeper.close();
    clearInterval(telling);
    void changing.then(() => shipTo(null)).then(() => port.close());
  }
});
