import type { IconikApi } from '../../../../agent/iconik/api.ts';
import type { Database } from '../../../../agent/runtime/sql.ts';

/** Where a process dies: at its n-th call (from 1), before it is sent or after it took effect. */
export interface KillPoint {
  call: number;
  when: 'before' | 'after';
}

/** A process that dies at one of its calls: from then on nothing it does has an effect, and nothing answers. */
export class DyingProcess {
  readonly died: Promise<void>;
  private readonly point: KillPoint;
  private calls = 0;
  private isDead = false;
  private die: () => void = () => undefined;

  constructor(point: KillPoint) {
    this.point = point;
    this.died = new Promise((resolve) => {
      this.die = resolve;
    });
  }

  get hasDied(): boolean {
    return this.isDead;
  }

  private kill(): Promise<never> {
    this.isDead = true;
    this.die();
    return new Promise<never>(() => undefined);
  }

  private async through<T>(effect: () => Promise<T>): Promise<T> {
    if (this.isDead) return this.kill();
    this.calls += 1;
    const isLast = this.calls === this.point.call;
    if (isLast && this.point.when === 'before') return this.kill();
    const answer = await effect();
    // Another call of this process may have been the last while this one was under way.
    return isLast || this.isDead ? this.kill() : answer;
  }

  /** The calls of iconik, dying. */
  api(real: IconikApi): IconikApi {
    const wrapService = (service: object): object =>
      new Proxy(service, {
        get: (target, name, receiver) => {
          const method: unknown = Reflect.get(target, name, receiver);
          if (typeof method !== 'function' || name === 'newestFirst') return method;
          return (...values: unknown[]) => this.through(async () => Reflect.apply(method, target, values) as unknown);
        },
      });
    return new Proxy(real, {
      get: (target, name, receiver) => {
        const service: unknown = Reflect.get(target, name, receiver);
        return typeof service === 'object' && service !== null ? wrapService(service) : service;
      },
    });
  }

  /** The statements and transactions of the database, dying; a transaction dies as a whole, or after its commit. */
  database(real: Database): Database {
    return {
      query: (text, values, row) => this.through(() => real.query(text, values, row)),
      execute: (text, values) => this.through(() => real.execute(text, values)),
      transaction: (work, limits) => this.through(() => real.transaction(work, limits)),
      script: (text, limits) => this.through(() => real.script(text, limits)),
      close: () => real.close(),
    };
  }
}
