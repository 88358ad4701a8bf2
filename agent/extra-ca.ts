import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { NodeHost } from './node-host.ts';

/**
 * The certificates of `direct-transfer-ca` (PEM); null without the key. A file that cannot be used is said and left out:
 * what needs it fails with its own words, everything else works.
 */
export function readExtraCa({ config, log }: Pick<NodeHost, 'config' | 'log'>): string | null {
  const path = config.directTransferCa;
  if (path === undefined) return null;
  try {
    const text = readFileSync(path, 'utf8');
    // Throws for what is no certificate.
    new X509Certificate(text);
    return text;
  } catch (thrown) {
    const why = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'not a PEM certificate';
    log.error(`The file of direct-transfer-ca, ${path}, cannot be used (${why}); only the system's authorities count.`);
    return null;
  }
}
