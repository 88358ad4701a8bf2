import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What a proxy does to traffic now. */
export interface ProxyWeather {
  /** Delay one way, milliseconds. */
  delayMs: { min: number; max: number };
  /** Each connection is reset after a random time with this mean; null = never. */
  resetEveryMs: number | null;
}

/** A TCP proxy between a node and one thing it talks to. */
export interface FaultProxy {
  port: number;
  /** While cut, connections are broken and new ones refused. */
  setCut(isCut: boolean): void;
  /** Applies to connections made from now on and to traffic of the present ones. */
  setWeather(weather: ProxyWeather): void;
  close(): Promise<void>;
}

const CALM: ProxyWeather = { delayMs: { min: 0, max: 0 }, resetEveryMs: null };

/** Starts a proxy to a port of this machine. */
export async function startFaultProxy(toPort: number): Promise<FaultProxy> {
  let isCut = false;
  let weather = CALM;
  const open = new Set<Socket>();
  const server = createServer((near) => {
    if (isCut) return near.resetAndDestroy();
    const far = connect(toPort, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      relay(from, to, () => weather.delayMs);
      from.on('close', () => open.delete(from));
    }
    const { resetEveryMs } = weather;
    if (resetEveryMs === null) return;
    const timer = setTimeout(() => near.resetAndDestroy(), -resetEveryMs * Math.log(1 - Math.random()));
    near.once('close', () => clearTimeout(timer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const breakAll = () => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    setCut: (cut) => {
      isCut = cut;
      if (cut) breakAll();
    },
    setWeather: (next) => {
      weather = next;
      // Connections made in calm weather have no reset planned.
      breakAll();
    },
    close: async () => {
      breakAll();
      server.close();
    },
  };
}

/** Passes bytes on, each piece after its delay, in order. */
function relay(from: Socket, to: Socket, delay: () => ProxyWeather['delayMs']): void {
  let notBeforeMs = 0;
  const later = (run: () => void) => {
    const { min, max } = delay();
    const nowMs = performance.now();
    notBeforeMs = Math.max(notBeforeMs, nowMs + min + Math.random() * (max - min));
    if (notBeforeMs <= nowMs) run();
    else setTimeout(run, notBeforeMs - nowMs);
  };
  from.setNoDelay(true);
  from.on('data', (piece) => later(() => to.writable && to.write(piece)));
  from.on('end', () => later(() => to.end()));
  from.on('error', () => to.destroy());
  from.on('close', () => later(() => to.destroy()));
}
