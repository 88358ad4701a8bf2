import { describe, expect, it } from 'vitest';
import { newerNodes } from '../../../agent/cluster/version-standing.ts';

const member = (name: string, version: string, alive = true) => ({ name, version, alive });

describe('a node beside others', () => {
  it('says which newer nodes work beside it, that it keeps working, and what to do', () => {
    const members = [member('node-c', '0.2.0'), member('node-a', '0.1.0'), member('node-b', '0.2.0')];
    expect(newerNodes('0.1.0', members)).toEqual({
      reason:
        "This node runs 0.1.0; node-b and node-c and the cluster's database are at 0.2.0. It keeps working; new kinds of jobs are left to newer nodes.",
      remedy: 'Finish the upgrade: update this node, too; the Primary last.',
    });
  });

  it('names the newest of several versions, compared by number', () => {
    const members = [member('node-b', '0.9.0'), member('node-c', '0.10.0')];
    expect(newerNodes('0.1.0', members)?.reason).toContain("node-c and the cluster's database are at 0.10.0");
  });

  it('says nothing beside nodes of its own version, older ones and dead ones', () => {
    const members = [member('node-a', '0.2.0'), member('node-b', '0.1.0'), member('node-c', '0.3.0', false)];
    expect(newerNodes('0.2.0', members)).toBeNull();
  });
});
