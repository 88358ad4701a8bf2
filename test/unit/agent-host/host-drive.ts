import type { HostCommand, HostEvent, HostState, RunEnd } from '../../../main/agent-host/host-situation.ts';
import { initialHost, nextHost } from '../../../main/agent-host/host-state.ts';

/** An end with an exit code, as Node reports it. */
export const exit = (code: number, over: Partial<RunEnd> = {}): RunEnd => ({
  code,
  signal: null,
  isCodeCertain: true,
  startError: null,
  ...over,
});

/** An event without its time: `Drive.at` adds it. */
export type Happening = HostEvent extends infer Event
  ? Event extends HostEvent
    ? Omit<Event, 'nowMs'>
    : never
  : never;

/** Drives the machine on a clock of its own. */
export class Drive {
  state: HostState = initialHost;
  nowMs = 1_000;
  readonly commands: (HostCommand & { atMs: number })[] = [];

  /** Lets it happen now; answers the kinds of commands that followed. */
  on(...happenings: Happening[]): string[] {
    return happenings.flatMap((happening) => {
      const step = nextHost(this.state, { ...happening, nowMs: this.nowMs } as HostEvent);
      this.state = step.state;
      this.commands.push(...step.commands.map((command) => ({ ...command, atMs: this.nowMs })));
      return step.commands.map((command) => command.kind);
    });
  }

  /** Time passes in ticks of 250 ms; `each` may beat in between. */
  pass(ms: number, each: () => void = () => {}): string[] {
    const kinds: string[] = [];
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += 250;
      each();
      kinds.push(...this.on({ kind: 'tick', mainWasLate: false }));
    }
    return kinds;
  }

  /** Started, and said hello. */
  static running(): Drive {
    const drive = new Drive();
    drive.on({ kind: 'start-asked' }, { kind: 'hello', protocol: 1 });
    return drive;
  }
}
