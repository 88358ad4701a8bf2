import type { JsonSchema } from '../published/published-api.ts';

/** Reduces a record to the properties of its published schema; what is unset comes back as null, as iconik does. */
export type Projection = (schema: JsonSchema, value: unknown) => unknown;

/** Makes the projection over the published definitions. */
export function createProjection(definitions: Record<string, JsonSchema>): Projection {
  const project: Projection = (schema, value) => {
    const target = resolve(schema, definitions);
    if (value === undefined || value === null) return null;
    if (Array.isArray(value)) return target.items ? value.map((item) => project(target.items ?? {}, item)) : value;
    if (typeof value !== 'object' || !target.properties) return value;
    const fields = value as Record<string, unknown>;
    const entries = Object.entries(target.properties).filter(([, property]) => !property.writeOnly);
    const out = Object.fromEntries(entries.map(([name, property]) => [name, project(property, fields[name])]));
    return target.additionalProperties ? { ...fields, ...out } : out;
  };
  return project;
}

function resolve(schema: JsonSchema, definitions: Record<string, JsonSchema>): JsonSchema {
  const reference = schema.$ref ?? schema.allOf?.[0]?.$ref;
  const name = reference?.slice(reference.lastIndexOf('/') + 1);
  return (name && definitions[name]) || schema;
}
