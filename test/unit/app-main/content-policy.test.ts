import { expect, it } from 'vitest';
import { contentPolicy } from '../../../main/windows/content-policy.ts';

it('the policy lets nothing in but what came with the application', () => {
  const policy = contentPolicy('abc');
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("style-src 'self' 'nonce-abc'");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
});
