import { expect, test } from 'vitest';
import type { JobRow, JobState } from '../../../../agent/contract/index.ts';
import {
  canCancel,
  cancelConsequence,
  canPrioritise,
  canRetry,
  JOB_STATES,
  jobsSentence,
  kindWord,
  stateWord,
} from '../../../../renderer/features/jobs/job-words.ts';
import { sceneState } from '../../../support/fake-bridge-scenes.ts';

const NOW = 1_800_000_000_000;
const job = (state: JobState, more: Partial<JobRow> = {}): JobRow => ({
  jobId: '1',
  role: 'TRANSFER',
  kind: 'upload',
  state,
  subject: 'a.mov',
  storageId: null,
  priority: 5,
  attempts: 1,
  progress: 0.42,
  note: '',
  nodeName: 'node-b',
  createdMs: 0,
  startedMs: null,
  finishedMs: null,
  error: null,
  ...more,
});

test('only what can be done is offered: cancel before the end, retry after failure or cancellation', () => {
  const offered = JOB_STATES.map((state) => [
    state,
    canCancel(job(state)),
    canRetry(job(state)),
    canPrioritise(job(state)),
  ]);
  expect(offered).toEqual([
    ['queued', true, false, true],
    ['leased', true, false, true],
    ['done', false, false, false],
    ['failed', false, true, false],
    ['cancelled', false, true, false],
  ]);
});

test('cancelling says what happens to the work, with numbers', () => {
  expect(cancelConsequence(job('leased'))).toContain(
    'Node node-b stops working on “a.mov”. The 42% done so far is discarded.',
  );
  expect(cancelConsequence(job('queued'))).toContain('taken out of the queue before it starts');
  expect(cancelConsequence(job('leased', { subject: '', nodeName: null }))).toContain(
    'The node that runs it stops working on the job.',
  );
});

test('states and kinds are words; an unknown kind keeps its name', () => {
  expect(JOB_STATES.map(stateWord)).toEqual(['Queued', 'Running', 'Finished', 'Failed', 'Cancelled']);
  expect(kindWord('delete')).toBe('Deletion');
  expect(kindWord('collection-map')).toBe('Collection map');
});

test('the sentence counts what runs and waits, and names a failure of the last hour', () => {
  const calm = sceneState('calm', NOW)?.snapshot;
  const problems = sceneState('problems', NOW)?.snapshot;
  if (!calm || !problems) throw new Error('the scenes have snapshots');
  expect(jobsSentence(calm, NOW)).toBe('3 jobs run on this node. 3 jobs wait in the queue.');
  expect(jobsSentence(problems, NOW)).toContain('The last failure: transcode, 12 min ago.');
  expect(jobsSentence(problems, NOW + 3_600_000)).not.toContain('failure');
});
