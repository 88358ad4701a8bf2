import { expect, test } from 'vitest';
import { handlers } from '../../stand-in/api/handlers.ts';
import { beyond } from '../../stand-in/published/beyond.ts';
import { loadPublishedApi, operationKey } from '../../stand-in/published/published-api.ts';

test('every handler belongs to a published call', () => {
  const published = new Set(loadPublishedApi().operations.map(operationKey));
  expect(Object.keys(handlers).filter((key) => !published.has(key))).toEqual([]);
});

test('what the list beyond the file adds is not in the file already', () => {
  const before = loadPublishedApi();
  const properties = beyond.filter((addition) => addition.kind === 'property');
  const names = properties.flatMap((addition) => addition.schemas.map((schema) => `${schema}.${addition.property}`));
  expect(names.length).toBe(new Set(names).size);
  expect(before.operations.every((operation) => operation.path.endsWith('/'))).toBe(true);
});

test('every reference in the facts leads somewhere', () => {
  const api = loadPublishedApi();
  const references = JSON.stringify(api).match(/"#\/definitions\/(\w+)"/g) ?? [];
  const missing = references.map((reference) => reference.slice(15, -1)).filter((name) => !(name in api.definitions));
  expect(missing).toEqual([]);
});
