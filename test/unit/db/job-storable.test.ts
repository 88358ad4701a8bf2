import { describe, expect, it } from 'vitest';
import { storableJson } from '../../../agent/db/queries/job-storable.ts';

describe('what the queue stores', () => {
  it('is clean of what jsonb refuses', () => {
    expect(storableJson({ 'a\0': ['\ud83d', '\ud83d\ude00', '\\u0000'] })).toBe(
      JSON.stringify({ a: ['\ufffd', '\ud83d\ude00', '\\u0000'] }),
    );
  });

  it('is refused for good when no JSON can say it: tried again and again, it would hold up all ends beside it', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    for (const value of [{ size: 1n }, circle]) {
      expect(() => storableJson(value)).toThrow(expect.objectContaining({ code: 'unexpected', retry: 'permanent' }));
    }
  });
});
