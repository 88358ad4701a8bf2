import { describe, expect, it } from 'vitest';
import type { ClusterMember } from '../../../../../agent/contract/index.ts';
import {
  rememberVersions,
  type VersionMemory,
} from '../../../../../renderer/features/cluster/upgrade/version-memory-state.ts';
import { MINUTE, NOW, nextOf, node, PAUSED, planOf, STOPPED, stepsOf } from './upgrade-bench.ts';

const NEW = { version: '1.1.0', startedMs: NOW - 5 * MINUTE };
const primary = (over: Partial<ClusterMember> = {}) => node('a', { roles: ['MAIN'], isLeader: true, ...over });
const follower = (over: Partial<ClusterMember> = {}) => node('b', { roles: ['MAIN'], ...over });
const worker = (over: Partial<ClusterMember> = {}) => node('c', over);
/** One of the three after the given change, the others untouched. */
const withWorker = (over: Partial<ClusterMember>) => planOf([primary(), follower(), worker(over)]);

describe('an upgrade one node at a time', () => {
  it('takes nodes without MAIN first, then followers, the Primary last', () => {
    const plan = planOf([primary(), follower(), worker(), node('d')]);
    expect(plan).toMatchObject({ phase: 'ready', target: '1.0.0' });
    expect(stepsOf(plan)).toEqual(['c: to-do', 'd: to-do', 'b: to-do', 'a: to-do']);
    expect(nextOf(plan)).toBe('c: to-do');
  });

  it('ticks itself off as a node drains, stops, comes back and works', () => {
    const stages = [
      { ...PAUSED, runningJobs: 4 },
      PAUSED,
      STOPPED,
      { ...NEW, startedMs: NOW, availability: 'degraded' as const },
      NEW,
    ].map((over) => nextOf(withWorker(over)));
    expect(stages).toEqual(['c: draining', 'c: install', 'c: install', 'c: checking', 'b: to-do']);
  });

  it('ends with the Primary, which waits at rest only when another node leads', () => {
    const others = [follower(NEW), worker({ ...NEW, startedMs: NOW - 9 * MINUTE })];
    expect(nextOf(planOf([primary(), ...others]))).toBe('a: to-do');
    expect(nextOf(planOf([primary(PAUSED), ...others]))).toBe('a: draining');
    const handed = [follower({ ...NEW, isLeader: true }), worker({ ...NEW, startedMs: NOW - 9 * MINUTE })];
    const plan = planOf([primary({ ...PAUSED, isLeader: false }), ...handed]);
    expect(stepsOf(plan)).toEqual(['c: done', 'b: done', 'a: install']);
  });

  it('is finished for an hour after this window saw a node rise, then another may begin', () => {
    const before = rememberVersions(new Map(), [primary(), follower(NEW)], NOW - 61 * MINUTE);
    const members = [primary(NEW), follower(NEW)];
    const memory = rememberVersions(before, members, NOW - MINUTE);
    expect(planOf(members, { memory })).toMatchObject({ phase: 'finished', next: null });
    expect(planOf(members, { memory, nowMs: NOW + 60 * MINUTE }).phase).toBe('ready');
    expect(planOf(members).phase).toBe('ready');
  });

  it('asks to resume a node that is back and paused, before anything else', () => {
    const plan = planOf([primary(), follower({ ...NEW, ...PAUSED }), worker({ ...PAUSED, runningJobs: 1 })]);
    expect(nextOf(plan)).toBe('b: resume');
  });

  it.each([
    ['not-seen', { ...STOPPED, lastSeenMs: NOW - 11 * MINUTE }],
    ['duplicate', { availability: 'duplicate' as const }],
    ['node-disabled', { ...NEW, availability: 'disabled' as const }],
    ['unwell', { ...NEW, availability: 'degraded' as const }],
  ])('is blocked by a node that is %s, and goes on when it is left out', (why, over) => {
    const members = [primary(), follower(), worker(over)];
    const plan = planOf(members);
    expect(plan.next).toMatchObject({ stage: 'blocked', why, member: { name: 'c' } });
    const without = planOf(members, { leftOut: new Set(['w-c']) });
    expect(nextOf(without)).toBe('b: to-do');
    expect(without.leftOut).toMatchObject([{ name: 'c' }]);
  });

  it('does not count a node unseen for a day, nor the installation that a living node of the same name replaced', () => {
    const gone = worker({ ...STOPPED, version: '3.0.0', lastSeenMs: NOW - 25 * 60 * MINUTE });
    const replaced = node('b', { ...STOPPED, workerId: 'w-old', version: '0.8.0' });
    const plan = planOf([primary(), follower(), gone, replaced]);
    expect(plan).toMatchObject({ phase: 'ready', target: '1.0.0', leftOut: [{ name: 'c' }] });
    expect(stepsOf(plan)).toEqual(['b: to-do', 'a: to-do']);
  });

  it('reckons how long a node was not seen by the database, not by the clock of this machine', () => {
    expect(nextOf(planOf([primary(), worker(STOPPED)], { nowMs: NOW + 300 * MINUTE }))).toBe('c: install');
  });

  it('waits for a node whose heartbeat was not read yet, rather than to call it lost', () => {
    expect(nextOf(planOf([primary(), worker({ ...STOPPED, lastSeenMs: 0 })]))).toBe('c: install');
  });

  it('does not call a node at rest before its jobs were counted since it was paused', () => {
    expect(nextOf(withWorker({ ...PAUSED, areJobsCounted: false }))).toBe('c: draining');
    expect(nextOf(withWorker({ ...PAUSED, areJobsCounted: true }))).toBe('c: install');
  });

  it('does not call a node stopped that is only not seen: it may be at work, cut off from the database', () => {
    const cutOff = { isAlive: false, lastSeenMs: NOW - MINUTE, runningJobs: 2 };
    expect(stepsOf(withWorker(cutOff))).toContain('c: away');
    expect(nextOf(withWorker({ ...cutOff, ...NEW }))).toBe('c: away');
    // The leader has written of it that it stopped answering: no goodbye either.
    expect(nextOf(withWorker({ ...STOPPED, hasLeft: false }))).toBe('c: away');
    expect(nextOf(withWorker({ ...cutOff, lastSeenMs: NOW - 11 * MINUTE }))).toBe('c: blocked');
  });

  it('goes on only when the cluster is enabled', () => {
    const plan = planOf([primary(), follower(NEW)], { enabled: false });
    expect(stepsOf(plan)[0]).toBe('enabled: to-do');
    expect(nextOf(plan)).toBe('enabled: to-do');
  });

  it('has nothing to say of no nodes', () => {
    expect(planOf([])).toMatchObject({ phase: 'empty', steps: [], next: null });
  });
});

