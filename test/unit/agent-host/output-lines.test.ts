import { describe, expect, it } from 'vitest';
import { createOutputLines } from '../../../main/agent-host/output-lines.ts';

function collector() {
  const seen = { lines: [] as string[], passed: [] as string[], leftOut: 0, nowMs: 0 };
  const output = createOutputLines({
    onLine: (line) => seen.lines.push(line),
    onPassed: (line) => seen.passed.push(line),
    onLeftOut: (count) => {
      seen.leftOut += count;
    },
    monotonicMs: () => seen.nowMs,
  });
  return { seen, output };
}

describe('lines of the agent’s output', () => {
  it('are whole however the bytes are cut, also within a character', () => {
    const { seen, output } = collector();
    for (const byte of Buffer.from('über Straße\r\n目录\nrest')) output.push(Buffer.of(byte));
    expect(seen.lines).toEqual(['über Straße', '目录']);
    output.end();
    expect(seen.lines).toEqual(['über Straße', '目录', 'rest']);
  });

  it('are bounded in length: a stream without line ends does not grow the memory', () => {
    const { seen, output } = collector();
    for (let chunk = 0; chunk < 100; chunk += 1) output.push(Buffer.alloc(65_536, 'x'));
    output.push(Buffer.from('\nnext\n'));
    expect(seen.lines.map((line) => line.length)).toEqual([8_192, 4]);
  });

  it('are bounded in rate, and what was left out is counted', () => {
    const { seen, output } = collector();
    output.push(Buffer.from('flood\n'.repeat(1_000)));
    expect(seen.passed).toHaveLength(200);
    expect(seen.lines).toHaveLength(1_000);
    seen.nowMs = 1_000;
    output.push(Buffer.from('calm\n'));
    expect(seen.leftOut).toBe(800);
    expect(seen.passed.at(-1)).toBe('calm');
  });
});
