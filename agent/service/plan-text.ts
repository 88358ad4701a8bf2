import type { ServicePlan, ServiceStep } from './service-plan.ts';
import { windowsCommandLine } from './windows-words.ts';

/** A command as one would type it at a POSIX shell. */
function shellLine(command: readonly string[]): string {
  return command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}

/** A command as a person can type it on that platform. Pure. */
export function typedCommand(command: readonly string[], platform: string): string {
  if (platform !== 'win32') return shellLine(command);
  return command.map((word) => (/^[\w*:./\\-]+$/.test(word) ? word : windowsCommandLine([word]))).join(' ');
}

function stepText(step: ServiceStep, platform: string): string {
  const typed = (command: readonly string[]) => typedCommand(command, platform);
  const mode = (bits: number) => (platform === 'win32' ? '' : ` (mode ${bits.toString(8)})`);
  switch (step.kind) {
    case 'folder':
      return `folder, unless it is there: ${step.path}${mode(step.mode)}\n`;
    case 'remove':
      return `remove: ${step.path}\n`;
    case 'await-database':
      return `wait until no agent and no embedded database runs in ${step.dataDir}\n`;
    case 'remove-data':
      return `wait until no agent and no embedded database runs in ${step.dataDir}, and remove it\n`;
    case 'file': {
      const lines = step.text.trimEnd().split(/\r?\n/);
      return `file: ${step.path}${mode(step.mode)}\n${lines.map((line) => `    ${line}`.trimEnd()).join('\n')}\n`;
    }
    case 'run': {
      const condition =
        step.when === undefined ? '' : `${CONDITION[step.when.kind]} "${typed(step.when.command)}" succeeds: `;
      return `run${step.mayFail ? ' (may fail)' : ''}: ${condition}${typed(step.command)}\n`;
    }
    default:
      return step satisfies never;
  }
}

const CONDITION = { unless: 'unless', onlyIf: 'only if' } as const;

/** The whole plan for `--print`: exactly what would be done, with the contents of files. Pure. */
export function planText({ steps, after }: ServicePlan, platform: string): string {
  return [...steps.map((step) => stepText(step, platform)), '', ...after.map((line) => `${line}\n`)].join('');
}
