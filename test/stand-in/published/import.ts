/**
 * Makes api.json from an OpenAPI file named on the command line: the bare facts (calls, parameters, schemas) in plain
 * JSON-schema words. Prose, examples and error answers are left out. Run: `npx node test/stand-in/published/import.ts FILE`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { JsonSchema, Operation, QueryParameter } from './published-api.ts';

type Raw = Record<string, unknown>;

const KEPT = new Set([
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'required',
  'readOnly',
  'writeOnly',
]);
/** Formats that ajv-formats knows; `url` and `bool` of the file say nothing that the type does not. */
const FORMATS = new Set(['uuid', 'date-time', 'int32', 'int64', 'email']);
const isRaw = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);
const rawOf = (value: unknown): Raw => (isRaw(value) ? value : {});

/** The name behind a reference, or undefined. */
const refName = (schema: Raw): string | undefined =>
  typeof schema.$ref === 'string' ? schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1) : undefined;

function plain(schema: Raw): JsonSchema {
  const name = refName(schema);
  const out: JsonSchema = name ? { $ref: `#/definitions/${name}` } : {};
  if (typeof schema.type === 'string') out.type = schema.nullable ? [schema.type, 'null'] : schema.type;
  if (typeof schema.format === 'string' && FORMATS.has(schema.format)) out.format = schema.format;
  const isIntegerFormat = out.format === 'int32' || out.format === 'int64';
  for (const [keyword, value] of Object.entries(schema)) {
    const isWidth = isIntegerFormat && typeof value === 'number' && Math.abs(value) >= 2 ** 31 - 1;
    if (KEPT.has(keyword) && !isWidth) out[keyword] = value;
  }
  if (Array.isArray(schema.enum)) out.enum = schema.nullable ? [...schema.enum, null] : schema.enum;
  if (isRaw(schema.items)) out.items = plain(schema.items);
  if (isRaw(schema.properties)) out.properties = plainProperties(schema.properties);
  if (isRaw(schema.additionalProperties)) out.additionalProperties = plain(schema.additionalProperties);
  if (schema.additionalProperties === true) out.additionalProperties = true;
  if (Array.isArray(schema.allOf)) out.allOf = schema.allOf.filter(isRaw).map(plain);
  return out;
}

function plainProperties(properties: Raw): Record<string, JsonSchema> {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, plain(rawOf(schema))]));
}

function jsonBody(holder: unknown): JsonSchema | null {
  const media = Object.values(rawOf(rawOf(holder).content))[0];
  return isRaw(media) && isRaw(media.schema) ? plain(media.schema) : null;
}

function operationOf(method: string, path: string, raw: Raw): Operation {
  const query: Record<string, QueryParameter> = {};
  const params: Record<string, JsonSchema> = {};
  for (const parameter of (Array.isArray(raw.parameters) ? raw.parameters : []).filter(isRaw)) {
    const schema = plain(rawOf(parameter.schema));
    const isFreeText = Object.keys(schema).length === 1 && schema.type === 'string';
    if (parameter.in === 'query')
      query[String(parameter.name)] = parameter.required ? { ...schema, mandatory: true } : schema;
    if (parameter.in === 'path' && !isFreeText) params[String(parameter.name)] = schema;
  }
  const answers = Object.entries(rawOf(raw.responses)).filter(([code]) => /^[23]\d\d$/.test(code));
  const body = jsonBody(raw.requestBody);
  return {
    method: method.toUpperCase(),
    path,
    ...(Object.keys(params).length ? { params } : {}),
    ...(Object.keys(query).length ? { query } : {}),
    ...(body ? { body } : {}),
    ...(rawOf(raw.requestBody).required ? { bodyRequired: true } : {}),
    answers: Object.fromEntries(answers.map(([code, answer]) => [code, jsonBody(answer)])),
  };
}

/** One operation and one schema per line, so that a new import shows as a readable diff. */
function lines(operations: Operation[], definitions: Record<string, JsonSchema>): string {
  const operationLines = operations.map((operation) => `    ${JSON.stringify(operation)}`).join(',\n');
  const names = Object.keys(definitions).sort();
  const definitionLines = names
    .map((name) => `    ${JSON.stringify(name)}: ${JSON.stringify(definitions[name])}`)
    .join(',\n');
  return `{\n  "operations": [\n${operationLines}\n  ],\n  "definitions": {\n${definitionLines}\n  }\n}\n`;
}

const source = process.argv[2];
if (!source) {
  process.stderr.write('usage: import.ts OPENAPI-FILE\n');
  process.exit(2);
}
const document = rawOf(JSON.parse(readFileSync(source, 'utf8')));
const methods = new Set(['get', 'put', 'post', 'patch', 'delete']);
const operations = Object.entries(rawOf(document.paths)).flatMap(([path, item]) =>
  Object.entries(rawOf(item)).flatMap(([method, raw]) =>
    methods.has(method) ? [operationOf(method, path, rawOf(raw))] : [],
  ),
);
const definitions = plainProperties(rawOf(rawOf(document.components).schemas));
writeFileSync(new URL('./api.json', import.meta.url), lines(operations, definitions));
process.stdout.write(`${operations.length} operations, ${Object.keys(definitions).length} schemas\n`);
