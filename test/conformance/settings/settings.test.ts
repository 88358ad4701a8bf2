import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveTunables, TUNABLE_NAMES, type TunableName } from '../../../agent/config/precedence.ts';
import { editConfigText } from '../../../agent/config-file/edit-config-text.ts';
import {
  CONFIG_KEY_NAMES,
  decodeConfigBytes,
  encodeConfigText,
  parseConfigFile,
} from '../../../agent/contract/index.ts';
import { isLong } from '../../support/long-version.ts';

/** What a tier may come to hold: by hand, by an older version, by iconik. */
const held = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: -2, max: 70 }) },
  fc.constantFrom(undefined, null, '4', '', 2.5, Number.NaN, Number.POSITIVE_INFINITY, true, {}, [3]),
);
const layer = fc.option(
  fc.record(Object.fromEntries(TUNABLE_NAMES.map((name) => [name, held])), { requiredKeys: [] }),
  { nil: undefined },
);

/** Vendor's ranges and defaults, written down a second time on purpose. */
const LIMITS: Record<TunableName, number> = {
  checksum_max_workers: 2,
  scanner_concurrency_value: 4,
  file_download_parallel_downloads_num: 4,
  file_upload_parallel_uploads_num: 4,
  max_transcoding_jobs: 2,
};

/** The rule of precedence as a reader of the manual would apply it: cross out what is no number of 1 to 64, take the first. */
function reference(name: TunableName, layers: readonly (Record<string, unknown> | undefined)[]) {
  const names = ['config.ini', 'node', 'cluster'];
  const column: [string, unknown][] = [];
  for (let at = 0; at < 3; at += 1) column.push([names[at] ?? '', layers[at]?.[name]]);
  const standing: { tier: string; value: number }[] = [];
  let crossedOut = 0;
  for (const [tier, value] of column) {
    if (value == null) continue;
    let fits = false;
    for (let number = 1; number <= 64; number += 1) fits ||= number === value;
    if (fits) standing.push({ tier, value: Number(value) });
    else crossedOut += 1;
  }
  standing.push({ tier: 'default', value: LIMITS[name] });
  return { first: standing[0], rest: standing.slice(1), crossedOut };
}

const word = fc.oneof(fc.constantFrom(...CONFIG_KEY_NAMES), fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,8}$/));
const anyText = (maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...Array.from('ab =;#"\'[]\\%é漢😀\t1.x')), maxLength });
const space = fc.constantFrom('', ' ', '\t', '  ');
const lineText = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(space, word, space, space, anyText(12), space)
      .map(([before, key, left, right, text, after]) => `${before}${key}${left}=${right}${text}${after}`),
  },
  anyText(8).map((text) => `# ${text}`),
  fc.constantFrom('', '   ', '[main]', ' [MAIN] ; note', '[other]', 'no setting here', '; comment = 1'),
);
/** A line, or one that a program of an old code page wrote. */
const lineBytes = fc.oneof(
  { weight: 5, arbitrary: lineText.map((text) => new TextEncoder().encode(text)) },
  fc.uint8Array({ min: 0x20, max: 0xff, maxLength: 10 }),
);
const fileBytes = fc
  .tuple(fc.boolean(), fc.array(fc.tuple(lineBytes, fc.constantFrom('\n', '\r\n', '\n\n')), { maxLength: 14 }))
  .map(([hasMark, lines]) =>
    Buffer.concat([
      Buffer.from(hasMark ? '\uFEFF' : '; a file\n'),
      ...lines.flatMap(([line, end]) => [line, Buffer.from(end)]),
    ]),
  );

function textOf(bytes: Uint8Array): string {
  const decoded = decodeConfigBytes(bytes);
  if (decoded.kind !== 'text') throw new Error(decoded.problem);
  return decoded.text;
}

describe('settings', () => {
  it(`are resolved as by a reference on ${isLong ? '100,000' : '2,000'} random sets of layers`, () => {
    fc.assert(
      fc.property(layer, layer, layer, (configIni, node, cluster) => {
        const resolved = resolveTunables({ configIni, node, cluster });
        for (const name of TUNABLE_NAMES) {
          const expected = reference(name, [configIni, node, cluster]);
          const { value, wonBy, beaten, ignored } = resolved[name];
          expect({ first: { tier: wonBy, value }, rest: beaten, crossedOut: ignored.length }).toEqual(expected);
        }
      }),
      { numRuns: isLong ? 100_000 : 2_000 },
    );
  });

  it(`of ${isLong ? '10,000' : '300'} generated files are written back byte for byte, and a change of one touches no other line`, () => {
    fc.assert(
      fc.property(fileBytes, word, anyText(8), (bytes, written, value) => {
        const text = textOf(bytes);
        expect(Buffer.from(encodeConfigText(text)).equals(bytes)).toBe(true);
        const said = Object.fromEntries(parseConfigFile(text).entries.map((entry) => [entry.key, entry.value]));
        expect(Buffer.from(encodeConfigText(editConfigText(text, said))).equals(bytes)).toBe(true);
        const key = written.toLowerCase().replaceAll('_', '-');
        const changed = encodeConfigText(editConfigText(text, { [key]: value }));
        expect(
          new Map(parseConfigFile(textOf(changed)).entries.map((entry) => [entry.key, entry.value])).get(key),
        ).toBe(value);
        // every line that is not the key's is there, in order
        const rest = (all: Uint8Array) =>
          Buffer.from(all)
            .toString('latin1')
            // the byte order mark
            .replace(/^\u00ef\u00bb\u00bf/, '')
            .split(/[\r\n]+/)
            .filter((line) => !line.toLowerCase().replaceAll('_', '-').includes(key))
            .filter((line) => !['', '[main]'].includes(line.trim()));
        expect(rest(changed)).toEqual(rest(bytes));
      }),
      { numRuns: isLong ? 10_000 : 300 },
    );
  });
});
