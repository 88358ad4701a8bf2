import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { IsgError } from '../../../runtime/errors.ts';

/** Certificate chain and key, as a TLS server takes them. */
export interface CertificatePair {
  cert: string;
  key: string;
}

/**
 * Reads and tries certificate and key. Throws `config-invalid` with the words for people; none holds a part of the key. A
 * certificate is never made up here: whom nobody knows, nobody can verify, and receivers verify always.
 */
export async function readCertificate(files: { certificateFile: string; keyFile: string }): Promise<CertificatePair> {
  const cert = await readPem(files.certificateFile, 'direct-transfer-certificate');
  const key = await readPem(files.keyFile, 'direct-transfer-key');
  try {
    createSecureContext({ cert, key });
  } catch {
    // The library's message may quote the file.
    throw invalid('direct-transfer-certificate and direct-transfer-key do not belong together, or are not PEM files.');
  }
  const until = new X509Certificate(cert).validToDate;
  if (until.getTime() < Date.now()) {
    throw invalid(`The certificate of direct-transfer-certificate expired on ${until.toISOString().slice(0, 10)}.`);
  }
  return { cert, key };
}

async function readPem(path: string, key: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unreadable';
    throw invalid(`The file of ${key}, ${path}, cannot be read (${code}).`);
  }
}

function invalid(message: string): IsgError {
  return new IsgError('config-invalid', message, { retry: 'transient' });
}
