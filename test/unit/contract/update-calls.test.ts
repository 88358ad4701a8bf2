import { describe, expect, it } from 'vitest';
import { AGENT_CALLS } from '../../../agent/contract/index.ts';

describe('the answer to a claim of the turn to update', () => {
  const { answer } = AGENT_CALLS['update.claim-turn'];
  const refusal = { kind: 'not-now', why: 'another-updates', node: 'node-b' };

  it('is understood without the reason that older agents do not give, and with one that only newer ones know', () => {
    expect(answer.parse(refusal)).toEqual(refusal);
    expect(answer.parse({ ...refusal, because: 'a-reason-of-the-future' })).toMatchObject(refusal);
    expect(answer.parse({ ...refusal, because: 'skips-release' })).toEqual({ ...refusal, because: 'skips-release' });
  });
});
