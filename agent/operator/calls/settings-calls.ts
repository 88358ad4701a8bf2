import {
  clusterOnlyInNode,
  TUNABLE_NAMES,
  TUNABLES,
  type TunableName,
  VISIBILITY_TIMEOUT,
} from '../../config/precedence.ts';
import { type AgentCallHandlers, CONFIG_WORDS, type ConfigKey, type SettingRow } from '../../contract/index.ts';
import type { IconikApi } from '../../iconik/api.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { NodeView, RunningNode } from '../operated-node.ts';

const LEASE = 'visibility_timeout';

/** Unit of each tunable's value. */
const UNITS: Readonly<Record<TunableName, string>> = {
  checksum_max_workers: 'files',
  scanner_concurrency_value: 'folders',
  file_download_parallel_downloads_num: 'files',
  file_upload_parallel_uploads_num: 'files',
  max_transcoding_jobs: 'jobs',
};

/** Settings that several tiers may hold: read with all their tiers, written to node or cluster in iconik. */
export function settingsCalls({ node, api }: RunningNode): Pick<AgentCallHandlers, 'settings.read' | 'settings.write'> {
  return {
    'settings.read': async () => ({ rows: settingRows(node.view()) }),
    'settings.write': async ({ name, tier, value }) => {
      const { gateway, cluster } = node.view().entities;
      assertWritable(name, tier, value);
      if (tier === 'node') await writeNode(api, gateway.id, { name, value });
      else if (cluster === null) throw refused('This node belongs to no cluster. Set the value on the node.');
      else await writeCluster(api, cluster.id, { name, value });
      await node.rereadEntities();
      return {};
    },
  };
}

/** All settings with the value that counts, who says it and whom it beats. */
function settingRows(view: NodeView): SettingRow[] {
  const isInCluster = view.entities.cluster !== null;
  const tunables = TUNABLE_NAMES.map((name): SettingRow => {
    const { value, wonBy, beaten, ignored } = view.tunables[name];
    const { min, max } = TUNABLES[name];
    const key = name.replaceAll('_', '-') as ConfigKey;
    return {
      name,
      explanation: CONFIG_WORDS[key].explanation,
      value,
      wonBy,
      beaten: [...beaten],
      min,
      max,
      unit: UNITS[name],
      tiers: isInCluster ? ['config.ini', 'node', 'cluster'] : ['config.ini', 'node'],
      remarks: ignored.map((words) => `${words} and has no effect`),
    };
  });
  const { value, wonBy, beaten, ignored } = view.visibilityTimeout;
  const { gateway } = view.entities;
  return [
    ...tunables,
    {
      name: LEASE,
      explanation:
        'How long a job stays with a node that neither finishes it nor renews its lease; all nodes use the same value, so only the cluster may hold it.',
      value,
      wonBy,
      beaten: [...beaten],
      min: VISIBILITY_TIMEOUT.min,
      max: VISIBILITY_TIMEOUT.max,
      unit: 'seconds',
      tiers: isInCluster ? ['cluster'] : [],
      remarks: [...ignored.map((words) => `${words} and has no effect`), ...clusterOnlyInNode(gateway.settings)],
    },
  ];
}

const isTunable = (name: string): name is TunableName => Object.hasOwn(TUNABLES, name);

function assertWritable(name: string, tier: 'node' | 'cluster', value: number | null): void {
  if (name === 'db_connection_uri') {
    throw refused('All nodes must use one database, so db_connection_uri is set on the cluster in iconik only.');
  }
  if (name !== LEASE && !isTunable(name)) throw refused(`There is no setting "${name}".`);
  if (name === LEASE && tier === 'node') {
    throw refused('All nodes must use one lease time, so visibility_timeout is set on the cluster only.');
  }
  const { min, max } = isTunable(name) ? TUNABLES[name] : VISIBILITY_TIMEOUT;
  if (value === null || (Number.isInteger(value) && value >= min && value <= max)) return;
  throw refused(`${name} must be a whole number from ${min} to ${max}; nothing was changed.`);
}

const refused = (words: string): IsgError => new IsgError('config-invalid', words, { retry: 'permanent' });

interface Change {
  name: string;
  value: number | null;
}

// The settings are one object in iconik, which a PATCH replaces: what stands in it now goes back with the one change.
async function writeNode(api: IconikApi, id: string, { name, value }: Change): Promise<void> {
  const { settings } = await api.gateways.get(id);
  await api.gateways.patch(id, { settings: { ...whatIsSet(settings), [name]: value } });
}

const whatIsSet = (settings: Record<string, number | null>) =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null));

async function writeCluster(api: IconikApi, id: string, { name, value }: Change): Promise<void> {
  // The cluster always says a lease time: without one of its own it has iconik's default.
  if (name === LEASE) return api.clusters.patch(id, { visibility_timeout: value ?? VISIBILITY_TIMEOUT.default });
  const { settings } = await api.clusters.get(id);
  await api.clusters.patch(id, { settings: { ...whatIsSet(settings), [name]: value } });
}
