/** Stands for the end of the process: after it nothing of this run happens any more. */
class Killed extends Error {}

/**
 * Counts external calls and ends the run at one of them: just before its effect, or just after it (the answer is lost).
 * Every later call of the same run fails too.
 */
export class KillSwitch {
  calls = 0;
  readonly #at: number;
  readonly #when: 'before' | 'after';
  readonly #controller = new AbortController();

  constructor(at: number, when: 'before' | 'after') {
    this.#at = at;
    this.#when = when;
  }

  get isDead(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Fires at the kill, as the storage's processes and sockets end with the agent. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async call<T>(effect: () => Promise<T>): Promise<T> {
    if (this.isDead) throw new Killed();
    this.calls += 1;
    const isLast = this.calls === this.#at;
    if (isLast && this.#when === 'before') this.#die();
    const value = await effect();
    if (this.isDead) throw new Killed();
    if (isLast) this.#die();
    return value;
  }

  #die(): never {
    const killed = new Killed();
    this.#controller.abort(killed);
    throw killed;
  }

  /** The same object, each of whose async methods counts as an external call. */
  wrap<T extends object>(target: T): T {
    const call = <R>(effect: () => Promise<R>) => this.call(effect);
    return new Proxy(target, {
      get(object, name, receiver) {
        const value: unknown = Reflect.get(object, name, receiver);
        if (typeof value !== 'function' || name === 'absolutePath') return value;
        return (...args: unknown[]) => call(async () => await (Reflect.apply(value, object, args) as Promise<unknown>));
      },
    });
  }
}
