import { readFileSync } from 'node:fs';
import { beyond } from './beyond.ts';

/** A JSON schema in the plain vocabulary (plus `readOnly`), as committed in api.json. References are `#/definitions/NAME`. */
export type JsonSchema = {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  enum?: unknown[];
  readOnly?: boolean;
  writeOnly?: boolean;
  additionalProperties?: boolean | JsonSchema;
  anyOf?: JsonSchema[];
  allOf?: JsonSchema[];
  [keyword: string]: unknown;
};

/** One query parameter: its schema and whether a call without it is wrong. */
export type QueryParameter = JsonSchema & { mandatory?: boolean };

/** One call of the published API. */
export interface Operation {
  method: string;
  /** With `{name}` placeholders, always ending in a slash. */
  path: string;
  /** Path parameters that are more than free text. */
  params?: Record<string, JsonSchema>;
  query?: Record<string, QueryParameter>;
  body?: JsonSchema;
  bodyRequired?: boolean;
  /** Success code → schema of the answer (null: no content described). */
  answers: Record<string, JsonSchema | null>;
}

/** The published API with the facts of reference.md beyond it laid on top. */
export interface PublishedApi {
  operations: Operation[];
  definitions: Record<string, JsonSchema>;
}

/** `METHOD /path/{x}/`: how handlers and lists name an operation. */
export const operationKey = (operation: Pick<Operation, 'method' | 'path'>): string =>
  `${operation.method} ${operation.path}`;

/** Reads api.json and adds what beyond.ts lists; throws if beyond.ts names something the file does not have. */
export function loadPublishedApi(): PublishedApi {
  const api = JSON.parse(readFileSync(new URL('./api.json', import.meta.url), 'utf8')) as PublishedApi;
  for (const addition of beyond) {
    if (addition.kind === 'definition') {
      api.definitions[addition.name] = addition.schema;
    } else if (addition.kind === 'property') {
      for (const name of addition.schemas) {
        const properties = named(api, name).properties ?? {};
        named(api, name).properties = { ...properties, [addition.property]: addition.schema };
      }
    } else if (addition.kind === 'values') {
      for (const name of addition.schemas) addValues(api, name, addition);
    } else if (addition.kind === 'query') {
      const operation = operationNamed(api, addition.operation);
      operation.query = { ...operation.query, [addition.parameter]: addition.schema };
    } else if (addition.kind === 'query-optional') {
      const operation = operationNamed(api, addition.operation);
      operation.query = { ...operation.query, [addition.parameter]: { type: 'string' } };
    } else {
      operationNamed(api, addition.operation).body = addition.schema;
    }
  }
  return api;
}

function named(api: PublishedApi, name: string): JsonSchema {
  const schema = api.definitions[name];
  if (!schema) throw new Error(`beyond.ts names the schema ${name}, which api.json does not have`);
  return schema;
}

function operationNamed(api: PublishedApi, key: string): Operation {
  const operation = api.operations.find((candidate) => operationKey(candidate) === key);
  if (!operation) throw new Error(`beyond.ts names the operation ${key}, which api.json does not have`);
  return operation;
}

function addValues(api: PublishedApi, name: string, addition: { property: string; values: readonly string[] }): void {
  const property = named(api, name).properties?.[addition.property];
  if (!property?.enum)
    throw new Error(`beyond.ts adds values to ${name}.${addition.property}, which is no enumeration`);
  property.enum = [...property.enum, ...addition.values.filter((value) => !property.enum?.includes(value))];
}
