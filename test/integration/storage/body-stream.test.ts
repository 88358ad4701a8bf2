import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BodyStream } from '../../../agent/storage/process/body-stream.ts';
import { isLong } from '../../support/long-version.ts';

const RUNS = isLong ? 1_000 : 120;

/** What a server sends, in pieces, before it closes the connection. */
let answer: Buffer[] = [];
const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {});
  socket.once('data', () => send(socket, [...answer]));
});
let url: URL;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/bucket/key?X-Signature=secret`);
});
afterAll(() => void server.close());

function send(socket: net.Socket, pieces: Buffer[]): void {
  const piece = pieces.shift();
  if (piece === undefined) socket.end();
  else if (!socket.destroyed) socket.write(piece, () => setImmediate(() => send(socket, pieces)));
}

/** A whole answer as it was understood. */
interface Understood {
  status: number;
  /** null = it did not come to its end. */
  body: string | null;
}

/** `left` = not a plain answer, so it is not for this reader; `broken` = no whole answer. */
async function byOurs(): Promise<Understood | 'left' | 'broken'> {
  try {
    const stream = await BodyStream.open(url, {}, new AbortController().signal);
    if (stream === null) return 'left';
    let body = '';
    for (let piece = await stream.next(); piece; piece = await stream.next()) body += piece.toString('latin1');
    if (stream.statusCode >= 300) return { status: stream.statusCode, body: '' };
    return body.length === Number(stream.headers['content-length']) ? { status: stream.statusCode, body } : 'broken';
  } catch {
    return 'broken';
  }
}

/** What comes after the announced length is nobody's, and no reason to refuse what came before it. */
function byNode(): Promise<Understood | 'broken'> {
  return new Promise((resolve) => {
    let hasAnswer = false;
    const request = http.get(url, { agent: false }, (response) => {
      hasAnswer = true;
      let body = '';
      response.setEncoding('latin1').on('data', (text: string) => {
        body += text;
      });
      response.on('error', () => {});
      response.on('close', () => resolve({ status: response.statusCode ?? 0, body: response.complete ? body : null }));
    });
    request.on('error', () => hasAnswer || resolve('broken'));
    request.on('upgrade', (_response, socket) => {
      socket.destroy();
      resolve('broken');
    });
  });
}

const body = fc.string({ unit: fc.constantFrom('a', '\r', '\n', '0', ':'), maxLength: 40 });
const interim = fc.constantFrom(
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
  'HTTP/1.1 102 Processing\r\nContent-Length: 3\r\n\r\n',
);
const plainLine = fc.constantFrom('ETag: "a: b"', 'Server:x', 'x-amz-id:   1 ', 'X-Empty:', 'Date: \t now');
const statusLine = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('HTTP/1.1 200 OK', 'HTTP/1.1 206 Partial Content') },
  fc.constantFrom(
    'HTTP/1.0 200 OK',
    'HTTP/1.1 200',
    'HTTP/1.1 200 ',
    'HTTP/1.1 204 No',
    'HTTP/1.1 304 No',
    'HTTP/1.1 503 x',
  ),
  fc.constantFrom(
    'HTTP/2 200',
    'HTTP/1.1 20',
    'http/1.1 200 OK',
    'HTTP/1.1  200',
    'HTTP/1.1 101 x',
    'HTTP/1.1 200 O\nA: b',
  ),
);
const length = (bytes: number) =>
  fc.oneof(
    { weight: 5, arbitrary: fc.constant([`Content-Length: ${bytes}`]) },
    fc.constantFrom<string[][]>(
      [],
      [`content-length:${bytes} `],
      [`Content-Length: 00${bytes}`],
      [`Content-Length: +${bytes}`],
      [`Content-Length: ${bytes + 1}`],
      [`Content-Length: ${Math.max(0, bytes - 1)}`],
      [`Content-Length: ${bytes}`, `Content-Length: ${bytes}`],
      [`Content-Length: ${bytes}`, 'Content-Length: 1'],
      [`Content-Length: ${bytes}, ${bytes}`],
      [`Content-Length: ${bytes}`, 'Transfer-Encoding: chunked'],
      [`Content-Length : ${bytes}`],
      [`Content-Length: 0x${bytes.toString(16)}`],
      [`Content-Length:\u00a0${bytes}`],
      ['Transfer-Encoding: chunked'],
    ),
  );
const oddLine = fc.constantFrom(
  ' folded: b',
  'no colon',
  ': x',
  'A\u0000: b',
  'A: \u0001',
  'A: b\nC: d',
  'A: b\rC: d',
  'Ä: b',
);

const oddAnswer = fc
  .record({
    body,
    statusLine,
    before: fc.array(interim, { maxLength: 2 }),
    trailing: fc.constantFrom('', '', 'GARBAGE', 'HTTP/1.1 200 OK\r\n\r\n'),
  })
  .chain((part) =>
    fc
      .record({
        head: fc
          .tuple(length(part.body.length), fc.array(plainLine, { maxLength: 3 }), fc.option(oddLine, { freq: 4 }))
          .chain(([lengths, plain, odd]) =>
            fc.shuffledSubarray([...lengths, ...plain, ...(odd === null ? [] : [odd])], { minLength: lengths.length }),
          ),
        end: fc.oneof({ weight: 4, arbitrary: fc.constant('\r\n\r\n') }, fc.constantFrom('\n\n', '\r\n', '')),
      })
      .map(
        ({ head, end }) =>
          `${part.before.join('')}${[part.statusLine, ...head].join('\r\n')}${end}${part.body}${part.trailing}`,
      ),
  );

/** The bytes in pieces, perhaps not all of them. */
const sent = (text: string, whole: boolean) =>
  fc
    .tuple(
      fc.array(fc.nat(text.length), { maxLength: 4 }),
      whole ? fc.constant(null) : fc.option(fc.nat(text.length), { freq: 3 }),
    )
    .map(([cuts, end]) => {
      const places = [0, ...cuts.toSorted((one, other) => one - other), text.length];
      const bytes = Buffer.from(text, 'latin1').subarray(0, end ?? text.length);
      return places
        .slice(1)
        .map((to, at) => bytes.subarray(places[at], to))
        .filter(({ length: some }) => some > 0);
    });

it('takes no answer that node:http refuses or understands in another way', async () => {
  await fc.assert(
    fc.asyncProperty(
      oddAnswer.chain((text) => sent(text, false)),
      async (pieces) => {
        answer = pieces;
        const ours = await byOurs();
        const theirs = await byNode();
        if (ours === 'left' || ours === 'broken') return;
        // Of a refusal only the status is read.
        if (ours.status >= 300) expect(theirs).toMatchObject({ status: ours.status });
        else expect(theirs).toEqual(ours);
      },
    ),
    { numRuns: RUNS },
  );
});

it('takes every plain answer that node:http takes', async () => {
  const plain = fc
    .record({
      body,
      lines: fc.array(plainLine, { maxLength: 3 }),
      before: fc.array(interim, { maxLength: 2 }),
      status: fc.constantFrom(200, 206),
    })
    .chain((part) => {
      const lines = [`HTTP/1.1 ${part.status} OK`, ...part.lines, `Content-Length: ${part.body.length}`];
      return sent(`${part.before.join('')}${lines.join('\r\n')}\r\n\r\n${part.body}`, true).map((pieces) => ({
        ...part,
        pieces,
      }));
    });
  await fc.assert(
    fc.asyncProperty(plain, async ({ pieces, ...part }) => {
      answer = pieces;
      const whole = { status: part.status, body: part.body };
      expect(await byNode()).toEqual(whole);
      expect(await byOurs()).toEqual(whole);
    }),
    { numRuns: RUNS / 2 },
  );
});
