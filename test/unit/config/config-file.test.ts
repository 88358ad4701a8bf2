import { describe, expect, it } from 'vitest';
import { parseConfigFile } from '../../../agent/config/config-file.ts';

describe('parseConfigFile', () => {
  it('reads [main] with either spelling, spacing, quotes, comments, byte order mark and any line ends', () => {
    const text =
      '\uFEFF; top\r\n[main]\r\napp-id = one\r\n# note\r\nauth_token=two#;2\n\nICONIK-URL = "https://x/ "\rffmpeg-path=\'/a b\'';
    const { entries, problems, warnings } = parseConfigFile(text);
    expect(entries).toEqual([
      { key: 'app-id', value: 'one', line: 3 },
      { key: 'auth-token', value: 'two#;2', line: 5 },
      { key: 'iconik-url', value: 'https://x/ ', line: 7 },
      { key: 'ffmpeg-path', value: '/a b', line: 8 },
    ]);
    expect([problems, warnings]).toEqual([[], []]);
  });

  it('lets the last of two equal keys win, whatever their spelling, and says so', () => {
    const { entries, warnings } = parseConfigFile('[main]\napp-id=a\napp_id=b');
    expect(entries).toEqual([{ key: 'app-id', value: 'b', line: 3 }]);
    expect(warnings).toEqual(['line 3: "app-id" was already set in line 2; the later one counts']);
  });

  it('names every line that is no setting, and none of their texts', () => {
    const { problems } = parseConfigFile('[main]\nsecret token\n= x\nok=1');
    expect(problems).toHaveLength(2);
    expect(problems[0]).toMatch(/^line 2/);
    expect(problems[1]).toMatch(/^line 3/);
    expect(problems.join()).not.toContain('secret');
  });

  it('ignores other sections with a warning', () => {
    const { entries, warnings } = parseConfigFile('[other]\nx=1\n[main]\ny=2');
    expect(entries.map(({ key }) => key)).toEqual(['y']);
    expect(warnings).toHaveLength(1);
  });

  it('takes settings before any section as inside [main], with a warning', () => {
    const { entries, warnings } = parseConfigFile('y=2');
    expect(entries).toEqual([{ key: 'y', value: '2', line: 1 }]);
    expect(warnings).toHaveLength(1);
  });

  it('refuses a file that is not text', () => {
    expect(parseConfigFile('\u0000[\u0000m').problems).toEqual(['the file is not text; save it as UTF-8']);
  });
});
