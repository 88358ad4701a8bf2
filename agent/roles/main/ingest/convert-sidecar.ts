import { Agent, request } from 'undici';
import type { FileStorageSettings } from '../../../iconik/api.ts';
import { IsgError } from '../../../runtime/errors.ts';
import { isOutOfReach, lookupWithin } from '../../../runtime/outbound-address.ts';
import type { SidecarFormat, SidecarReading } from './sidecar-plan.ts';
import { converterHeaders, readJsonSidecar } from './sidecar-plan.ts';

/** A converter that takes longer holds up one lane of ingest. */
const TIMEOUT_MS = 20_000;
/** Whoever administrates the storage names the host: not every address is one. */
const dispatcher = new Agent({ connect: { lookup: lookupWithin('named') } });
/** Longer answers are refused. */
const MAX_ANSWER_BYTES = 1024 * 1024;

const CONTENT_TYPES: Record<SidecarFormat, string> = { json: 'application/json', xml: 'text/xml', csv: 'text/csv' };

function away(why: string): IsgError {
  const message = `The metadata converter of the storage cannot be used now (${why}); the file waits for it.`;
  return new IsgError('sidecar-awaited', message, { retry: 'transient' });
}

async function readAnswer(body: AsyncIterable<Buffer>): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * Lets the storage's converter turn a sidecar into iconik's shape: POST of the content, JSON back. A refusal (4xx) is the
 * sidecar's fault; an outage (no answer, 5xx, 429) throws `sidecar-awaited`. Neither address nor headers are ever named:
 * both may hold a token.
 */
export async function convertSidecar(
  settings: FileStorageSettings,
  sidecar: { format: SidecarFormat; text: string },
  signal: AbortSignal,
): Promise<SidecarReading> {
  const url = settings.metadata_conversion_url ?? '';
  const parsed = URL.parse(url);
  if (!parsed || isOutOfReach(parsed))
    return { kind: 'invalid', reason: 'cannot be converted: the converter is no web address' };
  const headers = {
    'content-type': CONTENT_TYPES[sidecar.format],
    ...converterHeaders(settings.metadata_conversion_url_headers),
  };
  let status: number;
  let text: string | null;
  try {
    const timed = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const call = { method: 'POST', headers, body: sidecar.text, signal: timed, dispatcher } as const;
    const answer = await request(parsed, call);
    status = answer.statusCode;
    text = await readAnswer(answer.body);
  } catch {
    signal.throwIfAborted();
    throw away('it does not answer');
  }
  if (status === 429 || status >= 500) throw away(`it answers ${status}`);
  if (status >= 300) return { kind: 'invalid', reason: `was refused by the metadata converter (${status})` };
  if (text === null) return { kind: 'invalid', reason: 'became longer than 1 MiB in the metadata converter' };
  const reading = readJsonSidecar(text);
  return reading.kind === 'values'
    ? reading
    : { ...reading, reason: `came back from the converter and ${reading.reason}` };
}
