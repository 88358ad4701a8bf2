import type { WorkerStatus } from '../../db/queries/worker.ts';
import type { BeatAnswer, Heartbeat } from '../heartbeat.ts';
import { beatAnswerSchema, type FromThread } from './pulse-messages.ts';
import type { ThreadHost, ThreadListener } from './thread-host.ts';

/** The heartbeat by the thread, as the membership sees it. */
export class ThreadHeartbeat implements Heartbeat, ThreadListener {
  readonly #host: ThreadHost;
  #status: WorkerStatus | null = null;
  #isOn = false;
  #listener: (answer: BeatAnswer) => void = () => {};

  constructor(host: ThreadHost) {
    this.#host = host;
    host.listen(this);
  }

  start(): void {
    this.#isOn = true;
    this.#host.post({ kind: 'start-beats' });
  }

  say(status: WorkerStatus): void {
    this.#status = status;
    this.#host.post({ kind: 'say', status: { ...status, roles: [...status.roles] } });
  }

  async beatNow(): Promise<BeatAnswer> {
    return beatAnswerSchema.parse(await this.#host.call({ kind: 'beat-now' }));
  }

  onAnswer(listener: (answer: BeatAnswer) => void): void {
    this.#listener = listener;
  }

  confirmedMs(): number {
    return this.#host.memory.beatMs();
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#host.call({ kind: 'stop-beats' }).catch(() => {
      // ignored because a thread that is gone sends no beats
    });
  }

  up(): void {
    if (this.#status) this.say(this.#status);
    if (this.#isOn) this.start();
  }

  down(): void {}

  message(message: FromThread): void {
    if (message.kind === 'beat') this.#listener(message.answer);
  }
}