describe('an upgrade by the vendor’s order', () => {
  const off = { availability: 'disabled' as const, isLeader: false };
  const stopped = (members: ClusterMember[], memory: VersionMemory = new Map()) =>
    planOf(members, { way: 'all-stopped', enabled: false, memory });

  it('disables the cluster, upgrades MAIN nodes, then the others, and enables it', () => {
    const begin = planOf([worker(), follower(), primary()], { way: 'all-stopped' });
    expect(stepsOf(begin)).toEqual(['disabled: to-do', 'a: to-do', 'b: to-do', 'c: to-do', 'enabled: to-do']);
    expect(nextOf(begin)).toBe('disabled: to-do');
    expect(nextOf(stopped([primary(off), follower(off), worker({ ...off, runningJobs: 1 })]))).toBe(
      'disabled: waiting',
    );
    const rest = [primary(off), follower(off), worker(off)];
    expect(nextOf(stopped(rest))).toBe('a: install');
    const cutOff = worker({ ...off, isAlive: false, lastSeenMs: NOW - MINUTE });
    const held = stopped([primary(off), follower(off), cutOff]);
    expect(stepsOf(held)[0]).toBe('disabled: waiting');
    expect(nextOf(held)).toBe('c: away');
    expect(nextOf(stopped([primary(off), follower({ ...off, areJobsCounted: false }), cutOff]))).toBe(
      'disabled: waiting',
    );
    expect(nextOf(stopped([primary({ ...off, ...NEW }), follower(off), worker(off)]))).toBe('b: install');
    const levelled = [primary({ ...off, ...NEW }), follower({ ...off, ...NEW }), worker({ ...off, ...NEW })];
    const memory = rememberVersions(rememberVersions(new Map(), rest, NOW - MINUTE), levelled, NOW);
    expect(nextOf(stopped(levelled, memory))).toBe('enabled: to-do');
    const on = [primary(NEW), follower(NEW), worker(NEW)];
    expect(planOf(on, { way: 'all-stopped', memory })).toMatchObject({ phase: 'finished', next: null });
  });
});
