import { join } from 'node:path';
import type { Role } from '../../../agent/contract/index.ts';
import { MediaCluster, type MediaClusterOptions } from '../../support/media-cluster.ts';
import { AGENT, ChildAgent } from '../link/child-agent.ts';

export const ALL_ROLES: Role[] = ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'];

/** A media cluster whose nodes are children of this process, as they are of the desktop application. */
export class OperatedCluster {
  readonly media: MediaCluster;
  readonly #dir: string;
  readonly #agents: ChildAgent[] = [];

  private constructor(media: MediaCluster, dir: string) {
    this.media = media;
    this.#dir = dir;
  }

  static async create(dir: string, options: Partial<MediaClusterOptions> = {}): Promise<OperatedCluster> {
    const media = await MediaCluster.create({
      dir,
      nodes: [{ name: 'node-a', roles: ALL_ROLES }],
      storageSettings: () => ({ growing_files_threshold: 1 }),
      config: {},
      ...options,
    });
    return new OperatedCluster(media, dir);
  }

  start(name: string, ...flags: string[]): ChildAgent {
    const folder = join(this.#dir, name);
    const args = ['--config', join(folder, 'config.ini'), '--data-dir', join(folder, 'data'), ...flags];
    const agent = new ChildAgent(AGENT, args);
    this.#agents.push(agent);
    return agent;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.end()));
    await this.media.stop();
  }
}
