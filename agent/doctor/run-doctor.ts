import type { LoadedConfig, NodeConfig } from '../config/load-config.ts';
import { type Diagnosis, EXIT } from '../contract/index.ts';
import { createChildGuard } from '../runtime/child-guard/child-guard.ts';
import { diagnose } from './diagnose.ts';
import { diagnosisOf, diagnosisText } from './diagnosis.ts';

/** A configuration that cannot be used is a finding like others: nothing behind it can be looked at. Pure. */
function explainConfig(problems: readonly string[]): Diagnosis {
  const finding = {
    code: 'config-invalid',
    severity: 'error',
    cause: 'The configuration is wrong, so the node does not start.',
    evidence: problems.join('\n'),
    remedy:
      'Correct config.ini as it says, in the Settings screen or in the file. Without a file, go through the set-up assistant.',
  } as const;
  return diagnosisOf([finding], ['the configuration']);
}

/**
 * The diagnosis of a node, with processes and a guard of its own, so that it disturbs no work of this process. `embeddedUri`
 * leads to an embedded database that this process runs. Never throws but for want of processes.
 */
export async function diagnoseNode(config: NodeConfig, embeddedUri?: string): Promise<Diagnosis> {
  const guard = await createChildGuard();
  try {
    return await diagnose({ config, guard, embeddedUri });
  } finally {
    await guard.stop();
  }
}

/** The diagnosis of a node as its configuration says. Throws as `diagnoseNode`. */
export async function diagnoseLoaded(loaded: LoadedConfig): Promise<Diagnosis> {
  return loaded.kind === 'ok' ? diagnoseNode(loaded.config) : explainConfig(loaded.problems);
}

/** Writes to standard output; resolves when it is handed over, which on some systems comes after an exit otherwise. */
export function say(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(text, () => resolve());
  });
}

/**
 * `--doctor`: prints the diagnosis (as one line of JSON with `json`) and answers the exit code: 0, or 1 when a finding is an
 * error, also when that is the configuration.
 */
export async function runDoctor(loaded: LoadedConfig, { json }: { json: boolean }): Promise<number> {
  const diagnosis = await diagnoseLoaded(loaded);
  await say(json ? `${JSON.stringify(diagnosis)}\n` : diagnosisText(diagnosis));
  return diagnosis.ok ? EXIT.stopped : EXIT.doctorFoundProblems;
}
