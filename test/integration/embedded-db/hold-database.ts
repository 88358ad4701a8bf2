/** An agent reduced to what these tests need: holds the embedded database of a folder until it is killed. */
import { startEmbeddedDatabase } from '../../../agent/embedded-db/embedded-database.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';

const [, , dataDir = '', lingerText = ''] = process.argv;
const held = await startEmbeddedDatabase({ dataDir, log: silentLogger, lingerMs: Number(lingerText) });
process.stdout.write(`${held.uri}\n`);
