import { type ErrorCode, IsgError } from '../runtime/errors.ts';

/** The request a failure belongs to. The path has no query: that may hold upload ids or signatures. */
export interface CallName {
  method: string;
  path: string;
}

/** An answer that is not a success. */
export interface RefusedAnswer {
  status: number;
  text: string;
  retryAfterMs: number | null;
}

/** Longest quotation of an answer in a message. */
const QUOTE_LENGTH = 300;

const UNREACHABLE_ADVICE =
  'Nothing is lost: the node tries again. If it lasts, check iconik-url, DNS, firewall and proxy.';

/** Statuses whose class is more than "iconik refused this request". */
const CODE_OF_STATUS: Record<number, ErrorCode> = {
  401: 'iconik-unauthorized',
  403: 'iconik-forbidden',
  404: 'iconik-not-found',
  407: 'iconik-unreachable',
  408: 'iconik-unreachable',
  409: 'iconik-conflict',
  429: 'iconik-throttled',
};

const ADVICE: Partial<Record<ErrorCode, string>> = {
  'iconik-unauthorized':
    'The application token is not accepted, so nothing can be read from or written to iconik. Check app-id and auth-token in config.ini, or make a new token under Admin > Settings > Application Tokens.',
  'iconik-forbidden': 'The user behind the application token lacks the permission for this. Grant it in iconik.',
  'iconik-throttled': 'The request budget is used up; the node waits and tries again.',
  'iconik-unreachable': UNREACHABLE_ADVICE,
};

/** What only iconik itself can know: said by a load balancer, it must make nobody take a record for gone. */
const TELLS_OF_RECORDS = new Set([404, 409]);

/** 401 is the state of the whole node, not of this request: it is cured outside, so trying again later can help. */
function retryOf(code: ErrorCode, status: number): 'transient' | 'permanent' {
  if (code === 'iconik-unreachable' || code === 'iconik-throttled' || code === 'iconik-unauthorized')
    return 'transient';
  return status === 425 || status === 423 ? 'transient' : 'permanent';
}

function codeOf(status: number): ErrorCode {
  const known = CODE_OF_STATUS[status];
  if (known) return known;
  if (status === 501) return 'iconik-rejected';
  if (status >= 500) return 'iconik-unreachable';
  return status >= 400 ? 'iconik-rejected' : 'iconik-answer-unreadable';
}

function quote(text: string): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  return flat.length > QUOTE_LENGTH ? `${flat.slice(0, QUOTE_LENGTH)}…` : flat;
}

function property(thrown: unknown, name: string): unknown {
  return typeof thrown === 'object' && thrown !== null && name in thrown
    ? (thrown as Record<string, unknown>)[name]
    : undefined;
}

function wordsOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(wordsOf).join('; ');
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([field, what]) => `${field}: ${wordsOf(what)}`)
      .join('; ');
  }
  return String(value);
}

/** What an error body says, and whether it can be iconik's own. */
interface ErrorBody {
  /** Short quotation for messages; may be empty. */
  words: string;
  /** False when something in between (load balancer, proxy) must have answered: there is a body, and it is not JSON. */
  fromIconik: boolean;
}

/** Reads iconik's two shapes, `{errors: [text]}` and `{errors: {field: text}}` (reference C.1), and anything else. */
function readErrorBody(text: string): ErrorBody {
  if (text.trim() === '') return { words: '', fromIconik: true };
  try {
    const parsed: unknown = JSON.parse(text);
    return { words: quote(wordsOf(property(parsed, 'errors') ?? parsed)), fromIconik: true };
  } catch {
    // not JSON: an answer of something in between
    return { words: quote(text.replace(/<[^>]*>/g, ' ')), fromIconik: false };
  }
}

/**
 * The error of an answer that is no success. `fields`: method, path, status, `sent: true`, `fromIconik`, `retryAfterMs`
 * of a 429. A refusal that is not iconik's own is transient whatever its status: it says nothing about the request.
 */
