import { describe, expect, it } from 'vitest';
import { planLogs } from '../../../agent/doctor/support-bundle/bundle-plan.ts';

const file = (name: string, sizeBytes: number, modifiedMs: number) => ({ name, sizeBytes, modifiedMs });
const taken = (plan: ReturnType<typeof planLogs>) => plan.map(({ name, takeBytes }) => [name, takeBytes]);

describe('the logs of a support bundle', () => {
  it('are taken newest first until the room is used up, and each up to its own limit', () => {
    const files = [
      file('agent.2.log', 50, 1),
      file('agent.log', 30, 9),
      file('agent.1.log', 500, 5),
      file('main.log', 10, 8),
    ];
    expect(taken(planLogs(files, { totalBytes: 150, fileBytes: 100 }))).toEqual([
      ['agent.log', 30],
      ['main.log', 10],
      ['agent.1.log', 100],
      ['agent.2.log', 10],
    ]);
  });

  it('are text: what is compressed or no log is only listed', () => {
    const files = [file('agent.log.gz', 5, 3), file('core.1234', 5, 2), file('main.log.1', 5, 1)];
    expect(taken(planLogs(files, { totalBytes: 100, fileBytes: 100 }))).toEqual([
      ['agent.log.gz', 0],
      ['core.1234', 0],
      ['main.log.1', 5],
    ]);
  });
});
