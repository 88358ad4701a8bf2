/** What lies below a thrown error: every error it names as its cause, or as one of several, outermost first. */
function* below(thrown: unknown, depth = 0): Generator<object> {
  if (typeof thrown !== 'object' || thrown === null || depth > 8) return;
  yield thrown;
  if ('cause' in thrown) yield* below(thrown.cause, depth + 1);
  if ('errors' in thrown && Array.isArray(thrown.errors)) for (const one of thrown.errors) yield* below(one, depth + 1);
}

const textOf = (holder: object, name: 'code' | 'message'): string => {
  const value = name in holder ? (holder as Record<string, unknown>)[name] : undefined;
  return typeof value === 'string' ? value : '';
};

/** What a failed call says of itself, down to the socket. Texts may hold addresses, never credentials. */
export interface ErrorTrail {
  /** Codes of Node, OpenSSL, undici or PostgreSQL, outermost first. */
  codes: readonly string[];
  /** All messages, in one line. */
  words: string;
}

/** Collects codes and messages of an error and of everything it was caused by. Pure. */
export function errorTrail(thrown: unknown): ErrorTrail {
  const errors = [...below(thrown)];
  const codes = errors.map((error) => textOf(error, 'code')).filter((code) => code !== '');
  const messages = errors.map((error) => textOf(error, 'message')).filter((message) => message !== '');
  return { codes, words: [...new Set(messages)].join(' · ').replace(/\s+/g, ' ') };
}
