import type { MediaCluster } from '../support/media-cluster.ts';

/** Shows the cluster while it works: one block that is redrawn on a terminal, a line per change elsewhere. */
export class LiveView {
  readonly #cluster: MediaCluster;
  readonly #startedMs = performance.now();
  readonly #isTerminal = process.stdout.isTTY === true;
  #drawnLines = 0;
  #last = '';

  constructor(cluster: MediaCluster) {
    this.#cluster = cluster;
  }

  /** Says something once, above the block. */
  say(words: string): void {
    this.#erase();
    process.stdout.write(`${this.#seconds()}  ${words}\n`);
  }

  /** Draws the state of this moment. */
  async draw(): Promise<void> {
    const [leader, counts] = await Promise.all([this.#cluster.leader(), this.#cluster.counts()]);
    const nodes = this.#cluster.nodes.map(({ name, process: child }) => `${name}${child ? '' : ' (down)'}`).join(', ');
    const words = (counted: Record<string, number>) =>
      Object.entries(counted)
        .map(([key, count]) => `${key} ${count}`)
        .join(' · ') || '–';
    const total = Object.values(counts.files).reduce((sum, count) => sum + count, 0);
    const done = (counts.files.ingested ?? 0) + (counts.files.empty ?? 0);
    const bar = total === 0 ? '' : `${'█'.repeat(Math.round((20 * done) / total)).padEnd(20, '░')} ${done}/${total}`;
    const lines = [
      `nodes     ${nodes}; leader ${leader ? `${leader.name} (term ${leader.term})` : 'nobody'}`,
      `files     ${bar}  ${words(counts.files)}`,
      `jobs      ${words(counts.jobs)}`,
    ];
    this.#show(lines);
  }

  #show(lines: readonly string[]): void {
    const block = lines.join('\n');
    if (block === this.#last) return;
    this.#last = block;
    if (this.#isTerminal) {
      this.#erase();
      process.stdout.write(`${block}\n`);
      this.#drawnLines = lines.length;
      return;
    }
    process.stdout.write(`${this.#seconds()}  ${lines.join('  |  ').replaceAll(/ {2,}/g, ' ')}\n`);
  }

  #erase(): void {
    if (this.#drawnLines > 0) process.stdout.write(`\x1b[${this.#drawnLines}A\x1b[0J`);
    this.#drawnLines = 0;
    this.#last = '';
  }

  #seconds(): string {
    return `${((performance.now() - this.#startedMs) / 1_000).toFixed(1)} s`.padStart(8);
  }
}
