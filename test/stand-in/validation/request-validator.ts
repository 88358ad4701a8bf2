import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import ajvFormats from 'ajv-formats';
import type { JsonSchema, Operation, PublishedApi, QueryParameter } from '../published/published-api.ts';
import { operationKey } from '../published/published-api.ts';

/** One thing wrong with one call: where (`body`, `query` or a property path) and what. */
export interface Fault {
  /** Field name, dotted; empty = the call as a whole. */
  field: string;
  message: string;
}

/** Query values after parsing by the published types. */
type Query = Record<string, string | number | boolean>;

/** Checks calls against the published facts. */
export interface RequestValidator {
  /** Parses the raw query by the published types; faults for unknown, missing or malformed parameters. */
  query(operation: Operation, raw: Record<string, unknown>): { query: Query; faults: Fault[] };
  /** Faults of a JSON body (undefined = none sent): unknown and read-only properties, types, enumerations, limits. */
  body(operation: Operation, body: unknown): Fault[];
  /** Faults of a value against a named schema, as if it were sent. */
  value(schemaName: string, value: unknown): Fault[];
  /** Faults of an answer of our own: like a body, but read-only properties belong there and optional ones may be null. */
  answer(operation: Operation, status: number, body: unknown): Fault[];
}

type AjvFormats = (ajv: Ajv) => Ajv;

/** Makes the validator; schemas are compiled when first used. */
export function createRequestValidator(api: PublishedApi): RequestValidator {
  const requests = compiler(
    closedDefinitions(api.definitions, (schema) => schema),
    true,
  );
  const answers = compiler(closedDefinitions(api.definitions, nullsAllowed), false);
  return {
    query: (operation, raw) => parseQuery(operation.query ?? {}, raw),
    body: (operation, body) => {
      const isEmpty = body === undefined || body === null;
      if (!operation.body) return isEmpty ? [] : [{ field: '', message: 'this call takes no body' }];
      if (isEmpty) return operation.bodyRequired ? [{ field: '', message: 'a JSON body is required' }] : [];
      return faultsOf(requests(`request ${operationKey(operation)}`, operation.body), body);
    },
    value: (name, value) => faultsOf(requests(`value ${name}`, { $ref: `#/definitions/${name}` }), value),
    answer: (operation, status, body) => {
      if (!(String(status) in operation.answers)) return [{ field: '', message: `status ${status} is not published` }];
      const schema = operation.answers[String(status)];
      return schema ? faultsOf(answers(`answer ${status} ${operationKey(operation)}`, nullsAllowed(schema)), body) : [];
    },
  };
}

type Definitions = Record<string, JsonSchema>;

/** Compiles by name, once. `definitions` are put into each compiled root, so that local references resolve. */
function compiler(definitions: Definitions, areReadOnlyRefused: boolean) {
  const ajv = new Ajv({ allErrors: true, strict: false });
  (ajvFormats as unknown as AjvFormats)(ajv);
  ajv.removeKeyword('readOnly');
  ajv.addKeyword({
    keyword: 'readOnly',
    error: { message: 'is read only' },
    validate: (isReadOnly: boolean) => !(isReadOnly && areReadOnlyRefused),
  });
  ajv.addSchema({ $id: 'published', definitions });
  const compiled = new Map<string, ValidateFunction>();
  return (name: string, schema: JsonSchema): ValidateFunction => {
    const known = compiled.get(name);
    if (known) return known;
    const absolute = JSON.parse(
      JSON.stringify(closed(schema)).replaceAll('"#/definitions/', '"published#/definitions/'),
    );
    const made = ajv.compile(absolute);
    compiled.set(name, made);
    return made;
  };
}

const closedDefinitions = (definitions: Definitions, change: (schema: JsonSchema) => JsonSchema): Definitions =>
  Object.fromEntries(Object.entries(definitions).map(([name, schema]) => [name, closed(change(schema))]));

/** Unknown properties become faults wherever the schema names any and does not open itself. */
function closed(schema: JsonSchema): JsonSchema {
  const out: JsonSchema = { ...schema };
  if (schema.properties) {
    out.properties = Object.fromEntries(Object.entries(schema.properties).map(([key, value]) => [key, closed(value)]));
    if (schema.additionalProperties === undefined) out.additionalProperties = false;
  }
  if (schema.items) out.items = closed(schema.items);
  return out;
}

/** Optional properties may come back as null (reference Appendix 2). */
function nullsAllowed(schema: JsonSchema): JsonSchema {
  if (!schema.properties) return schema;
  const required = new Set(schema.required);
  const entries = Object.entries(schema.properties).map(([name, property]): [string, JsonSchema] => [
    name,
    required.has(name) ? property : { anyOf: [property, { type: 'null' }] },
  ]);
  return { ...schema, properties: Object.fromEntries(entries) };
}

function faultsOf(validate: ValidateFunction, value: unknown): Fault[] {
  return validate(value) ? [] : (validate.errors ?? []).map(faultOf);
}

function faultOf(error: ErrorObject): Fault {
  const path = error.instancePath.split('/').filter(Boolean);
  const extra = error.params.additionalProperty ?? error.params.missingProperty;
  if (typeof extra === 'string') path.push(extra);
  const isUnknown = error.keyword === 'additionalProperties';
  const values = error.keyword === 'enum' ? `: ${JSON.stringify(error.params.allowedValues)}` : '';
  return {
    field: path.join('.'),
    message: isUnknown ? 'unknown property' : `${error.message ?? error.keyword}${values}`,
  };
}

function parseQuery(
  parameters: Record<string, QueryParameter>,
  raw: Record<string, unknown>,
): { query: Query; faults: Fault[] } {
  const query: Query = {};
  const faults: Fault[] = [];
  for (const [name, value] of Object.entries(raw)) {
    const parameter = parameters[name];
    const parsed = parameter && typeof value === 'string' ? parseParameter(parameter, value) : undefined;
    if (!parameter) faults.push({ field: name, message: 'unknown query parameter' });
    else if (parsed === undefined) faults.push({ field: name, message: `not a valid ${String(parameter.type)}` });
    else query[name] = parsed;
  }
  for (const [name, parameter] of Object.entries(parameters)) {
    if (parameter.mandatory && !(name in raw))
      faults.push({ field: name, message: 'this query parameter is required' });
  }
  return { query, faults };
}

function parseParameter(parameter: QueryParameter, value: string): string | number | boolean | undefined {
  if (parameter.type === 'boolean') return value === 'true' ? true : value === 'false' ? false : undefined;
  if (parameter.type !== 'integer') return parameter.enum && !parameter.enum.includes(value) ? undefined : value;
  const number = /^-?\d+$/.test(value) ? Number(value) : Number.NaN;
  const { minimum, maximum } = parameter as { minimum?: number; maximum?: number };
  return Number.isSafeInteger(number) && number >= (minimum ?? -Infinity) && number <= (maximum ?? Infinity)
    ? number
    : undefined;
}
