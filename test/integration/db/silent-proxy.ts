import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy that can fall silent: connections stay open, nothing passes any more, as when a cable is pulled. */
export interface SilentProxy {
  port: number;
  /** From now on nothing passes in either direction, on old and new connections. */
  silence(): void;
  /** Lets requests pass but holds back all answers from now on. */
  holdAnswers(): void;
  stop(): Promise<void>;
}

/** Starts a proxy on the loopback interface before the given port. */
export async function startSilentProxy(targetPort: number): Promise<SilentProxy> {
  let passesRequests = true;
  let passesAnswers = true;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1');
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('data', (chunk) => {
      if (passesRequests) target.write(chunk);
    });
    target.on('data', (chunk) => {
      if (passesAnswers) client.write(chunk);
    });
    client.on('close', () => target.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    silence: () => {
      passesRequests = false;
      passesAnswers = false;
    },
    holdAnswers: () => {
      passesAnswers = false;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
