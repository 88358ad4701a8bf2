// The reader stands in the contract: the desktop application checks the same text by the same rules.
export { parseConfigFile } from '../contract/index.ts';
