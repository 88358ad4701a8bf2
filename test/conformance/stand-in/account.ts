import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStandIn, type StandIn, type StandInOptions, seedAccount } from '../../stand-in/stand-in.ts';
import type { SeededAccount } from '../../stand-in/state/seed-account.ts';

/** An answer of the API. */
interface Reply {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** A stand-in with one cluster, one FILE storage and one gateway, and a way to call it. */
export interface TestAccount extends AsyncDisposable {
  standIn: StandIn;
  seeded: SeededAccount;
  storageId: string;
  /** `path` is what follows `/API/`. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  /** Creates asset, format, file set and file; ids of all. */
  ingest(
    name: string,
    storageId?: string,
  ): Promise<{ assetId: string; formatId: string; fileSetId: string; fileId: string; file: Record<string, unknown> }>;
}

/** Starts one. */
export async function testAccount(options: Partial<StandInOptions> = {}): Promise<TestAccount> {
  const dataDir = mkdtempSync(join(tmpdir(), 'stand-in-test-'));
  const standIn = await createStandIn({ dataDir, ...options });
  const seeded = seedAccount(standIn, {
    storages: [{ name: 'media', mountPoint: '/media' }],
    gateways: [{ name: 'a', roles: ['MAIN'] }],
  });
  const storageId = seeded.storageIds[0] ?? '';
  const call: TestAccount['call'] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${standIn.url}/API/${path}`, {
      method,
      headers: {
        'app-id': standIn.appId,
        'auth-token': standIn.authToken,
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text ? (JSON.parse(text) as Record<string, unknown>) : {},
    };
  };
  const made = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const reply = await call('POST', path, body);
    if (reply.status !== 201) throw new Error(`POST ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply.body;
  };
  const ingest: TestAccount['ingest'] = async (name, onStorage = storageId) => {
    const assetId = String((await made('assets/v1/assets/', { title: name })).id);
    const at = `files/v1/assets/${assetId}`;
    const formatId = String((await made(`${at}/formats/`, { name: 'ORIGINAL' })).id);
    const place = { format_id: formatId, storage_id: onStorage };
    const fileSetId = String((await made(`${at}/file_sets/`, { ...place, base_dir: '', name, component_ids: [] })).id);
    const file = await made(`${at}/files/`, {
      ...place,
      file_set_id: fileSetId,
      original_name: name,
      name,
      directory_path: 'd',
      type: 'FILE',
      size: 1,
    });
    return { assetId, formatId, fileSetId, fileId: String(file.id), file };
  };
  return {
    standIn,
    seeded,
    storageId,
    call,
    ingest,
    [Symbol.asyncDispose]: async () => {
      await standIn.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
