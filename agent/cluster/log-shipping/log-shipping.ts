import type { ShippingTarget } from '../../cache/log/log-cache.ts';
import type { Service } from '../../runtime/service.ts';

/** What shipping the log of a running node needs. */
export interface LogShippingOptions {
  target: ShippingTarget;
  /** Ships to a database from now on; null = no more. */
  shipLog: (target: ShippingTarget | null) => void;
  setLogBusy: (isBusy: boolean) => void;
  /** Whether jobs run on this node now. */
  hasJobs: () => boolean;
}

/** How often it is looked whether jobs run. */
const LOOK_MS = 500;

/** Ships the node's log while the node runs, and steps back while it has jobs. */
export class LogShipping implements Service {
  readonly #options: LogShippingOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LogShippingOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#timer) return;
    const { target, shipLog, setLogBusy, hasJobs } = this.#options;
    shipLog(target);
    this.#timer = setInterval(() => setLogBusy(hasJobs()), LOOK_MS).unref();
  }

  async stop(): Promise<void> {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#options.shipLog(null);
    this.#options.setLogBusy(false);
  }
}
