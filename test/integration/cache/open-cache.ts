/** Opens a log cache, reads it from end to end, which finds damage and salvages it, and stays. */
import { contents, openKeeper } from './log-rows.ts';

const [path = '', capBytes = ''] = process.argv.slice(2);
const { keeper } = openKeeper(path, { capBytes: Number(capBytes) });
keeper.use((file) => contents(file));
setInterval(() => undefined, 60_000);
