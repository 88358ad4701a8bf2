import { describe, expect, it } from 'vitest';
import { judgeRoot } from '../../../../agent/roles/main/scan/root-verdict.ts';
import type { ProbeResult } from '../../../../agent/storage/storage-access.ts';

const reachable = (marker: 'right' | 'absent' | 'wrong', empty = false): ProbeResult => ({
  kind: 'reachable',
  marker,
  empty,
  writable: null,
});
const judge = (probe: ProbeResult, placedMarker: boolean, hasPresentFiles: boolean) =>
  judgeRoot(probe, { placedMarker, hasPresentFiles }).kind;

describe('judgeRoot', () => {
  it('believes the right marker, even over an empty root', () => {
    expect(judge(reachable('right', true), true, true)).toBe('genuine');
  });

  it('doubts a root that lost its marker, whatever it shows', () => {
    expect(judge(reachable('absent'), true, true)).toBe('doubtful');
    expect(judge(reachable('absent', true), true, false)).toBe('doubtful');
  });

  it('doubts the marker of another storage, and a root that cannot be reached', () => {
    expect(judge(reachable('wrong'), false, false)).toBe('doubtful');
    expect(judge({ kind: 'unreachable', reason: 'hung', detail: 'no answer' }, false, false)).toBe('doubtful');
  });

  it('doubts an unmarked root that is suddenly empty, but not one that always was', () => {
    expect(judge(reachable('absent', true), false, true)).toBe('doubtful');
    expect(judge(reachable('absent', true), false, false)).toBe('genuine');
    expect(judge(reachable('absent'), false, true)).toBe('genuine');
  });
});
