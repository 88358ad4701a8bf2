import { describe, expect, it } from 'vitest';
import type { EndedRecord } from '../../../../agent/db/queries/job-origin.ts';
import { percentOf } from '../../../../agent/roles/main/queues/iconik-progress.ts';
import { JobReports } from '../../../../agent/roles/main/queues/job-reports.ts';
import { endedSteps, endPatch, groupRecords, recordOutcome } from '../../../../agent/roles/main/queues/settle-plan.ts';

const record = (recordId: string, change: Partial<EndedRecord> = {}): EndedRecord => ({
  kind: 'transfers_from',
  recordId,
  storageId: 'nas',
  jobId: '1',
  iconikJobId: 'j',
  end: 'done',
  warning: null,
  steps: [],
  errorMessage: null,
  finishedAt: '2026-07-01T10:00:00.000000+00:00',
  ...change,
});

describe('the end that iconik is told', () => {
  it('is FINISHED with full progress when all is done', () => {
    expect(endPatch([record('a'), record('b', { finishedAt: '2026-07-01T11:00:00.000000+00:00' })])).toEqual({
      status: 'FINISHED',
      progress_processed: 100,
      progress_total: 100,
      completed_at: '2026-07-01T11:00:00.000000+00:00',
    });
  });

  it('is FAILED with the reason when one of several failed', () => {
    const patch = endPatch([
      record('a'),
      record('b', { end: 'failed', errorMessage: 'disk full' }),
      record('c', { end: 'cancelled' }),
    ]);
    expect(patch).toMatchObject({ status: 'FAILED', error_message: 'disk full' });
  });

  it('is ABORTED when cancelled, and the record counts as failed', () => {
    expect(endPatch([record('a', { end: 'cancelled' })]).status).toBe('ABORTED');
    expect(recordOutcome(record('a', { end: 'cancelled' }))).toBe('failed');
    expect(recordOutcome(record('a'))).toBe('completed');
  });

  it('is FAILED when the job is gone, and never an empty reason', () => {
    expect(endPatch([record('a', { end: 'gone', finishedAt: null })])).toMatchObject({ status: 'FAILED' });
    expect(endPatch([record('a', { end: 'failed' })]).error_message).toMatch(/\S/);
  });

  it('is told once for the records of one iconik job, and apart for those without', () => {
    const groups = groupRecords([
      record('a'),
      record('b', { iconikJobId: null }),
      record('c'),
      record('d', { iconikJobId: null }),
    ]);
    expect(groups.map((group) => group.records.map((member) => member.recordId))).toEqual([['a', 'c'], ['b'], ['d']]);
  });
});

describe('JobReports', () => {
  it('holds an end back until progress under way has been answered, and sends none after it', async () => {
    const reports = new JobReports();
    const sent: string[] = [];
    let answer = () => {};
    const progress = reports.progress('j', 1n, async () => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      sent.push('STARTED');
    });
    const end = reports.end('j', 1n, async () => void sent.push('FINISHED'));
    expect(await reports.progress('j', 1n, async () => void sent.push('late'))).toBe(false);
    answer();
    await Promise.all([progress, end]);
    expect(await reports.progress('j', 1n, async () => void sent.push('late'))).toBe(false);
    expect(sent).toEqual(['STARTED', 'FINISHED']);
  });

  it('sends progress of a later order under the same iconik job', async () => {
    const reports = new JobReports();
    await reports.end('j', 5n, async () => {});
    expect(await reports.progress('j', 6n, async () => {})).toBe(true);
  });
});

describe('percentOf', () => {
  it('stays between 0 and 100 whatever the job says', () => {
    expect([0, 0.999, 1, 7, -1, Number.NaN].map(percentOf)).toEqual([0, 99, 100, 100, 0, 0]);
  });
});

describe('the steps that iconik is told', () => {
  const step = { id: 's', label: 'copy' };

  it('end as their own record did, those of the whole job as the job', () => {
    const records = [
      record('a', { steps: [step] }),
      record('b', { end: 'failed', errorMessage: 'full', steps: [{ id: 't', label: 'other' }] }),
    ];
    expect(endedSteps(records, [step, { id: 'u', label: 'all' }])).toEqual([
      { ...step, status: 'DONE' },
      { id: 't', label: 'other', status: 'FAILED', error_message: 'full' },
      { id: 'u', label: 'all', status: 'FAILED', error_message: 'full' },
    ]);
    expect(endedSteps([record('c', { end: 'cancelled', steps: [step] })], [])).toEqual([
      { ...step, status: 'SKIPPED' },
    ]);
  });

  it('do not hide a warning of a job that is done', () => {
    const end = endPatch([record('a', { warning: 'two files were left out' })]);
    expect(end).toMatchObject({ status: 'FINISHED_WITH_WARNING', message: 'two files were left out' });
  });
});
