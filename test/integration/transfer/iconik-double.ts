import { randomUUID } from 'node:crypto';
import type {
  FileRecord,
  FileSet,
  IconikApi,
  Keyframe,
  MetadataValues,
  Proxy as ProxyRecord,
} from '../../../agent/iconik/api.ts';
import type { CreateOnce } from '../../../agent/iconik/creation/create-once.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import type { ObjectStoreDouble } from '../../support/object-store-double.ts';

/** The files service of iconik in memory, its cloud storages in an object store double. Only what transfers call. */
export class IconikDouble {
  readonly store: ObjectStoreDouble;
  readonly files = new Map<string, FileRecord>();
  readonly fileSets = new Map<string, FileSet>();
  /** Method per storage; FILE when absent. */
  readonly methods = new Map<string, string>();
  readonly patches: { fileId: string; body: Record<string, unknown> }[] = [];
  readonly proxies: ProxyRecord[] = [];
  readonly keyframes: Keyframe[] = [];
  /** By `asset/view`. */
  readonly values = new Map<string, MetadataValues>();
  readonly deletedSets: { setId: string; keepSource: boolean }[] = [];
  /** Answers 409 to file sets for this storage. */
  conflictOn: string | null = null;

  constructor(store: ObjectStoreDouble) {
    this.store = store;
  }

