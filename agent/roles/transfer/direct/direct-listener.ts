import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { coerceError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Service } from '../../../runtime/service.ts';
import { type AnswerDeps, answerDirect } from './direct-answers.ts';
import { readCertificate } from './listener-certificate.ts';
import { type OfferDeps, OfferedFiles } from './offered-file.ts';
import { limitedAddress } from './question-limit-state.ts';
import { SignatureVerdicts } from './signature-verdicts.ts';

/** Where to listen, and as whom. */
export interface ListenerAddress {
  /** Name or address of an interface; '' = all. */
  host: string;
  /** 0 = any free one (tests). */
  port: number;
  /** PEM files. */
  certificateFile: string;
  keyFile: string;
}

/** What the listener needs. */
export interface DirectListenerOptions extends OfferDeps, Pick<AnswerDeps, 'log' | 'isOpen'> {
  log: Logger;
  /** null = off. */
  address: ListenerAddress | null;
  limits?: Partial<ListenerLimits>;
}

/** What strangers can hold. Milliseconds. */
export interface ListenerLimits {
  connections: number;
  connectionsPerAddress: number;
  handshakeMs: number;
  /** Until the head of a request is complete. */
  headersMs: number;
  /** A connection on which nothing moves, in whichever direction, is closed. */
  silentMs: number;
  headerBytes: number;
}

const LIMITS: ListenerLimits = {
  connections: 128,
  connectionsPerAddress: 32,
  handshakeMs: 10_000,
  headersMs: 10_000,
  silentMs: 60_000,
  headerBytes: 8 * 1024,
};
/** A taken port or a certificate that cannot be read may be mended while the node runs. */
const RETRY_MS = 30_000;
/** How often requests that are late are looked for. */
const LOOK_EVERY_MS = 1_000;
const MAX_REQUESTS_PER_CONNECTION = 1_000;

/**
 * The listener for direct transfers (README.md: threat model and limits). Off without an address. What keeps it from
 * listening is said, and tried again; it never keeps the node from working.
 */
export class DirectListener implements Service {
  readonly #options: DirectListenerOptions;
  readonly #limits: ListenerLimits;
  readonly #perAddress = new Map<string, number>();
  #stopping = new AbortController();
  #server: Server | null = null;
  #running: Promise<void> | null = null;

  constructor(options: DirectListenerOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
  }

  /** Port while it listens; null before and after. */
  get port(): number | null {
    const address = this.#server?.listening ? this.#server.address() : null;
    return typeof address === 'object' && address !== null ? address.port : null;
  }

  /** Resolves once it listens, or has failed to for the first time. */
  async start(): Promise<void> {
    const { address } = this.#options;
    if (!address || this.#running) return;
    this.#stopping = new AbortController();
    const first = Promise.withResolvers<void>();
    this.#running = this.#keepOpen(address, this.#stopping.signal, first.resolve);
    await first.promise;
  }

  /** Closes the port and cuts what is being sent: receivers go on elsewhere, or here when it is back. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#close();
    await this.#running;
    this.#running = null;
    // It may have begun to listen in the meantime.
    this.#close();
  }

  #close(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
    this.#server = null;
  }

  async #keepOpen(address: ListenerAddress, signal: AbortSignal, tried: () => void): Promise<void> {
    const { clock, log } = this.#options;
    let said = '';
    while (!signal.aborted) {
      try {
        this.#server = await this.#open(address, signal);
        log.info('Other gateways can fetch files from this node directly.', { port: this.port });
        tried();
        return;
      } catch (thrown) {
        tried();
        const { message } = coerceError(thrown);
        if (message !== said) {
          log.error(`Direct transfers are not possible: ${message} It is tried again every ${RETRY_MS / 1000} s.`);
        }
        said = message;
      }
      await clock.sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }

  async #open({ host, port, ...files }: ListenerAddress, signal: AbortSignal): Promise<Server> {
    const { headerBytes, handshakeMs, headersMs, silentMs } = this.#limits;
    const { iconik, clock } = this.#options;
    const deps: AnswerDeps = {
      ...this.#options,
      signal,
      verdicts: new SignatureVerdicts({ iconik, clock, signal }),
      files: new OfferedFiles(this.#options),
    };
    const server = createServer({
      ...(await readCertificate(files)),
      minVersion: 'TLSv1.2',
      honorCipherOrder: true,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: handshakeMs,
      maxHeaderSize: headerBytes,
      headersTimeout: headersMs,
      // Requests have no body, so the whole is as long as its head.
      requestTimeout: headersMs,
      connectionsCheckingInterval: LOOK_EVERY_MS,
      keepAliveTimeout: headersMs,
      insecureHTTPParser: false,
    });
    server.maxConnections = this.#limits.connections;
    server.maxRequestsPerSocket = MAX_REQUESTS_PER_CONNECTION;
    server.maxHeadersCount = 100;
    server.timeout = silentMs;
    // Before the handshake, which is what costs.
    server.on('connection', (socket: Socket) => this.#admit(socket));
    server.on('request', (request, response) => void answerDirect(deps, request, response));
    // Failed handshakes and malformed requests are strangers' business.
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    await listen(server, host, port);
    server.on('error', (error) => this.#options.log.error(`The direct transfer listener failed: ${error.message}`));
    return server;
  }

  #admit(socket: Socket): void {
    const address = limitedAddress(socket.remoteAddress ?? '');
    const held = this.#perAddress.get(address) ?? 0;
    if (held >= this.#limits.connectionsPerAddress) {
      socket.destroy();
      return;
    }
    this.#perAddress.set(address, held + 1);
    socket.once('close', () => {
      const left = (this.#perAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#perAddress.set(address, left);
      else this.#perAddress.delete(address);
    });
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, ...(host === '' ? {} : { host }) }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
