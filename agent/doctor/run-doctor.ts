import type { NodeConfig } from '../config/load-config.ts';
import { EXIT } from '../contract/index.ts';
import { createChildGuard } from '../runtime/child-guard/child-guard.ts';
import { diagnose } from './diagnose.ts';
import { diagnosisText } from './diagnosis.ts';

/**
 * `--doctor`: prints the diagnosis (as one line of JSON with `--json`, without what was looked at) and answers the exit
 * code: 0, or 1 when a finding is an error.
 */
export async function runDoctor(config: NodeConfig): Promise<number> {
  const guard = await createChildGuard();
  try {
    const diagnosis = await diagnose({ config, guard });
    const { ok, findings } = diagnosis;
    process.stdout.write(config.json ? `${JSON.stringify({ ok, findings })}\n` : diagnosisText(diagnosis));
    return ok ? EXIT.stopped : EXIT.doctorFoundProblems;
  } finally {
    await guard.stop();
  }
}
