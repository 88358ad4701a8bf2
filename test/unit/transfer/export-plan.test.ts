import { describe, expect, it } from 'vitest';
import type { Keyframe, Proxy as ProxyRecord } from '../../../agent/iconik/api.ts';
import { nameOfCopy } from '../../../agent/roles/transfer/copy-name.ts';
import { type ExportOrder, metadataText, planExport } from '../../../agent/roles/transfer/export-plan.ts';

const order: ExportOrder = {
  jobId: '7',
  versionId: 'v1',
  destinationDirectoryPath: '/out/',
  originalName: 'clip.mov',
  includeOriginalExtension: false,
  proxy: true,
  posters: true,
  metadata: { format: 'XML', viewId: 'view' },
};
const record = { storage_id: null, name: null, status: 'CLOSED', version_id: 'v1', size: 5 };
const proxyOf = (fields: object) =>
  ({ ...record, id: 'proxy', filename: 'p.mp4', ...fields }) as unknown as ProxyRecord;
const keyframeOf = (fields: object) =>
  ({ ...record, id: 'k', filename: 'k.png', type: 'POSTER', ...fields }) as unknown as Keyframe;
const finals = (plan: ReturnType<typeof planExport>) => plan.items.map((item) => item.finalPath);

describe('the extras of an export', () => {
  it('are named after the original, each with its own extension', () => {
    const sources = { proxies: [proxyOf({})], keyframes: [keyframeOf({}), keyframeOf({ id: 'l', filename: null })] };
    expect(finals(planExport(order, sources))).toEqual([
      'out/clip_proxy.mp4',
      'out/clip_poster.png',
      'out/clip_poster-2.jpg',
      'out/clip.xml',
    ]);
    const whole = planExport({ ...order, includeOriginalExtension: true }, sources);
    expect(finals(whole)).toEqual([
      'out/clip.mov_proxy.mp4',
      'out/clip.mov_poster.png',
      'out/clip.mov_poster-2.jpg',
      'out/clip.mov.xml',
    ]);
    expect(new Set(whole.items.map((item) => item.partialPath)).size).toBe(4);
  });

  it('are complete ones of the version, and what is not there is said', () => {
    const proxies = [proxyOf({ status: 'OPEN' }), proxyOf({ version_id: 'v2' }), proxyOf({ size: null })];
    const keyframes = [keyframeOf({ type: 'KEYFRAME' })];
    const plan = planExport({ ...order, metadata: null }, { proxies, keyframes });
    expect(plan).toEqual({ items: [], absent: ['no proxy', 'no poster'] });
  });

  it('never lead out of the storage', () => {
    expect(() => planExport({ ...order, originalName: '../x.mov' }, { proxies: [proxyOf({})], keyframes: [] })).toThrow(
      expect.objectContaining({ code: 'outside-storage' }),
    );
  });
});

describe('exported metadata', () => {
  const values = {
    Title: { field_values: [{ value: 'a "b", <c> & ü\n' }] },
    Tags: { field_values: [{ value: 'x' }, { value: 3 }, { value: true }] },
    Formula: { field_values: [{ value: '=HYPERLINK("http://x")' }] },
    Less: { field_values: [{ value: '-5' }, { value: null }] },
    Empty: { field_values: [] },
  };

  it('is CSV that a spreadsheet reads as text', () => {
    expect(metadataText('CSV', values)).toBe(
      'Empty,Formula,Less,Tags,Title\r\n,"\'=HYPERLINK(""http://x"")","\'-5;","x;3;true","a ""b"", <c> & ü\n"\r\n',
    );
  });

  it('is XML without a character that XML has no place for', () => {
    const text = metadataText('XML', { ...values, Odd: { field_values: [{ value: 'a\u0000\u0001b' }] } });
    expect(text).toContain('<field name="Odd"><value>ab</value></field>');
    expect(text).toContain('<value>a &#34;b&#34;, &#60;c&#62; &#38; ü&#10;</value>');
    expect(text).toContain('<field name="Empty"></field>');
  });

  it('is JSON with the values as iconik has them', () => {
    expect(JSON.parse(metadataText('JSON', values))).toEqual(values);
  });
});

describe('the name of a copy', () => {
  it.each([
    ['clip.mov', null, true, 'clip.mov'],
    ['clip.mov', 'final', true, 'final.mov'],
    ['clip.mov', 'final', false, 'final'],
    ['clip.mov', 'final.MOV', true, 'final.MOV'],
    ['clip.mov', 'final.mp4', true, 'final.mp4.mov'],
    ['.hidden', 'final', true, 'final'],
    ['clip', 'final', true, 'final'],
  ])('of %s ordered as %s (with extension: %s) is %s', (own, ordered, includes, name) => {
    expect(nameOfCopy(own, ordered, includes)).toBe(name);
  });
});
