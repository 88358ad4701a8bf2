import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy whose connections can be delayed, reset or silenced one by one. */
export interface FlakyProxy {
  port: number;
  /** Resets the connection that carried a request last. */
  resetUsed(): void;
  /** The connection that carried a request last passes nothing any more, and stays open. */
  silenceUsed(): void;
  /** Resets each connection after a time of its own, again and again, until `stop`; milliseconds. */
  resetEach(lifeMs: () => number): void;
  /** How many connections were reset or silenced. */
  faults(): number;
  stop(): Promise<void>;
}

interface Line {
  client: Socket;
  isSilent: boolean;
  usedAt: number;
}

/** Passes on in order, each chunk no earlier than its delay. */
function passOn(from: Socket, to: Socket, delayMs: () => number, mayPass: (chunk: Buffer) => boolean): void {
  let nextMs = 0;
  from.on('data', (chunk) => {
    const wait = delayMs();
    if (wait === 0) {
      if (mayPass(chunk)) to.write(chunk);
      return;
    }
    nextMs = Math.max(nextMs, performance.now() + wait);
    setTimeout(() => {
      if (mayPass(chunk) && to.writable) to.write(chunk);
    }, nextMs - performance.now()).unref();
  });
}

/** Starts a proxy on the loopback interface before the given port; `delayMs` is drawn for each chunk and direction. */
export async function startFlakyProxy(targetPort: number, delayMs: () => number = () => 0): Promise<FlakyProxy> {
  const lines = new Set<Line>();
  let life: (() => number) | null = null;
  let faults = 0;
  let uses = 0;
  const reset = (line: Line) => {
    if (!lines.has(line)) return;
    faults += 1;
    line.client.resetAndDestroy();
  };
  const schedule = (line: Line) => {
    if (life) setTimeout(() => reset(line), life()).unref();
  };
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1');
    const line: Line = { client, isSilent: false, usedAt: 0 };
    lines.add(line);
    for (const socket of [client, target]) socket.on('error', () => undefined);
    client.on('close', () => {
      lines.delete(line);
      target.destroy();
    });
    target.on('close', () => client.destroy());
    passOn(client, target, delayMs, () => {
      line.usedAt = ++uses;
      return !line.isSilent;
    });
    passOn(target, client, delayMs, () => !line.isSilent);
    schedule(line);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const used = () => [...lines].sort((a, b) => b.usedAt - a.usedAt).find(({ isSilent }) => !isSilent);
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    resetUsed: () => {
      const line = used();
      if (line) reset(line);
    },
    silenceUsed: () => {
      const line = used();
      if (!line) return;
      faults += 1;
      line.isSilent = true;
    },
    resetEach: (lifeMs) => {
      life = lifeMs;
      for (const line of lines) schedule(line);
    },
    faults: () => faults,
    stop: async () => {
      life = null;
      for (const { client } of lines) client.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
