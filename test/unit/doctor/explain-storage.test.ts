import { expect, it } from 'vitest';
import { explainStorage } from '../../../agent/doctor/explain-storage.ts';

it('a storage that no process could look at on an overloaded machine is not called broken', () => {
  const detail = 'The process that looks at the storage was not running within 3500 ms.';
  const look = { name: 'NAS', mountPoint: '/mnt/nas', mayWrite: true, isInUse: true, user: 'isg' };
  const late = { kind: 'unreachable', reason: 'unreadable', detail, wasAsked: false } as const;
  const found = explainStorage({ ...look, probe: late });
  expect(found).toMatchObject({ code: 'not-checked', severity: 'warning', evidence: detail });
  expect(explainStorage({ ...look, probe: { kind: 'unreachable', reason: 'hung', detail } })?.code).toBe(
    'storage-hung',
  );
});
