import { describe, expect, it } from 'vitest';
import { filePriority } from '../../../agent/roles/main/priority-plan.ts';

describe('the priority of a file', () => {
  const prio_dirs = [
    { directory: 'shows', priority: 3 },
    { directory: '/shows/news/', priority: 8 },
  ];

  it('is that of the longest directory', () => {
    expect(filePriority('shows/a.mov', { prio_dirs })).toBe(3);
    expect(filePriority('shows/news/today/a.mov', { prio_dirs })).toBe(8);
    expect(filePriority('shows/newsreel/a.mov', { prio_dirs })).toBe(3);
    expect(filePriority('other/a.mov', { prio_dirs })).toBeUndefined();
    expect(filePriority('other/a.mov', { prio_dirs: [{ directory: '/', priority: 2 }] })).toBe(2);
  });

  it('is that of the first pattern that matches, whatever the directory says', () => {
    const prio_patterns = [
      { pattern: '*_urgent.*', priority: 10 },
      { pattern: '*.mov', priority: 1 },
    ];
    expect(filePriority('shows/news/a_urgent.mov', { prio_dirs, prio_patterns })).toBe(10);
    expect(filePriority('shows/news/a.mov', { prio_dirs, prio_patterns })).toBe(1);
    expect(filePriority('shows/news/a.wav', { prio_dirs, prio_patterns })).toBe(8);
  });

  it('passes over what is no priority and what does not compile', () => {
    const prio_patterns = [
      { pattern: '*', priority: 11 },
      { pattern: 're:/(/', priority: 9 },
    ];
    expect(filePriority('shows/a.mov', { prio_dirs, prio_patterns })).toBe(3);
  });
});
