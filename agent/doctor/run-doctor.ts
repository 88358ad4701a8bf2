import type { NodeConfig } from '../config/load-config.ts';
import { EXIT } from '../contract/index.ts';
import { createChildGuard } from '../runtime/child-guard/child-guard.ts';
import { silentLogger } from '../runtime/logger.ts';
import { diagnose, diagnosisText } from './diagnose.ts';

/** `--doctor`: prints the diagnosis (as one line of JSON with `--json`) and answers the exit code: 0, or 1 with problems. */
export async function runDoctor(config: NodeConfig): Promise<number> {
  const guard = await createChildGuard();
  try {
    const results = await diagnose({ config, guard, log: silentLogger });
    process.stdout.write(config.json ? `${JSON.stringify({ results })}\n` : diagnosisText(results));
    return results.every(({ status }) => status === 'ok') ? EXIT.stopped : EXIT.doctorFoundProblems;
  } finally {
    await guard.stop();
  }
}
