import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { APP_ORIGIN, contentPolicy, NONCE_PLACE } from './content-policy.ts';

/** Types of the files that a build of the window consists of; others are not served. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

/**
 * The answer to a request: a file of the folder with the policy, else 404 without saying why. Only plain names below the
 * folder are looked at; everything that could lead out of it is refused, however it is encoded.
 */
export async function answerAppRequest(request: { method: string; url: string }, folder: string): Promise<Response> {
  const path = filePath(request.url);
  const type = path === null ? undefined : TYPES[extname(path)];
  if (request.method !== 'GET' || path === null || type === undefined) return notFound();
  const nonce = randomBytes(16).toString('base64');
  const content = await readFile(join(folder, path)).catch(() => null);
  if (content === null) return notFound();
  const body = type.startsWith('text/html') ? content.toString('utf8').replaceAll(NONCE_PLACE, nonce) : content;
  return new Response(body, {
    headers: {
      'content-type': type,
      'content-security-policy': contentPolicy(nonce),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
    },
  });
}

/** A path of plain names; null for anything else. */
function filePath(url: string): string | null {
  if (!url.startsWith(APP_ORIGIN)) return null;
  const path = url.slice(APP_ORIGIN.length).replace(/[?#].*$/s, '');
  const names = path.split('/');
  // a name begins with a letter, digit or "_": no "..", no hidden file, no drive, no percent sign, no backslash
  return names.every((name) => /^\w[\w.-]*$/.test(name)) ? names.join('/') : null;
}

function notFound(): Response {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'content-security-policy': "default-src 'none'" };
  return new Response('Not found', { status: 404, headers });
}
