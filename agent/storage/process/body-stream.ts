/**
 * The answer to a GET whose body goes straight from the connection into blocks of our own: `node:http` and undici make a
 * buffer of every piece that arrives, which without TLS costs five times the processor time of the reading itself (README.md, "Why bodies
 * are read by code of our own"). Only for plain answers: 200 or 206, one length, no proxy; all else is left to `node:http`
 * (receive-file.ts). Nothing is taken that `node:http` would refuse, or take for another body.
 */
import net from 'node:net';
import tls from 'node:tls';
import { lookupWithin, type Reach } from '../../runtime/outbound-address.ts';

const BLOCK_BYTES = 512 * 1024;
/** One is being filled, one is being written, one waits for its turn. */
const BLOCKS = 3;
/** As long as `node:http` takes them. */
const MAX_HEAD_BYTES = 16 * 1024;
/** Answers that bring (a part of) the file. */
const BODY_STATUS = new Set([200, 206]);
const SWITCHING_PROTOCOLS = 101;
/** Text of a header or a reason: no control characters but the tab, above all no single CR or LF. */
const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/** Words and what is between them are told apart by each character: no line takes more than one pass. */
const HEADER_LINE =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(?:([\x21-\x7e\x80-\xff]+(?:[ \t]+[\x21-\x7e\x80-\xff]+)*)[ \t]*)?$/;
/** On a slow or silent connection what has come is handed on after this, so that a kill loses no more. */
const HAND_ON_MS = 500;

/** Whether a body can be read this way: proxies, authorities of one's own and passwords in the URL are left to `node:http`. */
export function isPlainTarget(
  url: URL,
  { httpsProxy, extraCa }: { httpsProxy: string | null; extraCa: string | null },
): boolean {
  const { HTTP_PROXY, HTTPS_PROXY, http_proxy, https_proxy } = process.env;
  const hasProxy = [httpsProxy, HTTP_PROXY, HTTPS_PROXY, http_proxy, https_proxy].some(Boolean);
  const hasOwnAuthority = extraCa !== null && url.protocol === 'https:';
  return !hasProxy && !hasOwnAuthority && url.username === '' && url.password === '';
}

/** Status and headers (lower-case names) of an answer's head; null when it is none. */
export function parseHead(head: string): { statusCode: number; headers: Record<string, string> } | null {
  const [first = '', ...lines] = head.split('\r\n');
  const [, status] = STATUS_LINE.exec(first) ?? [];
  if (status === undefined) return null;
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value = ''] = HEADER_LINE.exec(line) ?? [];
    if (name === undefined) return null;
    const key = name.toLowerCase();
    const earlier = headers[key];
    headers[key] = earlier === undefined ? value : `${earlier}, ${value}`;
  }
  return { statusCode: Number(status), headers };
}

/** An answer with its body still on the way. The connection carries nothing else and ends with it. */
export class BodyStream {
  statusCode = 0;
  headers: Record<string, string> = {};
  readonly #socket: net.Socket;
  readonly #free: Buffer[];
  readonly #full: Buffer[] = [];
  /** Blocks given out, oldest first; the one before the last is free again when another is asked for. */
  readonly #out: Buffer[] = [];
  readonly #opened = Promise.withResolvers<void>();
  #current: Buffer;
  #filledBytes = 0;
  #bodyBytes: number | null = null;
  /** The head does not say two things about where its body ends. */
  #isClear = false;
  #leftBytes = 0;
  #handedOnAt = performance.now();
  #isOver = false;
  #failure: unknown = null;
  #wake: (() => void) | null = null;
  readonly #silence = setTimeout(() => this.#handOnSome(), HAND_ON_MS);
  #onBytes: (bytes: number) => void = () => {};

