import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How the feed behaves. */
export type FeedManner =
  | 'good'
  | 'wrong-digest'
  | 'no-digest'
  | 'truncated'
  | 'away'
  | 'redirected'
  | 'leads-elsewhere'
  | 'garbage';

/** A folder on a web server with one version in it, as electron-builder lays it out. */
export interface UpdateFeed {
  url: string;
  /** What is offered from now on. */
  offer(version: string, manner: FeedManner): void;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  stop(): Promise<void>;
}

/** Serves `program` as the AppImage of whatever version is offered. */
export async function startUpdateFeed(program: string): Promise<UpdateFeed> {
  const asked: string[] = [];
  const body = Buffer.from(program);
  const digest = createHash('sha512').update(body).digest('base64');
  let version = '0.0.1';
  let manner: FeedManner = 'good';
  const channelFile = () => {
    const sha512 = manner === 'wrong-digest' ? createHash('sha512').update('other').digest('base64') : digest;
    // TEST-NET-1: nobody is there, and http is refused before anybody is asked
    const name = manner === 'leads-elsewhere' ? 'http://192.0.2.1/evil.AppImage' : `isg-pro-${version}.AppImage`;
    const line = manner === 'no-digest' ? '' : `    sha512: ${sha512}\n`;
    return `version: ${version}\nfiles:\n  - url: ${name}\n${line}    size: ${body.length}\nreleaseDate: '2026-01-01T00:00:00.000Z'\n`;
  };
  const answer = (path: string, response: ServerResponse) => {
    if (manner === 'away') return response.writeHead(503).end();
    if (manner === 'redirected' && !path.startsWith('/moved'))
      return response.writeHead(302, { location: `/moved${path}` }).end();
    if (path.endsWith('/latest-linux.yml')) return response.end(manner === 'garbage' ? '\u0000{{' : channelFile());
    response.writeHead(200, { 'content-length': body.length });
    if (manner !== 'truncated') return response.end(body);
    response.write(body.subarray(0, body.length / 2), () => response.destroy());
    return response;
  };
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://feed').pathname;
    asked.push(path);
    answer(path, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    offer: (nextVersion, nextManner) => {
      version = nextVersion;
      manner = nextManner;
    },
    asked,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
