import { describe, expect, it } from 'vitest';
import { packageFolder } from '../../../build/package/bundled-packages.ts';
import { listOfParts, type Sbom } from '../../../build/package/sbom.ts';

const locked: Sbom = {
  metadata: { component: { 'bom-ref': 'isg-pro' } },
  components: [
    { name: 'core', group: '@mantine', version: '9.0.0', 'bom-ref': 'mantine' },
    { name: 'pg', version: '8.0.0', 'bom-ref': 'pg' },
    {
      name: 'vitest',
      version: '5.0.0',
      'bom-ref': 'vitest',
      components: [{ name: 'ms', version: '1.0.0', 'bom-ref': 'vitest|ms' }],
    },
  ],
  dependencies: [{ ref: 'isg-pro', dependsOn: ['pg', 'vitest', 'mantine'] }, { ref: 'vitest' }, { ref: 'pg' }],
};

describe('the list of parts', () => {
  it('names what is inside, whatever package.json calls it, and nothing else', () => {
    const shipped = [
      { name: 'pg', version: '8.0.0' },
      { name: '@mantine/core', version: '9.0.0' },
      { name: 'pg', version: '8.0.0' },
      { name: 'ms', version: '1.0.0' },
    ];
    const parts = listOfParts(locked, shipped, [{ name: 'ffmpeg', version: '8.0' }]);
    expect(parts.components.map(({ name, version }) => `${name} ${version}`)).toEqual([
      'core 9.0.0',
      'pg 8.0.0',
      'ms 1.0.0',
      'ffmpeg 8.0',
    ]);
    expect(parts.dependencies).toEqual([{ ref: 'isg-pro', dependsOn: ['pg', 'mantine'] }, { ref: 'pg' }]);
  });

  it('is not made when something is inside that the lock file does not name', () => {
    expect(() => listOfParts(locked, [{ name: 'pg', version: '8.0.1' }], [])).toThrow(/pg@8.0.1.*lock file/);
  });
});

it('a module belongs to the innermost package', () => {
  expect(packageFolder('/a/node_modules/@mantine/core/esm/index.mjs?v=1')).toBe('/a/node_modules/@mantine/core');
  expect(packageFolder('\0/a/node_modules/x/node_modules/y/z.js')).toBe('/a/node_modules/x/node_modules/y');
  expect(packageFolder('/a/agent/main.ts')).toBeNull();
});
