import { chooseDatabase } from '../cluster/cluster-database.ts';
import type { NodeConfig } from '../config/load-config.ts';
import { resolveVisibilityTimeout } from '../config/precedence.ts';
import type { Diagnosis, Finding } from '../contract/index.ts';
import type { ChildGuard } from '../runtime/child-guard/child-guard.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import { diagnosisOf } from './diagnosis.ts';
import { explainCluster } from './explain-cluster.ts';
import { explainStorage } from './explain-storage.ts';
import { type DatabaseLook, lookAtDatabase } from './look-at-database.ts';
import { type IconikLook, lookAtIconik } from './look-at-iconik.ts';
import { lookAtMachine, lookAtStorages } from './look-at-machine.ts';

/** What a diagnosis needs. */
export interface DiagnosisOptions {
  config: NodeConfig;
  guard: ChildGuard;
  clock?: Clock;
  /** The embedded database, where this process runs one: only it knows the way to it. A secret. */
  embeddedUri?: string | undefined;
  /** Longest time for the whole; default 4.8 s. */
  limitMs?: number;
}

/** A look as a whole must not take longer than people wait; what is not there by then was not checked. */
const LIMIT_MS = 4_800;

type Found = NonNullable<IconikLook['found']>;

/**
 * Looks once, in parallel, at everything the node depends on, and says what is wrong, the likeliest root cause first.
 * Takes at most 5 s. Changes nothing: no table is made, no marker is placed, nothing is registered; a storage that may be
 * written gets a small file that is removed again. Never throws.
 */
export async function diagnose(options: DiagnosisOptions): Promise<Diagnosis> {
  const { clock = systemClock, limitMs = LIMIT_MS } = options;
  const checked: string[] = [];
  const notChecked: Finding[] = [];
  const startedMs = clock.monotonicMs();
  const within = async <T>(what: string, looking: Promise<T>, otherwise: T): Promise<T> => {
    const timer = new AbortController();
    const leftMs = Math.max(0, limitMs - (clock.monotonicMs() - startedMs));
    const late = clock.sleep(leftMs, timer.signal).then(() => {
      throw new Error('no answer within the time of a diagnosis');
    });
    try {
      const answer = await Promise.race([looking, late]);
      checked.push(what);
      return answer;
    } catch (thrown) {
      notChecked.push(unchecked(what, coerceError(thrown).message));
      return otherwise;
    } finally {
      timer.abort();
      late.catch(() => undefined);
    }
  };
  const machine = within('this machine (ffmpeg, disk)', lookAtMachine(options.config, options.guard), []);
  const iconik = await within('iconik', lookAtIconik(options.config, clock), { findings: [], found: null });
  const findings = [...iconik.findings];
  if (iconik.found !== null) findings.push(...(await lookBehind(iconik.found, { ...options, clock }, within)));
  findings.push(...(await machine));
  return diagnosisOf([...findings, ...notChecked], checked);
}

const unchecked = (what: string, why: string): Finding => ({
  code: 'not-checked',
  severity: 'warning',
  cause: `Could not look at ${what}.`,
  evidence: why,
  remedy: 'Ask again; a machine that is overloaded may need longer.',
});

/** What only iconik's answer leads to: switches, database, cluster and storages. */
async function lookBehind(
  { entities, nodes }: Found,
  { config, guard, clock, embeddedUri }: DiagnosisOptions & { clock: Clock },
  within: <T>(what: string, looking: Promise<T>, otherwise: T) => Promise<T>,
): Promise<Finding[]> {
  const { cluster, gateway } = entities;
  const none: DatabaseLook = { findings: [], cluster: null };
  const [database, storages] = await Promise.all([
    within('the database and the cluster', databaseOf({ entities, nodes }, { clock, embeddedUri }), none),
    within('the storages', lookAtStorages(entities, config, guard), []),
  ]);
  const inUse = database.cluster?.storages_in_use;
  const ofStorages = storages.map((look) =>
    explainStorage({ ...look, isInUse: inUse === undefined ? null : inUse.includes(look.storageId) }),
  );
  const ofCluster =
    database.cluster === null
      ? []
      : explainCluster(database.cluster, {
          nodes,
          visibilityTimeoutS: resolveVisibilityTimeout({ visibility_timeout: cluster?.visibility_timeout }).value,
          heartbeatLapseMs: config.heartbeatLapseMs,
          leaderTtlMs: config.leaderTtlMs,
          requestsPerSecond: config.iconikRequestsPerSecond,
        });
  return [
    ...switches(cluster, gateway),
    ...database.findings,
    ...ofStorages.filter((finding) => finding !== null),
    ...ofCluster,
  ];
}

function switches(cluster: Found['entities']['cluster'], gateway: Found['entities']['gateway']): Finding[] {
  const off = (code: Finding['code'], what: string): Finding => ({
    code,
    severity: 'error',
    cause: `${what} is switched off in iconik, so it does no work.`,
    evidence: 'Its "enabled" is false.',
    remedy: 'Switch it on in iconik when it is to work again.',
  });
  return [
    ...(cluster?.enabled === false ? [off('cluster-disabled', `The cluster "${cluster.name}"`)] : []),
    ...(gateway.enabled ? [] : [off('gateway-disabled', `The storage gateway "${gateway.name}"`)]),
  ];
}

async function databaseOf(
  { entities, nodes }: Found,
  { clock, embeddedUri }: { clock: Clock; embeddedUri: string | undefined },
): Promise<DatabaseLook> {
  const choice = chooseDatabase(entities, nodes);
  const owner = entities.cluster?.id ?? entities.gateway.id;
  if (choice.kind === 'cluster') return lookAtDatabase(choice.uri, owner, clock);
  // Not reached, it is not wrong: it runs only while its node does, and only that knows the way.
  if (choice.kind === 'embedded')
    return embeddedUri === undefined ? { findings: [], cluster: null } : lookAtDatabase(embeddedUri, owner, clock);
  const remedy = 'Enter the URI of a PostgreSQL that all nodes reach at the cluster in iconik.';
  const cause = 'The cluster has several nodes but no database, so none of them can lead.';
  return {
    findings: [{ code: 'db-uri-missing', severity: 'error', cause, evidence: choice.reason, remedy }],
    cluster: null,
  };
}
