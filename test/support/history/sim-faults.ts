import { CALM, type LinkWeather } from './sim-link.ts';
import { ELECTION, type SimNode } from './sim-node.ts';
import type { VirtualTime } from './virtual-time.ts';

/** What a fault works on. */
export interface FaultScene {
  nodes: SimNode[];
  time: VirtualTime;
  random: () => number;
  /** Starts one more node, which the scene's caller must add to `nodes`. */
  startNode: (name: string) => SimNode;
}

type Fault = (scene: FaultScene) => void | Promise<void>;

const ROUGH: LinkWeather = {
  latencyMs: { min: 5, max: 450 },
  lateRate: 0.08,
  lostAnswerRate: 0.08,
  resetRate: 0.05,
};

function leaderOf({ nodes }: FaultScene): SimNode {
  const found = nodes.find((node) => node.elector.trustedTerm() !== null) ?? nodes[0];
  if (!found) throw new Error('an episode has no nodes');
  return found;
}

const between = ({ random }: FaultScene, min: number, max: number) => min + random() * (max - min);

/** The faults of episodes, by name. */
export const FAULTS = {
  /** The leader is asked to step down, and may lead again later. */
  'hand-over': (scene) => {
    const leader = leaderOf(scene);
    leader.unfit = 'asked to hand over';
    scene.time.at(scene.time.nowMs + between(scene, 200, 4_000), () => {
      leader.unfit = null;
    });
  },
  /** The leader is killed and started again. */
  crash: (scene) => {
    const { nodes, time, startNode } = scene;
    leaderOf(scene).process.kill();
    time.at(time.nowMs + between(scene, 300, 4_000), () => {
      nodes.push(startNode('again'));
    });
  },
  /** The leader stands still and comes back, most often just after the lease has lapsed. */
  freeze: (scene) => {
    leaderOf(scene).process.freezeUntil(scene.time.nowMs + between(scene, 500, 5_000));
  },
  /** The leader stands still for so long that it counts as dead. */
  'long freeze': (scene) => {
    leaderOf(scene).process.freezeUntil(scene.time.nowMs + between(scene, 5_500, 8_500));
  },
  /** The leader stands still for good. */
  standstill: (scene) => {
    leaderOf(scene).process.freezeUntil(scene.time.nowMs + 60_000);
  },
  /** Nothing of the leader reaches the database; the leader itself goes on. */
  cut: (scene) => {
    leaderOf(scene).link.cutUntil(scene.time.nowMs + between(scene, 500, 5_000));
  },
  /** Nobody reaches the database. */
  outage: ({ nodes, time, random }) => {
    const untilMs = time.nowMs + 500 + 5_000 * random();
    for (const { link } of nodes) link.cutUntil(untilMs);
  },
  /** Long delays, late statements, lost answers and resets for all. */
  'rough weather': (scene) => {
    for (const { link } of scene.nodes) link.weather = ROUGH;
    scene.time.at(scene.time.nowMs + 4_000, () => {
      for (const { link } of scene.nodes) link.weather = CALM;
    });
  },
  /** What the leader sends arrives late; then it is frozen. */
  'late statements': (scene) => {
    const leader = leaderOf(scene);
    leader.link.weather = { ...CALM, lateRate: 0.6 };
    scene.time.at(scene.time.nowMs + between(scene, 200, 900), () => {
      leader.link.weather = CALM;
      leader.process.freezeUntil(scene.time.nowMs + between(scene, 1_000, 5_000));
    });
  },
  /** Answers to the leader take long; then nothing of it arrives. */
  'slow answers': (scene) => {
    const leader = leaderOf(scene);
    leader.link.weather = { ...CALM, latencyMs: { min: 150, max: 480 } };
    scene.time.at(scene.time.nowMs + between(scene, 1_000, 2_000), () => {
      leader.link.cutUntil(scene.time.nowMs + 5_000);
    });
  },
  /** Wall clocks are an hour wrong. */
  'wall clocks': ({ nodes, random }) => {
    for (const { process } of nodes) process.wallErrorMs = random() < 0.5 ? -3_600_000 : 3_600_000;
  },
  /** The candidates' first look is long on its way, while the leader renews for the last time. */
  'slow look': async (scene) => {
    const leader = leaderOf(scene);
    const { time, nodes } = scene;
    const calm = { ...CALM, latencyMs: { min: 0.2, max: 0.5 } };
    for (const node of nodes) node.link.weather = calm;
    await time.advanceTo(time.nowMs + between(scene, 0, ELECTION.renewMs));
    for (const node of nodes) if (node !== leader) node.link.nextSendMs.push(960);
    await time.advanceTo(time.nowMs + between(scene, 940, 1_200));
    leader.link.cutUntil(time.nowMs + 6_000);
  },
} satisfies Record<string, Fault>;

/** Names of the faults. */
export type FaultName = keyof typeof FAULTS;