  /** A record as an answer shows it: with upload URLs while it waits for its bytes. */
  #shown(file: FileRecord, signed: boolean): FileRecord {
    const method = this.methods.get(file.storage_id ?? '') ?? 'FILE';
    const waits = file.status === 'OPEN' && method !== 'FILE';
    const key = keyOf(file);
    const put = method === 'GCS' ? this.store.url('start', key) : this.store.url('put', key);
    return {
      ...file,
      storage_method: method,
      upload_method: method === 'GCS' ? 'POST' : 'PUT',
      upload_url: waits ? put : null,
      multipart_upload_url: waits && method === 'S3' ? this.store.url('initiate', key) : null,
      url: signed && method !== 'FILE' ? this.store.url('get', key) : null,
    };
  }

  #file(assetId: string, fileId: string): FileRecord {
    const file = this.files.get(fileId);
    if (file?.asset_id === assetId) return file;
    throw new IsgError('iconik-not-found', `no file ${fileId}`, { retry: 'permanent' });
  }

  /** Puts a record in place without any call. */
  add(fields: Partial<FileRecord>): FileRecord {
    const file: FileRecord = {
      id: randomUUID(),
      storage_method: null,
      upload_method: null,
      upload_url: null,
      multipart_upload_url: null,
      upload_credentials: null,
      upload_filename: null,
      name: null,
      original_name: null,
      directory_path: '',
      size: null,
      checksum: null,
      status: 'OPEN',
      type: 'FILE',
      storage_id: null,
      asset_id: null,
      version_id: null,
      format_id: null,
      file_set_id: null,
      url: null,
      ...fields,
    };
    this.files.set(file.id, file);
    return file;
  }

  addFileSet(fields: Partial<FileSet>): FileSet {
    const set: FileSet = {
      id: randomUUID(),
      name: '',
      base_dir: '',
      storage_id: null,
      format_id: null,
      asset_id: null,
      version_id: null,
      ...fields,
    };
    this.fileSets.set(set.id, set);
    return set;
  }

  /** The calls; any other call of the API is a failure of the test. */
  api(): IconikApi {
    const files: Partial<IconikApi['files']> = {
      createFileSet: async (assetId, body) => {
        if (body.storage_id === this.conflictOn)
          throw new IsgError('iconik-conflict', 'there already', { retry: 'permanent' });
        return this.addFileSet({ ...body, asset_id: assetId });
      },
      fileSets: async (_assetId, formatId) => [...this.fileSets.values()].filter((set) => set.format_id === formatId),
      deleteFileSet: async (_assetId, setId, { keepSource }) => {
        this.deletedSets.push({ setId, keepSource });
        this.fileSets.delete(setId);
        for (const file of this.files.values()) if (file.file_set_id === setId) file.status = 'DELETED';
      },
      createFile: async (assetId, body) => this.#shown(this.add({ ...body, asset_id: assetId }), false),
      getFile: async (assetId, fileId) => this.#shown(this.#file(assetId, fileId), false),
      patchFile: async (assetId, fileId, body) => {
        Object.assign(this.#file(assetId, fileId), body);
        this.patches.push({ fileId, body });
      },
      assetFiles: async (assetId) => [...this.files.values()].filter((file) => file.asset_id === assetId),
      fileSetFiles: async (_assetId, setId) => {
        const files = [...this.files.values()].filter((file) => file.file_set_id === setId);
        if (files.length === 0 && !this.fileSets.has(setId)) {
          throw new IsgError('iconik-not-found', `no file set ${setId}`, { retry: 'permanent' });
        }
        return files.map((file) => this.#shown(file, true));
      },
      multipartUrls: async (assetId, fileId, { uploadId, type }) => {
        const key = keyOf(this.#file(assetId, fileId));
        const url = (operation: string) => this.store.url(operation, key, { uploadId });
        return {
          complete_url: type === 'complete_url' ? url('complete') : null,
          abort_url: type === 'abort_url' ? url('abort') : null,
          list_parts_url: type === 'list_parts_url' ? [url('list')] : [],
        };
      },
      multipartPartUrls: async (assetId, fileId, { uploadId, partsNum }) => {
        const key = keyOf(this.#file(assetId, fileId));
        return Array.from({ length: partsNum }, (_, index) => ({
          number: index + 1,
          url: this.store.url('part', key, { uploadId, partNumber: index + 1 }),
        }));
      },
    };
    // An iconik that does not offer parallel uploads to GCS: every file goes through one session.
    files.gcsPartUrls = async () => {
      throw new IsgError('iconik-not-found', 'no such call', { retry: 'permanent' });
    };
    const proxies: Partial<IconikApi['proxies']> = {
      list: async () => [...this.proxies],
      downloadUrl: async (_assetId, proxyId) => this.store.url('get', proxyId),
    };
    const keyframes: Partial<IconikApi['keyframes']> = {
      list: async () => [...this.keyframes],
      get: async (_assetId, keyframeId) => {
        const found = this.keyframes.find((keyframe) => keyframe.id === keyframeId);
        if (!found) throw new IsgError('iconik-not-found', `no keyframe ${keyframeId}`, { retry: 'permanent' });
        return { ...found, url: this.store.url('get', keyframeId) };
      },
    };
    const metadata: Partial<IconikApi['metadata']> = {
      assetValues: async (assetId, viewId) => this.values.get(`${assetId}/${viewId}`) ?? {},
    };
    const storages: Partial<IconikApi['storages']> = {
      get: async (id) => ({
        id,
        name: id,
        method: this.methods.get(id) ?? 'FILE',
        purpose: 'FILES',
        status: 'ACTIVE',
        settings: {},
        date_modified: null,
      }),
      findFiles: async (storageId, { directoryPath, name }) =>
        [...this.files.values()].filter(
          (file) => file.storage_id === storageId && file.directory_path === directoryPath && file.name === name,
        ),
    };
    return { files, storages, proxies, keyframes, metadata } as IconikApi;
  }
}

function keyOf(file: FileRecord): string {
  return [file.storage_id, file.directory_path, file.name].filter(Boolean).join('/');
}

/** The promise of `CreateOnce` without waiting times: an attempt that was cut off is looked for before another is made. */
export function createOnceDouble(): CreateOnce {
  const intents = new Map<string, string | null>();
  return async (creation) => {
    const place = `${creation.kind} ${creation.key}`;
    const known = intents.get(place);
    if (known) return known;
    creation.assertAllowed();
    const found = known === null ? await creation.find({ startedAt: new Date(0), isTaken: async () => false }) : null;
    intents.set(place, null);
    const { id } = found ?? (await creation.create(AbortSignal.timeout(10_000)));
    intents.set(place, id);
    return id;
  };
}
