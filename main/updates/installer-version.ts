import { open } from 'node:fs/promises';

/** Signature of VS_FIXEDFILEINFO in a Windows program's resources (Microsoft's documentation of that structure). */
const SIGNATURE = Buffer.from([0xbd, 0x04, 0xef, 0xfe]);
/** Offsets from the signature, in bytes: the upper and the lower half of the product's version. */
const UPPER = 16;
const LOWER = 20;
/** An NSIS installer's resources lie before what it installs. */
const LOOK_BYTES = 4_194_304;

/** The product's version `a.b.c` that a Windows installer carries; null when it has none that can be read. Throws what the file system throws. */
export async function installerVersion(file: string): Promise<string | null> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LOOK_BYTES), 0, LOOK_BYTES, 0);
    const head = buffer.subarray(0, bytesRead);
    const at = head.indexOf(SIGNATURE);
    if (at < 0 || at + LOWER + 4 > head.length) return null;
    const upper = head.readUInt32LE(at + UPPER);
    const lower = head.readUInt32LE(at + LOWER);
    return `${upper >>> 16}.${upper & 0xffff}.${lower >>> 16}`;
  } finally {
    await handle.close();
  }
}
