import { describe, expect, it } from 'vitest';
import type { OrderedFile } from '../../../../agent/db/queries/ordered-file.ts';
import {
  type ContentOrder,
  type FoundEntry,
  planContent,
  sequenceNames,
} from '../../../../agent/roles/main/deletion/content-plan.ts';

const found = (path: string, kind: FoundEntry['kind'] = 'file'): FoundEntry => ({
  path,
  kind,
  sizeBytes: 1,
  mtimeNs: '1',
});
const row = (path: string, over: Partial<OrderedFile> = {}): OrderedFile => ({
  path,
  pathKey: path.normalize('NFC'),
  sizeBytes: 1,
  mtimeNs: '1',
  state: 'ingested',
  md5: null,
  assetId: 'asset',
  versionId: null,
  formatId: 'format',
  fileSetId: null,
  iconikFileId: `file of ${path}`,
  ...over,
});
const order: ContentOrder = {
  fileId: 'ordered',
  path: 'card',
  subject: 'directory',
  assetId: 'asset',
  formatId: 'format',
};

describe('the names of a sequence', () => {
  it('are those of the two usual notations', () => {
    const padded = sequenceNames('shot.%04d.dpx');
    for (const name of ['shot.0001.dpx', 'shot.9999.dpx', 'shot.10000.dpx']) expect(padded?.test(name)).toBe(true);
    for (const name of ['shot.1.dpx', 'shotx0001.dpx', 'shot.0001.dpx.bak', 'a shot.0001.dpx', 'shot.000a.dpx'])
      expect(padded?.test(name)).toBe(false);
    expect(sequenceNames('f(1)+##.exr')?.test('f(1)+07.exr')).toBe(true);
    expect(sequenceNames('f%d.exr')?.test('f7.exr')).toBe(true);
    expect(sequenceNames('caf\u0065\u0301-%02d.exr')?.test('caf\u00e9-07.exr')).toBe(true);
  });

  it('are not guessed from any other', () => {
    for (const text of [
      'shot.dpx',
      'a%04d-%04d.dpx',
      'shot.{{ index }}.dpx',
      '%04d[.]dpx',
      '*.dpx',
      '##/%d.dpx',
      '#a#',
    ])
      expect(sequenceNames(text)).toBeNull();
  });
});

describe('a directory', () => {
  it('goes with all its files and from the deepest folder up', () => {
    const entries = [
      found('card/a', 'directory'),
      found('card/a/b', 'directory'),
      found('card/a/b/1.mov'),
      found('card/2.mov'),
    ];
    const plan = planContent(order, entries, [row('card/a/b/1.mov'), row('card/2.mov'), row('card/gone.mov')]);
    expect(plan).toMatchObject({
      kind: 'remove',
      files: [{ path: 'card/a/b/1.mov' }, { path: 'card/2.mov' }],
      directories: ['card/a/b', 'card/a'],
      gone: [{ path: 'card/gone.mov' }],
    });
  });

  it('stays whole for one thing in it that may not go', () => {
    const reasons: [FoundEntry, OrderedFile[], RegExp][] = [
      [found('card/x'), [], /x is not known to the node/],
      [found('card/x', 'symlink'), [], /is no file/],
      [found('card/x', 'other'), [row('card/x')], /is no file/],
      [found('card/x'), [row('card/x', { assetId: 'other' })], /not part of what iconik ordered/],
      [found('card/x'), [row('card/x', { formatId: 'other' })], /not part of what iconik ordered/],
      [found('card/x'), [row('card/x', { state: 'hashed' })], /not part of what iconik ordered/],
      [found('card/x'), [row('card/x', { sizeBytes: 2 })], /changed since/],
      [found('card/x'), [row('card/x', { mtimeNs: '2' })], /changed since/],
    ];
    for (const [entry, rows, why] of reasons) {
      const plan = planContent(order, [found('card/1.mov'), entry], [row('card/1.mov'), ...rows]);
      expect(plan).toMatchObject({ kind: 'refused', why: expect.stringMatching(why) });
    }
  });

  it('without an asset in the order lets go only what carries its file id', () => {
    const bare: ContentOrder = { fileId: 'ordered', path: 'card', subject: 'directory' };
    const entries = [found('card/1.mov')];
    expect(planContent(bare, entries, [row('card/1.mov', { iconikFileId: 'ordered' })])).toMatchObject({
      kind: 'remove',
    });
    expect(planContent(bare, entries, [row('card/1.mov', { assetId: null })])).toMatchObject({ kind: 'refused' });
  });
});

describe('a sequence', () => {
  const frames: ContentOrder = { ...order, subject: 'sequence', path: 'shot/f.%03d.dpx' };

  it('is its frames alone: other files and folders beside them stay and do no harm', () => {
    const entries = [found('shot/f.001.dpx'), found('shot/notes.txt'), found('shot/below', 'directory')];
    const plan = planContent(frames, entries, [row('shot/f.001.dpx'), row('shot/f.002.dpx'), row('shot/other.dpx')]);
    expect(plan).toMatchObject({
      files: [{ path: 'shot/f.001.dpx' }],
      gone: [{ path: 'shot/f.002.dpx' }],
      directories: [],
    });
  });

  it('stays whole when a frame is not as recorded, or its notation is not understood', () => {
    const rows = [row('shot/f.001.dpx'), row('shot/f.002.dpx', { sizeBytes: 9 })];
    const entries = [found('shot/f.001.dpx'), found('shot/f.002.dpx')];
    expect(planContent(frames, entries, rows)).toMatchObject({ kind: 'refused' });
    const unknown = { ...frames, template: '{{ name }}-{{ n }}' };
    expect(planContent(unknown, entries, rows)).toMatchObject({
      kind: 'refused',
      why: expect.stringMatching(/not understood/),
    });
  });
});
