import { describe, expect, it } from 'vitest';
import {
  ActivityRanking,
  directoriesToWatch,
  LookAgenda,
  planRequest,
} from '../../../../agent/roles/main/scan/hint-plan.ts';

describe('the list of looks', () => {
  it('gives each directory once, at the earliest of its times', () => {
    const agenda = new LookAgenda();
    agenda.add(['a', 'b'], 500);
    agenda.add(['a'], 200);
    agenda.add(['a'], 900);
    expect(agenda.nextMs()).toBe(200);
    expect(agenda.take(199)).toEqual([]);
    expect(agenda.take(200)).toEqual(['a']);
    expect(agenda.nextMs()).toBe(500);
    expect(agenda.take(10_000)).toEqual(['b']);
    expect(agenda.nextMs()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('what is watched', () => {
  it('is the roots and the most recently active directories inside of them', () => {
    const ranking = new ActivityRanking(10);
    ranking.note('shows/old', 1);
    ranking.note('shows/new', 3);
    ranking.note('elsewhere', 9);
    ranking.note('shows/old', 5);
    expect(directoriesToWatch(['shows'], ranking.top(10), 3)).toEqual(['shows', 'shows/old', 'shows/new']);
    expect(directoriesToWatch(['shows'], ranking.top(10), 2)).toEqual(['shows', 'shows/old']);
    ranking.forget('shows/old');
    expect(ranking.top(1)).toEqual(['elsewhere']);
  });

  it('forgets the least active when it knows too many, never the most active', () => {
    const ranking = new ActivityRanking(100);
    for (let at = 0; at < 10_000; at += 1) ranking.note(`d${at}`, at);
    expect(ranking.top(100)).toEqual(Array.from({ length: 100 }, (_, index) => `d${9_999 - index}`));
    expect(ranking.top(10_000).length).toBeLessThanOrEqual(201);
  });
});

describe('a scan on demand', () => {
  it('takes paths with all below them, and of files their directories', () => {
    const looks = planRequest({ paths: ['/a/b/', 'a/b'], files: ['c/x.mov', 'c/y.mov', 'a/b/z.mov', 'top.mov'] }, ['']);
    expect(looks).toEqual({ isWhole: false, deep: ['a/b'], shallow: ['c', ''], outside: [] });
  });

  it('is a whole pass when nothing is named, or the root, or what holds a scan directory', () => {
    for (const request of [{}, { paths: [], files: [] }, { paths: ['/'] }, { paths: ['shows'] }]) {
      expect(planRequest(request, ['shows/a']).isWhole).toBe(true);
    }
  });

  it('leaves out what is not scanned and what leads elsewhere', () => {
    const looks = planRequest({ paths: ['shows/a/x', 'other'], files: ['shows/a/../b/f.mov'] }, ['shows/a']);
    expect(looks).toEqual({
      isWhole: false,
      deep: ['shows/a/x'],
      shallow: [],
      outside: ['other', 'shows/a/../b/f.mov'],
    });
  });
});
