import { createHash, randomBytes } from 'node:crypto';
import type { ObjectDisk, StoredBytes, StoredObject } from './object-disk.ts';
import { ObjectStoreError } from './object-store-error.ts';

/** Smallest part of an S3 multipart upload, but for the last. */
const MINIMUM_PART_BYTES = 5 * 1024 * 1024;

interface Upload {
  key: string;
  contentType: string;
  parts: Map<number, StoredBytes>;
}

/** S3 multipart uploads in progress (reference C.9), with the checks of a real store. */
export class MultipartUploads {
  readonly #disk: ObjectDisk;
  readonly #uploads = new Map<string, Upload>();

  constructor(disk: ObjectDisk) {
    this.#disk = disk;
  }

  /** Upload ids of a key that are neither completed nor aborted. */
  open(key: string): string[] {
    return [...this.#uploads].filter(([, upload]) => upload.key === key).map(([id]) => id);
  }

  initiate(key: string, contentType: string): string {
    const uploadId = randomBytes(24).toString('base64url');
    this.#uploads.set(uploadId, { key, contentType, parts: new Map() });
    return uploadId;
  }

  /** Keeps a part, in place of any earlier one with its number. */
  async keep(key: string, uploadId: string, partNumber: number, bytes: StoredBytes): Promise<void> {
    const upload = this.#find(key, uploadId);
    const earlier = upload.parts.get(partNumber);
    upload.parts.set(partNumber, bytes);
    if (earlier) await this.#disk.discard(earlier);
  }

  /** Parts by number, ascending. */
  parts(key: string, uploadId: string): { partNumber: number; sizeBytes: number; md5: string }[] {
    const parts = [...this.#find(key, uploadId).parts].sort(([a], [b]) => a - b);
    return parts.map(([partNumber, { sizeBytes, md5 }]) => ({ partNumber, sizeBytes, md5 }));
  }

  async abort(key: string, uploadId: string): Promise<void> {
    const upload = this.#find(key, uploadId);
    this.#uploads.delete(uploadId);
    await Promise.all([...upload.parts.values()].map((part) => this.#disk.discard(part)));
  }

  /** Joins the parts that the list names; refuses wrong order, unknown parts, other ETags and small parts. */
  async complete(
    key: string,
    uploadId: string,
    list: readonly { partNumber: number; etag: string }[],
  ): Promise<{ object: StoredObject; etag: string }> {
    const upload = this.#find(key, uploadId);
    const isAscending = list.every(
      (part, index) => index === 0 || part.partNumber > (list[index - 1]?.partNumber ?? 0),
    );
    if (list.length === 0) throw new ObjectStoreError(400, 'MalformedXML', 'the list of parts is empty');
    if (!isAscending) throw new ObjectStoreError(400, 'InvalidPartOrder', 'parts must ascend');
    const pieces = list.map(({ partNumber, etag }) => {
      const part = upload.parts.get(partNumber);
      if (part?.md5 !== etag.replaceAll('"', ''))
        throw new ObjectStoreError(400, 'InvalidPart', `part ${partNumber} was not uploaded like that`);
      return part;
    });
    if (pieces.slice(0, -1).some((piece) => piece.sizeBytes < MINIMUM_PART_BYTES)) {
      throw new ObjectStoreError(400, 'EntityTooSmall', 'a part other than the last is smaller than 5 MiB');
    }
    this.#uploads.delete(uploadId);
    const unused = [...upload.parts.values()].filter((part) => !pieces.includes(part));
    await Promise.all(unused.map((part) => this.#disk.discard(part)));
    const digests = createHash('md5').update(Buffer.concat(pieces.map((piece) => Buffer.from(piece.md5, 'hex'))));
    const object = await this.#disk.concatenate(key, pieces, upload.contentType);
    return { object, etag: `${digests.digest('hex')}-${pieces.length}` };
  }

  #find(key: string, uploadId: string): Upload {
    const upload = this.#uploads.get(uploadId);
    if (upload?.key !== key) throw new ObjectStoreError(404, 'NoSuchUpload', 'no such multipart upload');
    return upload;
  }
}
