import { createServer, type Server } from 'node:http';
import { coerceError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metric } from './metrics-text.ts';

/** Metrics as Prometheus reads them, on this machine only. */
export interface MetricsListener {
  close(): Promise<void>;
}

/** What a listener needs. */
export interface MetricsListenerOptions {
  /** 0 = any free one. */
  port: number;
  take: () => Metric[];
  log: Logger;
  /** Told once it listens. */
  onListening?: (port: number) => void;
}

/**
 * A page of another site can send requests here when its name is made to point to this machine; its own name then stands in
 * the Host header.
 */
const LOCAL_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/i;

async function pageOf(metrics: readonly Metric[]): Promise<{ type: string; text: string }> {
  // loaded only by who asks for it
  const { Gauge, Registry } = await import('prom-client');
  const registry = new Registry();
  for (const { name, help, values } of metrics) {
    const labelNames = Object.keys(values[0]?.labels ?? {});
    const gauge = new Gauge({ name, help, labelNames, registers: [registry] });
    for (const { labels, value } of values) gauge.set(labels, value);
  }
  return { type: registry.contentType, text: await registry.metrics() };
}

/** Listens on 127.0.0.1. A port that is taken is said in the log and costs nothing else. */
export function startMetricsListener({ port, take, log, onListening }: MetricsListenerOptions): MetricsListener {
  const server: Server = createServer({ headersTimeout: 5_000, requestTimeout: 5_000 }, (request, response) => {
    const end = (status: number, text: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' });
      response.end(text);
    };
    if (!LOCAL_HOST.test(request.headers.host ?? '')) return end(403, 'This address is for this machine only.\n');
    if (request.method !== 'GET') return end(405, 'Only GET is answered.\n');
    if (request.url !== '/metrics') return end(404, 'The metrics are at /metrics.\n');
    return void pageOf(take()).then(
      ({ text, type }) => end(200, text, type),
      (thrown) => end(500, `${coerceError(thrown).message}\n`),
    );
  });
  server.maxConnections = 8;
  server.on('error', (error) =>
    log.warn(`Metrics are not served on port ${port} (${error.message}). Name a free port as metrics-port.`),
  );
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    if (typeof address === 'object' && address) onListening?.(address.port);
  });
  server.unref();
  return {
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
