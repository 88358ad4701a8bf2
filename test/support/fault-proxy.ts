import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A TCP proxy that fails in the ways networks do. All faults may be changed at any time and hold for the connections that
 * exist as well as for new ones, unless said otherwise.
 */

/** The way bytes go: `up` from the client to the server, `down` back. */
export type Direction = 'up' | 'down';

/** What may go wrong. Absent or false: nothing. */
export interface NetworkFaults {
  /** What happens to bytes of a direction: `hold` keeps them until the fault ends, `drop` swallows them for good. */
  cut?: Partial<Record<Direction, 'hold' | 'drop'>>;
  /** Delay of each piece of a direction, milliseconds: `delayMs` plus or minus up to `jitterMs`; order is kept. */
  latency?: Partial<Record<Direction, { delayMs: number; jitterMs?: number }>>;
  /** New connections are refused (nobody listens); existing ones go on. */
  refuse?: boolean;
  /** Each connection is reset after a random life of this mean, milliseconds (exponential, counted from the fault or the connection). */
  resetEveryMs?: number;
}

/** Both directions swallowed: connections open and stay open, and nothing ever comes back (half-open). */
export const SILENCE: NetworkFaults = { cut: { up: 'drop', down: 'drop' } };

/** A running proxy. */
export interface FaultProxy {
  /** On 127.0.0.1; the same for the proxy's whole life. */
  port: number;
  /** Replaces all faults; `{}` heals what can be healed. Connections that lived through a `drop` are reset at its end:
   * bytes may be missing. */
  setFaults(faults: NetworkFaults): Promise<void>;
  /** Resets (RST) every connection that exists. */
  resetAll(): void;
  /** Resets, or silences for good, the connection that carried a request last; those silenced before are passed over. */
  failUsed(how: 'reset' | 'silence'): void;
  /** How many connections `failUsed` and `resetEveryMs` have hit. */
  hits(): number;
  /** Connections of clients now. */
  connections(): number;
  /** Ends all. Safe to call twice. */
  stop(): Promise<void>;
}

/** What a proxy is started with. */
export interface FaultProxyOptions {
  targetPort: number;
  targetHost?: string;
  /** Port to listen on; default any free one. */
  port?: number;
  faults?: NetworkFaults;
  /** Sees, and may replace, each piece of a direction before anything else happens to it. */
  through?: (bytes: Buffer, direction: Direction) => Buffer;
  /** Uniform in [0, 1). */
  random?: () => number;
}

/** What all connections share. */
interface Setting {
  faults: () => NetworkFaults;
  random: () => number;
  through: (bytes: Buffer, direction: Direction) => Buffer;
  /** Numbers requests in the order of their coming. */
  nextUse: () => number;
  onHit: () => void;
}

