import { describe, expect, it } from 'vitest';
import {
  leadership,
  type NodeFacts,
  nodeStatus,
  uncoveredRoles,
  workingRoles,
} from '../../../agent/cluster/node-status.ts';
import type { CheckResult } from '../../../agent/contract/index.ts';

const check = (name: string, status: CheckResult['status'] = 'ok'): CheckResult => ({
  check: name,
  status,
  reason: status === 'ok' ? '' : `${name} is ${status}.`,
  remedy: status === 'ok' ? '' : 'Mend it.',
});
const healthy = ['database', 'iconik', 'storage:a', 'storage:b', 'ffmpeg'].map((name) => check(name));
const facts = (over: Partial<NodeFacts> = {}): NodeFacts => ({
  name: 'node-a',
  roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'],
  clusterEnabled: true,
  nodeEnabled: true,
  draining: false,
  holdsGatewayId: true,
  otherHolder: null,
  idleReason: null,
  checks: healthy,
  term: null,
  uncoveredRoles: [],
  ...over,
});
const without = (name: string, status: CheckResult['status']) =>
  facts({ checks: [...healthy.filter((result) => result.check !== name), check(name, status)] });

describe('who may lead', () => {
  it('a healthy MAIN node may', () => expect(leadership(facts())).toEqual({ eligible: true }));

  it.each(['database', 'iconik', 'storage:b'])('a node whose %s fails or is unknown may not, and says why', (name) => {
    expect(leadership(without(name, 'failing'))).toEqual({ eligible: false, why: `${name} is failing.` });
    expect(leadership(without(name, 'unknown')).eligible).toBe(false);
  });

  it('a leader goes on while a storage that was added is not checked yet, and not once its check has failed', () => {
    const leading = (status: CheckResult['status']) => ({ ...without('storage:new', status), term: 4 });
    expect(leadership(leading('unknown'))).toEqual({ eligible: true });
    expect(leadership(leading('failing')).eligible).toBe(false);
  });

  it('a duplicate, a disabled and a draining node may not', () => {
    expect(leadership(facts({ holdsGatewayId: false })).eligible).toBe(false);
    expect(leadership(facts({ clusterEnabled: false })).eligible).toBe(false);
    expect(leadership(facts({ draining: true })).eligible).toBe(false);
  });

  it('a local warning forbids nothing', () => {
    expect(leadership(without('ffmpeg', 'warning'))).toEqual({ eligible: true });
  });
});

describe('role work', () => {
  it('goes on without iconik only where iconik is not needed', () => {
    expect([...workingRoles(without('iconik', 'failing'))]).toEqual(['CHECKSUM']);
  });

  it('leaves transcodes to others while there is no ffmpeg', () => {
    expect([...workingRoles(without('ffmpeg', 'warning'))]).toEqual(['MAIN', 'CHECKSUM', 'TRANSFER']);
  });

  it('rests without the database', () => expect(workingRoles(without('database', 'failing')).size).toBe(0));
});

describe('the status', () => {
  it('names cause and remedy of every failing check', () => {
    expect(nodeStatus(without('storage:b', 'failing'))).toEqual({
      availability: 'degraded',
      telemetry: 'ERROR',
      reason: 'storage:b is failing. Mend it.',
    });
  });

  it('of a duplicate says who holds the id', () => {
    const status = nodeStatus(facts({ holdsGatewayId: false, otherHolder: 'host-b' }));
    expect(status).toMatchObject({ availability: 'duplicate', telemetry: 'ERROR' });
    expect(status.reason).toContain('host-b');
  });

  it('of a disabled cluster is STOPPED', () => {
    expect(nodeStatus(facts({ clusterEnabled: false }))).toMatchObject({
      availability: 'disabled',
      telemetry: 'STOPPED',
    });
  });

  it('warns when a role has no live available holder', () => {
    const members = [
      { alive: true, availability: 'available', roles: ['MAIN', 'CHECKSUM'] },
      { alive: false, availability: 'available', roles: ['TRANSCODE'] },
      { alive: true, availability: 'degraded', roles: ['TRANSFER'] },
    ];
    expect(uncoveredRoles(members)).toEqual(['TRANSCODE', 'TRANSFER']);
    expect(nodeStatus(facts({ uncoveredRoles: ['TRANSCODE'] }))).toMatchObject({
      availability: 'available',
      telemetry: 'WARNING',
    });
  });
});