export function failureOfStatus(call: CallName, answer: RefusedAnswer): IsgError {
  const { status } = answer;
  const { words, fromIconik } = readErrorBody(answer.text);
  const code = fromIconik || !TELLS_OF_RECORDS.has(status) ? codeOf(status) : 'iconik-unreachable';
  const said = `answered ${status} to ${call.method} ${call.path}${words ? `: "${words}"` : ''}.`;
  const hints = [
    fromIconik ? `iconik ${said}` : `Something between here and iconik ${said} Check iconik-url and the proxy.`,
    status >= 300 && status < 400 ? 'A redirect is not followed: check iconik-url.' : '',
    status === 407 ? 'The proxy asks for a user and password: put them into https-proxy.' : '',
    ADVICE[code] ?? '',
  ];
  return new IsgError(code, hints.filter((hint) => hint !== '').join(' '), {
    retry: fromIconik ? retryOf(code, status) : 'transient',
    fields: { ...call, status, sent: true, fromIconik, retryAfterMs: answer.retryAfterMs },
  });
}

/** The error of a success whose body is not JSON. */
export function failureOfUnreadable(call: CallName, status: number, contentType: string): IsgError {
  return new IsgError(
    'iconik-answer-unreadable',
    `The answer ${status} to ${call.method} ${call.path} is not JSON (${contentType || 'no content type'}); something between here and iconik may have answered. Check iconik-url and the proxy.`,
    { retry: 'transient', fields: { ...call, status, sent: true, fromIconik: false } },
  );
}

/** Errors of connecting: nothing of the request has left. */
const BEFORE_SENDING = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_PRX_CONN',
  'UND_ERR_PRX_TLS',
  'UND_ERR_INVALID_ARG',
]);
/** Codes of a certificate that is not accepted; the handshake comes before the request. */
const CERTIFICATE =
  /^(CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_(VERIFY|GET_ISSUER)|ERR_TLS_CERT_ALTNAME|ERR_SSL_(WRONG_VERSION|UNSUPPORTED))/;

/** Error code of Node or undici, or ''. */
function codeWord(thrown: unknown): string {
  const code = property(thrown, 'code');
  return typeof code === 'string' ? code : '';
}

function failedBeforeSending(thrown: unknown): boolean {
  const parts = property(thrown, 'errors');
  if (Array.isArray(parts) && parts.length > 0) return parts.every(failedBeforeSending);
  const code = codeWord(thrown);
  const syscall = property(thrown, 'syscall');
  const message = thrown instanceof Error ? thrown.message : '';
  return (
    BEFORE_SENDING.has(code) ||
    CERTIFICATE.test(code) ||
    syscall === 'connect' ||
    syscall === 'getaddrinfo' ||
    message.includes('when HTTP Tunneling')
  );
}

/** The error of a request that got no answer. `fields.sent` is false only when nothing of it can have left this node. */
export function failureOfTransport(call: CallName, thrown: unknown): IsgError {
  const code = codeWord(thrown);
  const what = code || (thrown instanceof Error ? thrown.message : String(thrown));
  const hint = CERTIFICATE.test(code)
    ? " The server's certificate is not trusted: check iconik-url, this machine's clock, and NODE_EXTRA_CA_CERTS if a proxy inspects TLS."
    : ` ${UNREACHABLE_ADVICE}`;
  return new IsgError(
    'iconik-unreachable',
    `iconik did not answer ${call.method} ${call.path} (${quote(what)}).${hint}`,
    {
      retry: 'transient',
      cause: thrown,
      fields: { ...call, sent: !failedBeforeSending(thrown), fromIconik: false },
    },
  );
}

/** The error of a request that had no answer within its time. */
export function failureOfTimeout(call: CallName, afterMs: number): IsgError {
  return new IsgError(
    'iconik-unreachable',
    `iconik did not answer ${call.method} ${call.path} within ${Math.round(afterMs)} ms. ${UNREACHABLE_ADVICE}`,
    { retry: 'transient', fields: { ...call, sent: true, fromIconik: false } },
  );
}

/** The error of a call that its caller gave up: the caller's own reason where it is an `IsgError`, else `cancelled`. */
export function failureOfAbort(reason: unknown, fields: Record<string, unknown> & { sent: boolean }): IsgError {
  if (reason instanceof IsgError) {
    return new IsgError(reason.code, reason.message, {
      retry: reason.retry,
      cause: reason,
      fields: { ...reason.fields, ...fields, abandoned: true },
    });
  }
  return new IsgError('cancelled', 'The call to iconik was given up by its caller.', {
    retry: 'transient',
    cause: reason,
    fields: { ...fields, abandoned: true },
  });
}
