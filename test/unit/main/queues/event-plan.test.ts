import { describe, expect, it } from 'vitest';
import { toPriority } from '../../../../agent/roles/main/queues/event-data.ts';
import { planEvent as plan } from '../../../../agent/roles/main/queues/event-plan.ts';
import { EVENT_MEANINGS, GATEWAY_EVENT_TYPES } from '../../../../agent/roles/main/queues/gateway-event-table.ts';

const planEvent = (event: Parameters<typeof plan>[0]) => plan(event, 'storage-1');
const event = (type: string, data: Record<string, unknown> = {}) => ({ id: 'event-1', type, data });

describe('the table of gateway events', () => {
  it('has exactly the 20 published types', () => {
    expect(GATEWAY_EVENT_TYPES).toHaveLength(20);
    expect(Object.keys(EVENT_MEANINGS).toSorted()).toEqual([...GATEWAY_EVENT_TYPES].toSorted());
  });
});

describe('planEvent', () => {
  it.each([
    ['UPLOAD', 'transfers_from'],
    ['DOWNLOAD', 'transfers_to'],
    ['DELETE', 'deletions'],
    ['TRANSCODE', 'transcode'],
  ])('takes %s as a hint to look into %s', (type, queue) => {
    expect(planEvent(event(type))).toEqual({ kind: 'hint', type, eventId: 'event-1', queues: [queue] });
  });

  it('cancels by record and by iconik job', () => {
    expect(planEvent(event('UPLOAD_ABORT', { transfer_id: 'r', record_id: 'r', job_id: 'j' }))).toEqual({
      kind: 'cancel',
      type: 'UPLOAD_ABORT',
      eventId: 'event-1',
      queues: ['transfers_from'],
      kinds: ['transfers_from', 'event'],
      recordIds: ['r'],
      iconikJobIds: ['j'],
    });
  });

  it('cancels many jobs in every queue', () => {
    expect(planEvent(event('ABORT_JOBS_BULK', { job_ids: ['a', { id: 'b' }, 7, null] }))).toMatchObject({
      kind: 'cancel',
      queues: ['transfers_from', 'transfers_to', 'deletions', 'transcode'],
      iconikJobIds: ['a', 'b'],
    });
  });

  it('changes a priority from 1 to 10 and no other', () => {
    expect(planEvent(event('TRANSCODE_CHANGE_PRIORITY', { job_id: 'j', priority: '9' }))).toMatchObject({
      kind: 'prioritise',
      priority: 9,
    });
    expect(planEvent(event('TRANSCODE_CHANGE_PRIORITY', { job_id: 'j', priority: 11 })).kind).toBe('ignore');
    expect([0, 11, 1.5, '', 'x', null, undefined, {}, true].map(toPriority)).toEqual(Array(9).fill(null));
  });

  it('ignores unknown types, names of object members, and strange data without throwing', () => {
    for (const type of ['SOMETHING_NEW', '', 'constructor', '__proto__', 'toString']) {
      expect(planEvent(event(type)).kind).toBe('ignore');
    }
    for (const data of [null, 7, 'text', [], { job_id: 7 }, { job_id: 'nul\0' }, { jobs: { id: {} } }]) {
      const strange = { id: 'event-1', type: 'UPLOAD_ABORT', data: data as unknown as Record<string, unknown> };
      expect(planEvent(strange).kind).toBe('ignore');
    }
  });
});
