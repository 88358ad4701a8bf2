import { z } from 'zod';

const errorSchema = z.object({ code: z.string(), message: z.string().catch('') });

const storedSchema = z.object({ contentSha1: z.string(), contentLength: z.number() });

/** An error of B2; null when the body is none. */
export function b2ErrorOf(body: string): z.infer<typeof errorSchema> | null {
  return parsed(errorSchema, body);
}

/** What B2 says it has taken: SHA-1 in hex (may be prefixed `unverified:`) and length; null when the body says neither. */
export function b2StoredOf(body: string): z.infer<typeof storedSchema> | null {
  return parsed(storedSchema, body);
}

function parsed<T>(schema: z.ZodType<T>, body: string): T | null {
  try {
    return schema.safeParse(JSON.parse(body)).data ?? null;
  } catch {
    // Not JSON: the answer of a proxy or load balancer.
    return null;
  }
}