  private constructor(url: URL, signal: AbortSignal, reach: Reach) {
    const [first, ...free] = Array.from({ length: BLOCKS }, () => Buffer.allocUnsafeSlow(BLOCK_BYTES));
    this.#current = first ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
    this.#free = free;
    const onread = {
      buffer: () => this.#current.subarray(this.#filledBytes),
      callback: (bytes: number) => this.#take(bytes),
    };
    this.#socket = connect(url, reach, onread);
    const onAbort = () => this.#end(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#socket.on('error', (error) => this.#end(error));
    this.#socket.on('end', () => this.#end(null));
    this.#socket.once('close', () => {
      signal.removeEventListener('abort', onAbort);
      this.#end(null);
    });
    // Between two looks nobody listens.
    this.#opened.promise.catch(() => {});
  }

  /**
   * Sends the request and resolves with the head of the answer; null when it is not a plain one with a body of known length,
   * so that the request is to be made by other means. Of an answer from 300 on there is the head alone. Rejects with what
   * broke the connection, or with the reason of the signal.
   */
  static async open(
    url: URL,
    headers: Record<string, string>,
    signal: AbortSignal,
    reach: Reach = 'named',
  ): Promise<BodyStream | null> {
    signal.throwIfAborted();
    const stream = new BodyStream(url, signal, reach);
    const lines = Object.entries({ host: url.host, ...headers, connection: 'close' });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    stream.#socket.write(`GET ${url.pathname}${url.search} HTTP/1.1\r\n${head}\r\n`);
    await stream.#opened.promise;
    if (stream.#bodyBytes !== null || (stream.#isClear && stream.statusCode >= 300)) return stream;
    stream.destroy();
    return null;
  }

  /** Hears how many bytes of the body have come, at each arrival. */
  onBytes(listener: (bytes: number) => void): void {
    this.#onBytes = listener;
  }

  /**
   * The next piece of the body, null after the last. The piece before the previous one may be overwritten from now on. After
   * a failure what had come is given first, then the call rejects.
   */
  async next(): Promise<Buffer | null> {
    const [used] = this.#out.length > 1 ? this.#out.splice(0, 1) : [];
    if (used) {
      this.#free.push(Buffer.from(used.buffer));
      if (!this.#isOver) this.#socket.resume();
    }
    while (this.#full.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const piece = this.#full.shift();
    if (piece) {
      this.#out.push(piece);
      return piece;
    }
    if (this.#failure !== null) throw this.#failure;
    return null;
  }

  /** Where the answer comes from; undefined once the connection is gone. */
  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  /** Ends the connection; nothing more is read. */
  destroy(): void {
    this.#end(null);
  }

  /** The body is not wanted. */
  resume(): void {
    this.destroy();
  }

  /** Takes what the system has put into the current block; false = no block is free for more. */
  #take(bytes: number): boolean {
    this.#filledBytes += bytes;
    if (this.#bodyBytes === null) {
      if (!this.#takeHead()) return true;
    } else {
      this.#countBody(bytes);
    }
    if (this.#leftBytes === 0) this.#end(null);
    else if (this.#filledBytes === BLOCK_BYTES) this.#handOn();
    else if (performance.now() - this.#handedOnAt > HAND_ON_MS) this.#handOnSome();
    this.#silence.refresh();
    return this.#free.length > 0;
  }

  #handOnSome(): void {
    const hasSome = this.#bodyBytes !== null && this.#filledBytes > 0;
    if (hasSome && !this.#isOver && this.#free.length > 0) this.#handOn();
  }

  /** Whether the head of the final answer is complete; what follows it becomes the start of the body. */
  #takeHead(): boolean {
    for (;;) {
      const end = this.#current.subarray(0, this.#filledBytes).indexOf('\r\n\r\n');
      if (end < 0 ? this.#filledBytes > MAX_HEAD_BYTES : end > MAX_HEAD_BYTES) return this.#refuseHead();
      if (end < 0) return false;
      const head = parseHead(this.#current.toString('latin1', 0, end));
      if (!head) return this.#refuseHead();
      this.#current.copyWithin(0, end + 4, this.#filledBytes);
      this.#filledBytes -= end + 4;
      if (head.statusCode === SWITCHING_PROTOCOLS) return this.#refuseHead();
      // Something like "100 Continue": the answer follows.
      if (head.statusCode < 200) continue;
      this.statusCode = head.statusCode;
      this.headers = head.headers;
      const { 'content-length': length, 'transfer-encoding': coding } = head.headers;
      this.#isClear = length === undefined || (/^\d{1,15}$/.test(length) && coding === undefined);
      const hasLength = this.#isClear && length !== undefined && BODY_STATUS.has(head.statusCode);
      if (hasLength) {
        this.#bodyBytes = Number(length);
        this.#leftBytes = this.#bodyBytes;
        this.#countBody(this.#filledBytes);
      }
      this.#opened.resolve();
      if (!hasLength) this.#end(null);
      return hasLength;
    }
  }

  #refuseHead(): false {
    this.#end(new Error('the answer is not HTTP/1.1'));
    return false;
  }

  /** What comes after the announced length is nobody's. */
  #countBody(bytes: number): void {
    const counted = Math.min(bytes, this.#leftBytes);
    this.#filledBytes -= bytes - counted;
    this.#leftBytes -= counted;
    this.#onBytes((this.#bodyBytes ?? 0) - this.#leftBytes);
  }

  #handOn(): void {
    this.#handedOnAt = performance.now();
    this.#full.push(this.#current.subarray(0, this.#filledBytes));
    this.#filledBytes = 0;
    // There is one: reading stops as soon as the last has become the current one.
    this.#current = this.#free.shift() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
    this.#wake?.();
  }

  #end(failure: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#silence);
    this.#failure = failure;
    if (this.#bodyBytes !== null && this.#filledBytes > 0) this.#handOn();
    this.#wake?.();
    this.#opened.reject(failure ?? new Error('the connection ended before the answer'));
    this.#socket.destroy();
  }
}

function connect(
  url: URL,
  reach: Reach,
  onread: { buffer: () => Buffer; callback: (bytes: number) => boolean },
): net.Socket {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const lookup = lookupWithin(reach);
  if (url.protocol === 'http:') return net.connect({ host, port: Number(url.port || 80), lookup, onread });
  const servername = net.isIP(host) ? {} : { servername: host };
  const options = { host, port: Number(url.port || 443), ...servername, ALPNProtocols: ['http/1.1'], lookup, onread };
  return tls.connect(options);
}
