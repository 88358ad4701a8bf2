import { expect, it } from 'vitest';
import type { ServerLook } from '../../../agent/db/queries/doctor.ts';
import { explainServer } from '../../../agent/doctor/look-at-database.ts';

const server = (over: Partial<ServerLook> = {}): ServerLook => ({
  version_number: 170_002,
  version: '17.2',
  read_only: false,
  user_name: 'isg',
  schema_name: 'isg',
  may_create: true,
  has_tables: false,
  clock_ms: 0,
  backend_pid: 1,
  ...over,
});
const codes = (over: Partial<ServerLook>) =>
  explainServer(server(over), { place: 'isg at db1:5432', user: 'isg' }).map(({ code }) => code);

it('a server older than 14 is told by its number, one of 14 is not', () => {
  expect(codes({ version_number: 130_014, version: '13.14' })).toEqual(['db-version']);
  expect(codes({ version_number: 140_000 })).toEqual([]);
});

it('rights to make tables matter only where there are none yet', () => {
  expect(codes({ may_create: false })).toEqual(['db-rights']);
  expect(codes({ may_create: false, schema_name: null })).toEqual(['db-rights']);
  expect(codes({ may_create: false, has_tables: true })).toEqual([]);
});

it('a standby is read-only, and that it takes no tables is no second finding', () => {
  expect(codes({ read_only: true, may_create: false })).toEqual(['db-read-only']);
});
