import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { VERSION } from '../../agent/version.ts';

it('the version that nodes tell iconik is the one of package.json', () => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  expect(VERSION).toBe(z.object({ version: z.string() }).parse(JSON.parse(text)).version);
});
