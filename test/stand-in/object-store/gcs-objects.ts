import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { crc32cOfBytes } from './crc32c.ts';
import type { ObjectDisk, StoredBytes, StoredObject } from './object-disk.ts';
import { ObjectStoreError } from './object-store-error.ts';

/** Components that one compose request may name. */
const MAX_COMPONENTS = 32;

/** One component of a compose request. */
export interface NamedComponent {
  name: string;
  generation?: string;
  ifGenerationMatch?: string;
}

interface Facts {
  generation: string;
  crc32c: number;
  /** 1 unless composed. */
  components: number;
  object: StoredObject;
}

/** Objects of GCS as its XML interface shows them: generations, CRC-32C, composing. */
export class GcsObjects {
  readonly #disk: ObjectDisk;
  readonly #facts = new Map<string, Facts>();
  /** How many objects came in from outside, composed ones not counted. */
  received = 0;
  #lastGeneration = 1_700_000_000_000_000;

  constructor(disk: ObjectDisk) {
    this.#disk = disk;
  }

  /** Makes received bytes an object; answers the headers that say what it is. */
  async put(key: string, bytes: StoredBytes, contentType: string): Promise<Record<string, string>> {
    this.received += 1;
    return await this.#commit(key, { bytes, contentType, components: 1 });
  }

  /** Concatenates objects of the same bucket into one. The sources stay. Refuses what GCS refuses. */
  async compose(key: string, list: readonly NamedComponent[], contentType: string): Promise<Record<string, string>> {
    if (list.length === 0)
      throw new ObjectStoreError(400, 'InvalidArgument', 'at least one source component is needed');
    if (list.length > MAX_COMPONENTS) {
      const message = `The number of source components provided (${list.length} > ${MAX_COMPONENTS})`;
      throw new ObjectStoreError(400, 'InvalidArgument', message);
    }
    const bucket = key.slice(0, key.indexOf('/') + 1);
    const sources = list.map((component) => this.#source(bucket, component));
    async function* all() {
      for (const { object } of sources) yield* createReadStream(object.path);
    }
    const bytes = await this.#disk.receive(Readable.from(all()));
    const components = sources.reduce((sum, source) => sum + source.components, 0);
    return await this.#commit(key, { bytes, contentType, components });
  }

  async remove(key: string): Promise<void> {
    if (!this.#factsOf(key)) throw new ObjectStoreError(404, 'NoSuchKey', 'there is no such object');
    this.#facts.delete(key);
    await this.#disk.remove(key);
  }

  /** Headers that tell what an object is; none for what was not written here. */
  headers(key: string): Record<string, string> {
    const facts = this.#factsOf(key);
    if (!facts) return {};
    const { object, generation, components } = facts;
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(facts.crc32c);
    const md5 = `md5=${Buffer.from(object.md5, 'hex').toString('base64')}`;
    const isComposite = components > 1;
    return {
      // An object that was composed has an ETag that is no digest, and no MD5.
      etag: isComposite ? `"-${generation}"` : `"${object.md5}"`,
      'x-goog-generation': generation,
      'x-goog-hash': [`crc32c=${crc.toString('base64')}`, ...(isComposite ? [] : [md5])].join(','),
      ...(isComposite ? { 'x-goog-component-count': String(components) } : {}),
    };
  }

  async #commit(
    key: string,
    made: { bytes: StoredBytes; contentType: string; components: number },
  ): Promise<Record<string, string>> {
    const crc32c = await crc32cOfBytes(createReadStream(made.bytes.path));
    const object = await this.#disk.commit(key, made.bytes, made.contentType);
    this.#lastGeneration += 1;
    const generation = String(this.#lastGeneration);
    this.#facts.set(key, { generation, crc32c, components: made.components, object });
    return this.headers(key);
  }

  #source(bucket: string, { name, generation, ifGenerationMatch }: NamedComponent): Facts {
    const facts = this.#factsOf(bucket + name);
    if (!facts || (generation !== undefined && generation !== facts.generation)) {
      throw new ObjectStoreError(404, 'NoSuchKey', `Object ${name} (generation: ${generation ?? 0}) not found.`);
    }
    if (ifGenerationMatch !== undefined && ifGenerationMatch !== facts.generation) {
      throw new ObjectStoreError(412, 'PreconditionFailed', 'At least one of the pre-conditions did not hold.');
    }
    return facts;
  }

  /** What is known of the object that is there now. */
  #factsOf(key: string): Facts | undefined {
    const facts = this.#facts.get(key);
    return facts && this.#disk.find(key) === facts.object ? facts : undefined;
  }
}

/** Components named by a ComposeRequest document, in its order. */
export function parseComposition(xml: string): NamedComponent[] {
  const root = /^\s*(?:<\?xml[^>]*\?>\s*)?<ComposeRequest>([\s\S]*)<\/ComposeRequest>\s*$/.exec(xml)?.[1];
  if (root === undefined) throw new ObjectStoreError(400, 'MalformedXML', 'a ComposeRequest document is needed');
  return [...root.matchAll(/<Component>([\s\S]*?)<\/Component>/g)].map(([, inner = '']) => {
    const text = (tag: string) => new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(inner)?.[1];
    const name = text('Name');
    if (!name) throw new ObjectStoreError(400, 'MalformedXML', 'a component needs a Name');
    const generation = text('Generation');
    const ifGenerationMatch = text('IfGenerationMatch');
    return {
      name: plain(name),
      ...(generation === undefined ? {} : { generation }),
      ...(ifGenerationMatch === undefined ? {} : { ifGenerationMatch }),
    };
  });
}

const plain = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
