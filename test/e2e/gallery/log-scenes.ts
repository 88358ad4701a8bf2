import type { LogLine } from '../../../agent/contract/index.ts';
import type { FakeHandlers } from '../../support/fake-bridge.ts';
import { FakeRefusal } from '../../support/fake-bridge.ts';

/** Logs that are hard to show: `?log=NAME` in the gallery. */
export const LOG_SCENES: Record<string, Partial<FakeHandlers>> = {
  'never-answers': { 'logs.read': () => new Promise(() => undefined) },
  unreadable: {
    'logs.read': () => {
      const words = 'The stored log cannot be read (database disk image is malformed). It is tried again.';
      throw new FakeRefusal('log-unreadable', words, 'transient');
    },
  },
  'no-database': {
    'logs.read': ({ workerId }) => {
      const words =
        'The logs of other nodes are read from the database of the cluster, and this node is not connected to it now. It is tried again.';
      if (workerId !== null) throw new FakeRefusal('log-unreadable', words, 'transient');
      return { lines: oddLines(), olderSeq: null, newerSeq: null, extent: { firstSeq: 1, lastSeq: 9 } };
    },
  },
  'no-pattern': {
    'logs.read': ({ text, isPattern }) => {
      const words = `This is no regular expression yet: /${text}/i: Unterminated group.`;
      if (isPattern && text.includes('(')) throw new FakeRefusal('pattern-invalid', words, 'permanent');
      return { lines: oddLines(), olderSeq: null, newerSeq: null, extent: { firstSeq: 1, lastSeq: 9 } };
    },
  },
  'rare-match': {
    'logs.read': async ({ at, text }) => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const before = at?.kind === 'before' ? at.seq : 10_000_001;
      const olderSeq = text === '' ? null : Math.max(2, before - 340_000);
      return { lines: [], olderSeq, newerSeq: null, extent: { firstSeq: 1, lastSeq: 10_000_000 } };
    },
  },
  odd: {
    'logs.read': () => ({
      lines: oddLines(),
      olderSeq: null,
      newerSeq: null,
      extent: { firstSeq: 1, lastSeq: 9 },
    }),
  },
};

function oddLines(): LogLine[] {
  const at = Date.now() - 60_000;
  const long = 'Projects/Harbour at night/Day 14 – second unit/Camera A (ALEXA 35)/'.repeat(9);
  const texts: [LogLine['level'], string, string][] = [
    ['info', 'An ordinary line', '{"role":"MAIN","term":42}'],
    ['warn', `A long one: ${long}`, ''],
    ['error', 'Markup: <img src=x onerror=alert(1)> <b>bold</b> &amp; <script>alert(1)</script>', ''],
    [
      'info',
      'Control characters: tab\there, bell\u0007, escape\u001b[31m red \u001b[0m, NUL \u2400, backspace\b\b',
      '',
    ],
    ['info', 'Directions: \u202egnirts desrever\u202c, zero\u200bwidth, half a pair \ufffd', ''],
    [
      'error',
      'Several lines:\nTypeError: x is not a function\n    at one (a.ts:1:1)\n    at two (b.ts:2:2)\n    at three',
      '',
    ],
    ['debug', 'x'.repeat(3_000), ''],
    ['info', 'Fields that are long', JSON.stringify({ path: long, storageId: 'st-nas-post', attempt: 3, ok: true })],
    ['info', '日本語のファイル名.mov は 完了、مرحبا بالعالم، 🎬🎞️ ready', '{"path":"Ünïcode/日本語.mov"}'],
  ];
  return texts.map(([level, message, fields], n) => ({ seq: n + 1, atMs: at + n * 1_234, level, message, fields }));
}
