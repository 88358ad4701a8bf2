import type { z } from 'zod';
import type { Clock } from '../runtime/clock.ts';
import { coerceError, IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { CallLimits } from './api.ts';
import type { HttpAnswer, HttpCall, HttpRequest } from './http-call.ts';
import type { HealthWatch } from './iconik-health.ts';
import type { RequestBudget } from './request-budget.ts';
import type { RequestLine } from './request-lines-state.ts';
import { withRetry } from './retry.ts';

/** Query of a call. */
export type Query = NonNullable<HttpRequest['query']>;

/** The ways the services talk to iconik: each decides what may be repeated. */
export interface ServiceRequests {
  /** GET, repeated when that can help; the answer parsed. */
  read<T>(path: string, schema: z.ZodType<T>, options?: { query?: Query; limits?: CallLimits | undefined }): Promise<T>;
  /** A write that means the same when it arrives twice; repeated when that can help. The answer is not looked at. */
  write(
    request: { method: 'PATCH' | 'PUT' | 'DELETE' | 'POST'; path: string; body?: unknown; query?: Query },
    limits: CallLimits | undefined,
  ): Promise<void>;
  /** POST that creates: sent once, never repeated; the answer parsed. */
  create<T>(
    path: string,
    options: { schema: z.ZodType<T>; body: unknown; limits: CallLimits | undefined; query?: Query },
  ): Promise<T>;
  /** POST that changes nothing that lasts, repeated when that can help; the answer parsed. */
  ask<T>(
    request: { path: string; body: unknown; query?: Query },
    options: { schema: z.ZodType<T>; limits: CallLimits | undefined },
  ): Promise<T>;
  /** For what the services notice in answers. */
  log: Logger;
}

/** What the requests go through. */
export interface ServiceRequestsOptions {
  call: HttpCall;
  budget: RequestBudget;
  watch: HealthWatch;
  clock: Clock;
  random: () => number;
  log: Logger;
  /** Where its requests wait for their turn. */
  line: RequestLine;
}

/** The answer as `schema` says, or `iconik-answer-unreadable`. The message names the fields, never their values. */
export function parseAnswer<T>(schema: z.ZodType<T>, body: unknown, path: string): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(whole)'}: ${issue.code}`).join(', ');
  throw new IsgError(
    'iconik-answer-unreadable',
    `iconik's answer to ${path} lacks what this version needs (${where}). Update ISG Pro, or report this line.`,
    { retry: 'permanent', fields: { path, sent: true, fromIconik: true } },
  );
}

/** `error` unless it says that the thing is not there; then nothing. For writes whose aim is that it is gone. */
export function exceptGone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

/** Whether iconik said 404. Only its own 404 counts: a proxy that answers 404 knows nothing of iconik's records. */
export function isNotFound(thrown: unknown): boolean {
  return thrown instanceof IsgError && thrown.code === 'iconik-not-found' && thrown.fields.fromIconik === true;
}

/** How long a call that tries whether iconik is back may take: recovery must not wait for the limit of an ordinary call. */
const PROBE_LIMIT_MS = 5_000;

/** The requests of one client: turn from the budget, leave from the breaker, one call, its end reported to both. */
export function createServiceRequests(options: ServiceRequestsOptions): ServiceRequests {
  const { call, budget, watch, clock, random, log, line } = options;

  async function sendOnce(request: HttpRequest, mayProbe: boolean): Promise<HttpAnswer> {
    await budget.take(request.signal, line);
    const pass = watch.admit({ mayProbe });
    try {
      const answer = await call(pass.isProbe ? { ...request, timeoutMs: PROBE_LIMIT_MS } : request);
      budget.answered(answer.rateLimitRemaining);
      pass.succeeded();
      return answer;
    } catch (thrown) {
      const error = coerceError(thrown);
      const { retryAfterMs } = error.fields;
      if (error.code === 'iconik-throttled') budget.throttled(typeof retryAfterMs === 'number' ? retryAfterMs : null);
      pass.failed(error);
      throw error;
    }
  }

  function sendRepeatedly(request: HttpRequest): Promise<HttpAnswer> {
    return withRetry(() => sendOnce(request, true), { clock, random, signal: request.signal });
  }

  return {
    log,
    async read(path, schema, { query, limits } = {}) {
      const answer = await sendRepeatedly({ method: 'GET', path, ...(query && { query }), signal: limits?.signal });
      return parseAnswer(schema, answer.body, path);
    },
    async write(request, limits) {
      await sendRepeatedly({ ...request, signal: limits?.signal });
    },
    async ask(request, { schema, limits }) {
      const answer = await sendRepeatedly({ method: 'POST', ...request, signal: limits?.signal });
      return parseAnswer(schema, answer.body, request.path);
    },
    async create(path, { schema, body, limits, query }) {
      const request = { method: 'POST' as const, path, body, ...(query && { query }), signal: limits?.signal };
      const answer = await sendOnce(request, false);
      return parseAnswer(schema, answer.body, path);
    },
  };
}
