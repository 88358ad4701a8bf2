import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRoute, parseRoute, SCREENS, screenOf } from '../../../../renderer/state/route.ts';

describe('the route', () => {
  it('is the overview for an empty, wrong or hostile hash', () => {
    for (const hash of ['', '#', '#/', '#/nowhere', '#/__proto__', '#javascript:alert(1)']) {
      expect(parseRoute(hash).screen).toBe('overview');
    }
    expect(screenOf('constructor')).toBe('overview');
  });

  it('reads back what it wrote, whatever the parameters', () => {
    const params = fc.dictionary(
      fc.string({ minLength: 1 }).filter((name) => name !== '__proto__'),
      fc.string(),
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.constantFrom(...SCREENS), params, (screen, given) => {
        expect(parseRoute(formatRoute({ screen, params: given }))).toEqual({ screen, params: given });
      }),
    );
  });

  it('keeps a question mark inside a value', () => {
    expect(parseRoute(formatRoute({ screen: 'jobs', params: { text: 'a?b=c' } })).params).toEqual({ text: 'a?b=c' });
  });
});
