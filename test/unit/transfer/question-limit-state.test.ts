import { describe, expect, it } from 'vitest';
import {
  fullLimits,
  limitedAddress,
  type QuestionLimits,
  takeQuestion,
} from '../../../agent/roles/transfer/direct/question-limit-state.ts';

/** Asks once every `everyMs` for `forMs`; answers how many questions were allowed. */
function flood(limits: QuestionLimits, ask: { addressOf: (index: number) => string; everyMs: number; forMs: number }) {
  let allowed = 0;
  let state = limits;
  for (let nowMs = 0, index = 0; nowMs < ask.forMs; nowMs += ask.everyMs, index += 1) {
    const taken = takeQuestion(state, { address: ask.addressOf(index), wasGood: false, nowMs });
    state = taken.limits;
    if (taken.allowed) allowed += 1;
  }
  return { allowed, state };
}

describe('questions to iconik because of strangers', () => {
  it('are ten at once and one in two seconds for one address', () => {
    const { allowed } = flood(fullLimits(0), { addressOf: () => '10.0.0.1', everyMs: 10, forMs: 60_000 });
    expect(allowed).toBe(10 + 29);
  });

  it('are twenty at once and two a second for all addresses together, and the memory is bounded', () => {
    const { allowed } = flood(fullLimits(0), { addressOf: (index) => `${index}`, everyMs: 10, forMs: 60_000 });
    expect(allowed).toBeLessThanOrEqual(20 + 120);
    expect(allowed).toBeGreaterThan(100);
    const { state } = flood(fullLimits(0), { addressOf: (index) => `${index}`, everyMs: 500, forMs: 600_000 });
    expect(state.addresses.size).toBe(1_000);
  });

  it('leave what is kept for signatures that were good untouched', () => {
    const { state } = flood(fullLimits(0), { addressOf: (index) => `${index}`, everyMs: 10, forMs: 1_000 });
    expect(takeQuestion(state, { address: '0', wasGood: false, nowMs: 1_000 }).allowed).toBe(false);
    expect(takeQuestion(state, { address: '0', wasGood: true, nowMs: 1_000 }).allowed).toBe(true);
  });

  it('are counted by the whole IPv4 address and the network of an IPv6 one', () => {
    expect(limitedAddress('::ffff:10.1.2.3')).toBe('10.1.2.3');
    expect(limitedAddress('10.1.2.3')).toBe('10.1.2.3');
    expect(limitedAddress('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2');
    expect(limitedAddress('2001:db8:1:2::9')).toBe('2001:db8:1:2');
    expect(limitedAddress('2001:db8::9')).toBe('2001:db8:0:0');
    expect(limitedAddress('fe80::1%eth0')).toBe('fe80:0:0:0');
    expect(limitedAddress('::1')).toBe('0:0:0:0');
  });
});
