import type { LeadershipRenewer, RenewalStanding } from '../../leader/leadership-renewer.ts';
import type { FromThread } from './pulse-messages.ts';
import type { ThreadHost, ThreadListener } from './thread-host.ts';

/** Renewal of the leadership by the thread, as the elector sees it. */
export class ThreadLeadership implements LeadershipRenewer, ThreadListener {
  readonly #host: ThreadHost;
  #isUp = false;
  /** Terms whose thread has ended under them. */
  #failure: { term: number; why: string } | null = null;
  #listener: () => void = () => {};

  constructor(host: ThreadHost) {
    this.#host = host;
    host.listen(this);
  }

  isReady(): boolean {
    return this.#isUp;
  }

  begin(term: number): void {
    this.#host.memory.setLeadTerm(term);
    this.#failure = this.#isUp ? null : { term, why: 'the thread that renews leases does not run' };
    this.#host.post({ kind: 'lead' });
  }

  end(): void {
    this.#host.memory.setLeadTerm(0);
    this.#host.post({ kind: 'lead' });
  }

  standing(term: number): RenewalStanding {
    const { memory } = this.#host;
    return {
      confirmedMs: memory.confirmedMs(term),
      isRefused: memory.isRefused(term),
      failure: this.#failure?.term === term ? this.#failure.why : null,
    };
  }

  onTrouble(listener: () => void): void {
    this.#listener = listener;
  }

  up(): void {
    this.#isUp = true;
  }

  down(): void {
    this.#isUp = false;
    const term = this.#host.memory.leadTerm();
    if (term !== 0) this.#failure = { term, why: 'the thread that renews leases has ended' };
    this.#listener();
  }

  message({ kind }: FromThread): void {
    if (kind === 'refused') this.#listener();
  }
}
