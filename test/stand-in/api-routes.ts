import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Answer, ApiError, type Call, type Handler } from './api/call.ts';
import { handlers } from './api/handlers.ts';
import type { Faults, Strike } from './faults/fault-plan.ts';
import { RequestBudget } from './faults/request-budget.ts';
import type { B2LargeFiles } from './object-store/b2-large-files.ts';
import type { MultipartUploads } from './object-store/multipart-uploads.ts';
import type { ObjectDisk } from './object-store/object-disk.ts';
import type { SignedUrls } from './object-store/signed-urls.ts';
import { type Operation, operationKey } from './published/published-api.ts';
import type { PublishedFacts } from './published-facts.ts';
import { checkRequest, errorsOf } from './request-check.ts';
import { type IconikState, isoNow } from './state/iconik-state.ts';
import type { Violation } from './state/snapshot.ts';
import type { Fault } from './validation/request-validator.ts';

/** What the API routes need, and what they count. */
export interface ApiContext {
  facts: PublishedFacts;
  state: IconikState;
  faults: Faults;
  urls: SignedUrls;
  uploads: MultipartUploads;
  disk: ObjectDisk;
  b2: B2LargeFiles;
  violations: Violation[];
  answerFaults: Violation[];
  calls: Map<string, number>;
  /** Writes to be applied after their caller was cut off. */
  lateTimers: Set<NodeJS.Timeout>;
}

interface Toolkit extends ApiContext {
  budget: RequestBudget;
}

/** Registers every published operation: faults, token, check against the facts, handler, reduced answer. */
export async function apiRoutes(app: FastifyInstance, context: ApiContext): Promise<void> {
  const { facts, state } = context;
  const toolkit: Toolkit = { ...context, budget: new RequestBudget(state.nowMs) };
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, text, done) => done(null, text));
  const shapes = new Set<string>();
  for (const operation of facts.published.operations) {
    const url = operation.path.replaceAll(/\{(\w+)\}/g, ':$1');
    const shape = `${operation.method} ${operation.path.replaceAll(/\{\w+\}/g, '{}')}`;
    // The file has two names for one path (format by id, format by name); one handler serves both.
    if (shapes.has(shape)) continue;
    shapes.add(shape);
    const handler = handlers[operationKey(operation)];
    app.route({
      method: operation.method,
      url,
      handler: (request, reply) => serve(toolkit, { operation, handler }, request, reply),
    });
  }
  app.setErrorHandler((error, request, reply) => {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    record(context.answerFaults, state, { method: request.method, path: request.url }, [{ field: '', message }]);
    return reply.code(500).send({ errors: ['The stand-in failed'] });
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    record(context.violations, state, { method: request.method, path }, [
      { field: '', message: 'no such call is published' },
    ]);
    return reply.code(404).send({ errors: ['Not found'] });
  });
}

function record(list: Violation[], state: IconikState, call: { method: string; path: string }, faults: Fault[]): void {
  list.push({ at: isoNow(state), method: call.method, path: call.path, faults });
}

interface Target {
  operation: Operation;
  handler: Handler | undefined;
}

async function serve(toolkit: Toolkit, target: Target, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { faults, state, calls, facts } = toolkit;
  const key = operationKey(target.operation);
  calls.set(key, (calls.get(key) ?? 0) + 1);
  reply.header('RateLimit-Remaining', String(toolkit.budget.take(String(request.headers['app-id'] ?? ''))));
  if (faults.plan.latencyMs) await new Promise((resolve) => setTimeout(resolve, faults.plan.latencyMs));
  const path = request.url.split('?')[0] ?? '';
  const strike = faults.strike(request.method, path);
  const { budget = false } = faults.plan;
  const limit = typeof budget === 'object' ? budget : undefined;
  const isOverBudget = budget !== false && toolkit.budget.isSpent(String(request.headers['app-id'] ?? ''), limit);
  if (strike.kind === 'throttle' || isOverBudget) return refuse(reply, 429, ['Rate limit exceeded']);
  if (strike.kind === 'status') return refuse(reply, strike.code, ['Injected fault']);
  if (!isAllowed(toolkit, request)) return refuse(reply, 401, ['Token is not valid']);
  const checked = checkRequest(facts, state, target.operation, request);
  if (checked.faults.length > 0) {
    record(toolkit.violations, state, { method: request.method, path }, checked.faults);
    return refuse(reply, 400, errorsOf(checked.faults));
  }
  const { urls, uploads, b2, disk } = toolkit;
  const call = { state, path, urls, uploads, b2, disk, listLagMs: faults.plan.listLagMs ?? 0, ...checked };
  await apply(toolkit, { ...target, strike, call }, request, reply);
}

function refuse(reply: FastifyReply, status: number, errors: string[] | Record<string, string>): void {
  void reply.code(status).send({ errors });
}

function isAllowed({ faults, state }: Toolkit, request: FastifyRequest): boolean {
  if (faults.plan.unauthorized) faults.counts.unauthorized += 1;
  const { appId, authToken } = state.account;
  return (
    !faults.plan.unauthorized && request.headers['app-id'] === appId && request.headers['auth-token'] === authToken
  );
}

interface Application extends Target {
  strike: Strike;
  call: Call;
}

async function apply(
  toolkit: Toolkit,
  application: Application,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { strike } = application;
  if (strike.kind === 'late-commit') {
    const timer = setTimeout(() => {
      toolkit.lateTimers.delete(timer);
      void answerTo(toolkit, application).catch((thrown: unknown) => {
        const faults = [{ field: '', message: String(thrown) }];
        record(toolkit.answerFaults, toolkit.state, { method: request.method, path: application.call.path }, faults);
      });
    }, strike.delayMs);
    toolkit.lateTimers.add(timer);
    return cutOff(request, reply);
  }
  const answer = await answerTo(toolkit, application);
  if (strike.kind === 'drop-after-commit') return cutOff(request, reply);
  void reply.code(answer.status).send(answer.body);
}

/** The caller sees its connection break, and cannot know whether the call was applied. */
function cutOff(request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack();
  request.raw.socket.destroy();
}

async function answerTo(toolkit: Toolkit, { operation, handler, call }: Application): Promise<Answer> {
  try {
    if (!handler) throw new ApiError(501, 'The stand-in does not imitate this call');
    const answer = await handler(call);
    return finished(toolkit, operation, call, answer);
  } catch (thrown) {
    if (!(thrown instanceof ApiError)) throw thrown;
    return { status: thrown.status, body: { errors: thrown.errors } };
  }
}

/** Reduces an answer to what is published, and notes where the stand-in itself departs from it. */
function finished(toolkit: Toolkit, operation: Operation, call: Call, answer: Answer): Answer {
  const schema = answer.schema ? { $ref: `#/definitions/${answer.schema}` } : operation.answers[String(answer.status)];
  if (!schema || answer.body === undefined)
    return answer.body === undefined && answer.status !== 204 ? { ...answer, body: {} } : answer;
  const body = toolkit.facts.project(schema, answer.body);
  const faults = answer.schema
    ? []
    : toolkit.facts.validator.answer(operation, answer.status, JSON.parse(JSON.stringify(body)));
  if (faults.length > 0)
    record(toolkit.answerFaults, toolkit.state, { method: operation.method, path: call.path }, faults);
  return { status: answer.status, body };
}
