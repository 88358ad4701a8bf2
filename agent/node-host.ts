import { join } from 'node:path';
import type { Installation } from './cache/installation.ts';
import type { ShippingTarget } from './cache/log/log-cache.ts';
import type { NodeConfig } from './config/load-config.ts';
import type { NodeObserver } from './operator/operated-node.ts';
import type { Logger } from './runtime/logger.ts';

/** What a node gets from its entry point. */
export interface NodeHost {
  /** What may change while the node runs (config/live-config.ts) is read from it each time. */
  config: NodeConfig;
  installation: Installation;
  log: Logger;
  /** Newest log lines, for telemetry and report. */
  lines: () => string[];
  errorLines: () => string[];
  /** Newest log lines about a storage or about none, for its report. */
  linesAbout: (storageId: string) => { log: string[]; error: string[] };
  /** Calls back after each change of config.ini that counts at once; the returned function ends it. */
  onConfigChange: (listener: () => void) => () => void;
  /** Names a value that must never be logged. */
  hide: (secret: string) => void;
  /** A text without the values that must never get out. */
  redact: (text: string) => string;
  /** Ships the log to the cluster's database from now on; null = no more. */
  shipLog: (target: ShippingTarget | null) => void;
  /** Whether jobs run: shipping then steps back. */
  setLogBusy: (isBusy: boolean) => void;
  /** Fires when the process is asked to stop. */
  stopSignal: AbortSignal;
  /** Stops the node in order and starts it again in this process. */
  restart: () => void;
  /** Shows the node to its operator; absent when headless. */
  observer?: NodeObserver;
}

/** Folder for proxies and pictures on their way to iconik, below the data folder. */
export const tempDirOf = (config: NodeConfig): string => join(config.dataDir, 'temp');
