// The rules stand in the contract: the desktop application looks in the same places as the headless node.
export { defaultConfigPath, defaultDataDir } from '../contract/index.ts';
