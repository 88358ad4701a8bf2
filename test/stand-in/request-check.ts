import type { FastifyRequest } from 'fastify';
import type { Call } from './api/call.ts';
import { type Operation, operationKey } from './published/published-api.ts';
import type { PublishedFacts } from './published-facts.ts';
import type { IconikState } from './state/iconik-state.ts';
import type { Fault } from './validation/request-validator.ts';

/** A request after the check; without faults, query and body are what the published API allows. */
export type CheckedRequest = Pick<Call, 'params' | 'query' | 'body'> & { faults: Fault[] };

/** Faults with a field become the field shape, others the list shape (reference C.1). */
export function errorsOf(faults: Fault[]): string[] | Record<string, string> {
  const isByField = faults.every((fault) => fault.field !== '');
  return isByField
    ? Object.fromEntries(faults.map(({ field, message }) => [field, message]))
    : faults.map(({ message }) => message);
}

/** Checks query and body of a request against the published facts. */
export function checkRequest(
  facts: PublishedFacts,
  state: IconikState,
  operation: Operation,
  request: FastifyRequest,
): CheckedRequest {
  const { query, faults } = facts.validator.query(operation, request.query as Record<string, unknown>);
  const parsed = parseBody(request);
  faults.push(...(parsed.fault ? [parsed.fault] : facts.validator.body(operation, parsed.body)));
  const body = (parsed.body ?? {}) as Record<string, unknown>;
  const params = request.params as Record<string, string>;
  if (faults.length === 0 && isStorageWrite(operation)) {
    const method = body.method ?? state.storages.get(params.storage_id)?.method;
    if (method === 'FILE') faults.push(...settingsFaults(facts, body.settings));
  }
  return { params, query, body, faults };
}

const isStorageWrite = (operation: Operation): boolean =>
  /^(POST|PUT|PATCH) \/API\/files\/v1\/storages\/(\{storage_id\}\/)?$/.test(operationKey(operation));

/** Settings of a FILE storage are open in the file, but not in reference A2.2. */
function settingsFaults(facts: PublishedFacts, settings: unknown): Fault[] {
  if (settings === undefined) return [];
  const faults = facts.validator.value('FileSettingsSchema', settings);
  return faults.map((fault) => ({ ...fault, field: `settings.${fault.field}` }));
}

function parseBody(request: FastifyRequest): { body?: unknown; fault?: Fault } {
  const text = request.body;
  if (typeof text !== 'string' || text === '') return {};
  if (!request.headers['content-type']?.startsWith('application/json')) {
    return { fault: { field: '', message: 'the body must be application/json' } };
  }
  try {
    return { body: JSON.parse(text) };
  } catch {
    return { fault: { field: '', message: 'the body is not JSON' } };
  }
}
