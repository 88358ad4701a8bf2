import { resolve } from 'node:path';
import { EXIT } from '../../contract/index.ts';
import { coerceError } from '../../runtime/errors.ts';
import { say } from '../run-doctor.ts';
import { type BundleOrder, type BundleProgress, makeBundle } from './make-bundle.ts';

/** What the command line and the configuration said. */
export interface BundleCommand extends Omit<BundleOrder, 'onProgress'> {
  /** Progress and outcome as lines of JSON, for the desktop application. */
  json: boolean;
}

/**
 * `--support-bundle FILE`: makes the bundle and tells how far it is. Answers the exit code: 0 when the file is whole, 70 with
 * the reason on standard error otherwise; 0 without a file when it was asked to stop.
 */
export async function runSupportBundle({ json, ...command }: BundleCommand): Promise<number> {
  const order = { ...command, file: resolve(command.file) };
  const onProgress = (progress: BundleProgress) =>
    void say(json ? `${JSON.stringify(progress)}\n` : `${progress.doing} …\n`);
  try {
    await makeBundle({ ...order, onProgress });
    await say(json ? '' : `The support bundle is ${order.file}. Look through it before you pass it on.\n`);
    return EXIT.stopped;
  } catch (thrown) {
    if (order.signal.aborted) return EXIT.stopped;
    process.stderr.write(`${coerceError(thrown).message}\n`);
    return EXIT.crash;
  }
}
