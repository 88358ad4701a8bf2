/**
 * Anything long-lived. `start` resolves when running, `stop` when fully stopped; both may be called twice, and `stop`
 * before `start` is fine.
 */
export interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
}
