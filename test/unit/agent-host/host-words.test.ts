import { describe, expect, it } from 'vitest';
import { agentStateOf } from '../../../main/agent-host/host-words.ts';
import { agentStateSchema } from '../../../preload/contract/app-state.ts';
import { Drive, exit, type Happening } from './host-drive.ts';

const wordsAfter = (...happenings: Happening[]) => {
  const drive = Drive.running();
  drive.on(...happenings);
  return agentStateOf(drive.state, {
    wallOffsetMs: 1_700_000_000_000,
    lastWords: ['Error: no space left', '    at file.ts:1'],
  });
};
const exited = (code: number): Happening => ({ kind: 'exited', end: exit(code), random: 0 });

describe('the state in words', () => {
  it('says nothing while all is well', () => {
    expect(wordsAfter()).toMatchObject({ state: 'running', reason: '', nextStartMs: null, lastExitCode: null });
  });

  it('tells when the next start is, by the wall clock', () => {
    expect(wordsAfter(exited(70))).toMatchObject({
      sinceMs: 1_700_000_001_000,
      nextStartMs: 1_700_000_001_500,
      lastExitCode: 70,
    });
  });

  it('prefers the agent’s goodbye, else takes the last line that says something, never a stack line', () => {
    const goodbye: Happening = { kind: 'goodbye', code: 2, reason: 'iconik-url is missing' };
    expect(wordsAfter(goodbye, exited(2)).reason).toContain('iconik-url is missing.');
    expect(wordsAfter(exited(70)).reason).toContain('Error: no space left.');
    expect(wordsAfter(exited(70)).reason).not.toContain('at file.ts');
  });

  it('tells an agent that was ended for its silence from one that ended by itself', () => {
    const drive = Drive.running();
    drive.pass(15_000);
    drive.on({ kind: 'exited', end: exit(9, { isCodeCertain: false }), random: 0 });
    const state = agentStateOf(drive.state, { wallOffsetMs: 0, lastWords: [] });
    expect(state).toMatchObject({ state: 'backing-off', lastExitCode: null });
    expect(state.reason).toContain('was stuck for 15 seconds and was ended.');
  });

  it('finds the cause in a dump of the runtime', () => {
    const drive = Drive.running();
    drive.on(exited(134));
    const lastWords = [
      'FATAL ERROR: Reached heap limit',
      '----- Native stack trace -----',
      '',
      ' 1: 0xb8 node::Abort()',
      '',
    ];
    expect(agentStateOf(drive.state, { wallOffsetMs: 0, lastWords }).reason).toContain(
      'FATAL ERROR: Reached heap limit.',
    );
  });

  it('is a valid part of the app state, and in sentences, for every end', () => {
    for (const code of [0, 1, 2, 3, 4, 5, 6, 70, 99]) {
      const state = wordsAfter(exited(code));
      expect(agentStateSchema.parse(state)).toEqual(state);
      expect(state.reason).toMatch(/^[A-Z].*[.]$/);
      expect(state.reason).not.toMatch(/!|undefined|null/);
    }
  });
});
