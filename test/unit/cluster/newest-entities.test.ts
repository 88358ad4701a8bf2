import { describe, expect, it } from 'vitest';
import type { Entities } from '../../../agent/cluster/entities.ts';
import { newestEntities } from '../../../agent/cluster/newest-entities.ts';

const OLD = '2026-01-01T00:00:00+00:00';
const NEW = '2026-01-01T00:00:01.5+00:00';
const storage = (id: string, over: object = {}) => ({
  id,
  name: id,
  method: 'FILE',
  purpose: 'FILES',
  status: null,
  settings: { scan: true, metadata_conversion_url_headers: 'token' },
  date_modified: OLD,
  ...over,
});

function entities(
  over: { cluster?: object; gateway?: object; storages?: ReturnType<typeof storage>[] } = {},
): Entities {
  const { storages = [storage('s1')] } = over;
  return {
    gateway: {
      id: 'g',
      name: 'node-a',
      enabled: true,
      cluster_id: 'c',
      roles: ['MAIN'],
      storages: {},
      settings: {},
      date_modified: OLD,
      ...over.gateway,
    },
    cluster: {
      id: 'c',
      name: 'Studio',
      enabled: true,
      db_connection_uri: 'postgresql://own',
      storage_ids: storages.map(({ id }) => id),
      visibility_timeout: 3_600,
      settings: {},
      leader_id: null,
      date_modified: OLD,
      ...over.cluster,
    },
    storages: new Map(storages.map((one) => [one.id, one])),
    fromCopy: false,
  };
}
const copied = (over: Parameters<typeof entities>[0] = {}) =>
  entities({ ...over, cluster: { db_connection_uri: '', ...over.cluster } });

describe('what counts while iconik is away', () => {
  it('is what this node read itself while nobody has kept anything newer', () => {
    const own = entities();
    expect(newestEntities(own, copied())).toBe(own);
    expect(newestEntities(own, copied({ cluster: { enabled: false, date_modified: null } }))).toBe(own);
    const changed = entities({ cluster: { date_modified: NEW } });
    expect(newestEntities(changed, copied({ cluster: { enabled: false } }))).toBe(changed);
  });

  it('is a newer cluster, with the database this node knows', () => {
    const copy = copied({ cluster: { enabled: false, visibility_timeout: 60, date_modified: NEW } });
    const { cluster, gateway } = newestEntities(entities(), copy);
    expect(cluster).toMatchObject({ enabled: false, visibility_timeout: 60, db_connection_uri: 'postgresql://own' });
    expect(gateway.enabled).toBe(true);
  });

  it('is a newer gateway, and storages each by their own date, with the headers that copies lack', () => {
    const newer = storage('s1', { settings: { scan: false }, date_modified: NEW });
    const added = storage('s2', { date_modified: NEW });
    const copy = copied({
      gateway: { roles: ['TRANSFER'], date_modified: NEW },
      cluster: { date_modified: NEW },
      storages: [newer, added],
    });
    const { gateway, storages } = newestEntities(entities(), copy);
    expect(gateway.roles).toEqual(['TRANSFER']);
    expect([...storages.keys()]).toEqual(['s1', 's2']);
    expect(storages.get('s1')?.settings).toEqual({ scan: false, metadata_conversion_url_headers: 'token' });
  });

  it('never is a cluster of another id', () => {
    const own = entities();
    expect(newestEntities(own, copied({ cluster: { id: 'other', enabled: false, date_modified: NEW } }))).toBe(own);
  });
});
