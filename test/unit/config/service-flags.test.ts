import { describe, expect, it } from 'vitest';
import { parseFlags } from '../../../agent/config/flags.ts';

describe('flags of the service', () => {
  it('are one order, with what belongs to it', () => {
    const { flags, problems } = parseFlags([
      '--install-service',
      '--service-user',
      'media',
      '--print=win32',
      '--data-dir',
      'D',
    ]);
    expect(problems).toEqual([]);
    expect(flags).toMatchObject({
      dataDir: 'D',
      service: false,
      serviceOrder: { action: 'install', user: 'media', print: 'win32', removeData: false },
    });
    expect(parseFlags(['--uninstall-service', '--print']).flags.serviceOrder).toEqual({
      action: 'uninstall',
      removeData: false,
      print: 'here',
    });
  });

  it('are absent from a run of the node', () => {
    expect(parseFlags(['--service']).flags).toMatchObject({ service: true });
    expect(parseFlags(['--service']).flags).not.toHaveProperty('serviceOrder');
  });

  it.each([
    [['--install-service', '--uninstall-service'], 'the service is installed or removed, not both'],
    [['--install-service', '--remove-data'], '--remove-data belongs to --uninstall-service'],
    [['--service-user', 'media'], '--service-user belongs to --install-service'],
    [['--print'], '--print belongs to --install-service or --uninstall-service'],
    [['--install-service', '--print=beos'], '--print takes no value, or =linux, =darwin or =win32'],
  ])('%j is refused', (argv, problem) => {
    expect(parseFlags(argv).problems).toContain(problem);
  });
});
