import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key, as files. */
export interface IssuedCertificate {
  certificate: string;
  key: string;
}

/** What a certificate is to say. */
export interface WantedCertificate {
  /** Common name; also its name among the files. */
  name: string;
  /** Subject alternative name, e.g. `DNS:database.example` or `IP:127.0.0.1`; none for clients. */
  altName?: string;
  /** Ran out in 2020. */
  isExpired?: boolean;
}

const openssl = (folder: string, args: readonly string[]) =>
  execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });

/** A certificate authority in a folder of its own. */
export class TestAuthority {
  readonly #folder: string;
  /** Path of the certificate that clients are to trust. */
  readonly certificate: string;

  /** Makes it; takes a moment for its key. */
  constructor(folder: string) {
    this.#folder = folder;
    this.certificate = join(folder, 'ca.pem');
    const config = ['[ca]', 'default_ca=own', '[own]', 'database=index.txt', 'serial=serial', 'new_certs_dir=.'];
    config.push('default_md=sha256', 'policy=any', 'copy_extensions=copy', '[any]', 'commonName=supplied', '');
    writeFileSync(join(folder, 'ca.cnf'), config.join('\n'));
    writeFileSync(join(folder, 'index.txt'), '');
    writeFileSync(join(folder, 'index.txt.attr'), 'unique_subject = no\n');
    writeFileSync(join(folder, 'serial'), '01\n');
    const subject = ['-subj', '/CN=Test authority', '-days', '2', '-keyout', 'ca.key', '-out', 'ca.pem'];
    openssl(folder, ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject]);
  }

  /** Issues a certificate with a key of its own that only its owner may read, as PostgreSQL demands. */
  issue({ name, altName, isExpired = false }: WantedCertificate): IssuedCertificate {
    const request = ['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${name}`];
    const extension = altName === undefined ? [] : ['-addext', `subjectAltName=${altName}`];
    openssl(this.#folder, [...request, ...extension, '-keyout', `${name}.key`, '-out', `${name}.csr`]);
    const dates = isExpired ? ['20200101000000Z', '20200102000000Z'] : ['20200101000000Z', '20490101000000Z'];
    const [from = '', to = ''] = dates;
    const sign = ['ca', '-batch', '-notext', '-config', 'ca.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key'];
    openssl(this.#folder, [...sign, '-startdate', from, '-enddate', to, '-in', `${name}.csr`, '-out', `${name}.pem`]);
    const issued = { certificate: join(this.#folder, `${name}.pem`), key: join(this.#folder, `${name}.key`) };
    chmodSync(issued.key, 0o600);
    return issued;
  }

  /** A certificate that no authority has signed. */
  selfSigned(name: string): IssuedCertificate {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
    const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
    openssl(this.#folder, ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files]);
    const issued = { certificate: join(this.#folder, `${name}.pem`), key: join(this.#folder, `${name}.key`) };
    chmodSync(issued.key, 0o600);
    return issued;
  }
}