/** One direction of one connection. */
class Flow {
  readonly #through: (bytes: Buffer, direction: Direction) => Buffer;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #direction: Direction;
  readonly #faults: () => NetworkFaults;
  readonly #random: () => number;
  readonly #queue: { bytes: Buffer | null; dueMs: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(sockets: { from: Socket; to: Socket }, direction: Direction, { faults, random, through }: Setting) {
    this.#through = through;
    this.#from = sockets.from;
    this.#to = sockets.to;
    this.#direction = direction;
    this.#faults = faults;
    this.#random = random;
    this.#from.on('data', (bytes) => this.#take(this.#through(bytes, this.#direction)));
    this.#from.on('end', () => this.#take(null));
    this.#from.on('close', () => clearTimeout(this.#timer));
  }

  #take(bytes: Buffer | null): void {
    const { cut, latency } = this.#faults();
    if (cut?.[this.#direction] === 'drop') return;
    const { delayMs = 0, jitterMs = 0 } = latency?.[this.#direction] ?? {};
    const lateMs = Math.max(0, delayMs + (2 * this.#random() - 1) * jitterMs);
    const lastMs = this.#queue.at(-1)?.dueMs ?? 0;
    this.#queue.push({ bytes, dueMs: Math.max(lastMs, performance.now() + lateMs) });
    this.pump();
  }

  /** Sends what is due and may pass. */
  pump(): void {
    clearTimeout(this.#timer);
    const cut = this.#faults().cut?.[this.#direction];
    if (cut === 'drop') this.#queue.length = 0;
    if (cut) return;
    for (;;) {
      const [head] = this.#queue;
      if (!head) return;
      const restMs = head.dueMs - performance.now();
      if (restMs > 0) {
        this.#timer = setTimeout(() => this.pump(), restMs);
        return;
      }
      this.#queue.shift();
      if (head.bytes) this.#send(head.bytes);
      else this.#to.end();
    }
  }

  // A slow receiver slows its sender down: the proxy keeps no more than what is under way.
  #send(bytes: Buffer): void {
    if (this.#to.write(bytes)) return;
    this.#from.pause();
    this.#to.once('drain', () => this.#from.resume());
  }
}

/** A client's connection with the one to the server behind it. */
class Link {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #flows: readonly Flow[];
  readonly #faults: () => NetworkFaults;
  readonly #random: () => number;
  #life: NodeJS.Timeout | undefined;
  /** Directions whose bytes have been dropped. */
  readonly #dropped = new Set<Direction>();
  readonly #onHit: () => void;
  #usedAt = 0;
  #isSilent = false;

  constructor(sockets: { client: Socket; server: Socket }, shared: Setting, onGone: () => void) {
    const setting: Setting = { ...shared, faults: () => (this.#isSilent ? SILENCE : shared.faults()) };
    const { faults, random, nextUse, onHit } = setting;
    const { client, server } = sockets;
    this.#onHit = onHit;
    client.on('data', () => {
      this.#usedAt = nextUse();
    });
    this.#client = client;
    this.#server = server;
    this.#faults = faults;
    this.#random = random;
    this.#flows = [
      new Flow({ from: client, to: server }, 'up', setting),
      new Flow({ from: server, to: client }, 'down', setting),
    ];
    for (const socket of [client, server]) socket.on('error', () => this.reset());
    // The news that the other side went away crosses a cut cable no more than bytes do.
    client.on('close', () => {
      clearTimeout(this.#life);
      if (faults().cut?.up) this.#flows[0]?.pump();
      else server.destroySoon();
      onGone();
    });
    server.on('close', () => {
      if (!faults().cut?.down) client.destroySoon();
    });
    this.changed();
  }

  #drawLife(): void {
    clearTimeout(this.#life);
    const mean = this.#faults().resetEveryMs;
    if (mean) this.#life = setTimeout(() => this.fail('reset'), -Math.log(1 - this.#random()) * mean);
  }

  /** Breaks this connection alone. */
  fail(how: 'reset' | 'silence'): void {
    this.#onHit();
    if (how === 'reset') {
      this.reset();
      return;
    }
    this.#isSilent = true;
    this.changed();
  }

  /** Applies faults that have changed. */
  changed(): void {
    this.#drawLife();
    const { cut } = this.#faults();
    const isWhole = [...this.#dropped].every((way) => cut?.[way] !== undefined);
    for (const way of ['up', 'down'] as const) if (cut?.[way] === 'drop') this.#dropped.add(way);
    const isOneSided = !cut && this.#client.destroyed !== this.#server.destroyed;
    if (!isWhole || isOneSided) this.reset();
    else for (const flow of this.#flows) flow.pump();
  }

  reset(): void {
    clearTimeout(this.#life);
    for (const socket of [this.#client, this.#server]) if (!socket.destroyed) socket.resetAndDestroy();
  }

  get isGone(): boolean {
    return this.#client.destroyed && this.#server.destroyed;
  }

  get hasClient(): boolean {
    return !this.#client.destroyed;
  }

  /** Number of its last request, 0 before the first; null when nothing passes any more. */
  get lastUse(): number | null {
    return this.hasClient && !this.#isSilent ? this.#usedAt : null;
  }
}

const listen = (server: Server, port: number) =>
  new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1' }, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });

/** Starts a proxy on the loopback interface before the given port. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { targetPort, targetHost = '127.0.0.1', random = Math.random, through = (bytes) => bytes } = options;
  let faults = options.faults ?? {};
  let [uses, hits] = [0, 0];
  const setting: Setting = {
    faults: () => faults,
    random,
    through,
    nextUse: () => ++uses,
    onHit: () => {
      hits += 1;
    },
  };
  let isStopped = false;
  const links = new Set<Link>();
  const accept = (client: Socket) => {
    // Half-open is a state of its own: an end is passed on as an end, not answered with one.
    const server = connect({ port: targetPort, host: targetHost, allowHalfOpen: true });
    const link = new Link({ client, server }, setting, () => forget());
    const forget = () => {
      if (link.isGone) links.delete(link);
    };
    server.on('close', forget);
    links.add(link);
  };
  const open = async (port: number) => {
    const server = createServer({ allowHalfOpen: true }, accept);
    return { server, port: await listen(server, port) };
  };
  const first = await open(options.port ?? 0);
  let server: Server | null = first.server;
  const follow = async () => {
    if (faults.refuse && server) {
      // Closing ends the listening at once; the callback would wait for the connections.
      server.close();
      server = null;
    } else if (!faults.refuse && !server && !isStopped) server = (await open(first.port)).server;
  };
  await follow();
  return {
    port: first.port,
    async setFaults(next) {
      faults = next;
      await follow();
      for (const link of links) link.changed();
    },
    resetAll() {
      for (const link of links) link.reset();
    },
    failUsed(how) {
      const [used] = [...links]
        .filter((link) => link.lastUse !== null)
        .sort((a, b) => (b.lastUse ?? 0) - (a.lastUse ?? 0));
      used?.fail(how);
    },
    hits: () => hits,
    connections: () => [...links].filter((link) => link.hasClient).length,
    async stop() {
      isStopped = true;
      server?.close();
      server = null;
      for (const link of links) link.reset();
      links.clear();
    },
  };
}
