/** One entry per byte: its CRC-32C (Castagnoli, reflected). */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

/** CRC-32C of bytes, computed byte by byte: the plain way, to compare cleverer ones with. */
export async function crc32cOfBytes(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<number> {
  let value = 0xffffffff;
  for await (const chunk of chunks) {
    for (const byte of chunk) value = (TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  }
  return (value ^ 0xffffffff) >>> 0;
}
