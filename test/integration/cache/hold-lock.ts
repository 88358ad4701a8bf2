/** Holds the lock of a data folder until killed; says `held` or `refused`. */
import { lockDataFolder } from '../../../agent/cache/data-folder-lock.ts';

const lock = lockDataFolder(process.argv[2] ?? '');
process.stdout.write(lock === null ? 'refused\n' : 'held\n');
if (lock !== null) setInterval(() => undefined, 60_000);
