import { isSecretValue, readConfigLine } from '../../contract/index.ts';

// What must not leave the machine is struck out twice: the secrets that are known, and whatever has the form of one. Pure.

/** Stands where a secret stood. */
const STRUCK = '***';
/** Shorter values are words that occur by chance; replacing them would hide the text, not the secret. */
const SHORTEST_SECRET = 4;

/** Forms that give a secret away although it is not known, each with what is kept of it. Every repetition is bounded. */
const FORMS: readonly [form: RegExp, kept: string][] = [
  // User and password of an address: postgresql://user:password@host, http://user:password@proxy.
  [/(:\/\/)[^\s/@"'<>]{1,1000}@/g, `$1${STRUCK}@`],
  // A signed address is a secret as a whole; what it names stands before the question mark.
  [/(https?:\/\/[^\s?"'<>]{1,4000})\?[^\s"'<>]{1,8000}/g, `$1?${STRUCK}`],
  // The same without the address before it, or encoded once more.
  [/((?:X-(?:Amz|Goog)-[A-Za-z-]{1,40}|sig|signature|Signature|AWSAccessKeyId)=)[^\s&"'<>]{1,4000}/g, `$1${STRUCK}`],
  // Headers, settings and fields that are named for what they hold.
  [
    /((?:authorization|auth[-_]?token|access[-_]?token|refresh[-_]?token|password|passwd|pwd|secret|api[-_]?key|cookie)\\?["']?\s{0,8}[:=]\s{0,8}\\?["']?)(?:(?:bearer|basic)\s{1,8})?[^\s"'\\,;&}]{1,4000}/gi,
    `$1${STRUCK}`,
  ],
  [/\b(bearer|basic)\s{1,8}[A-Za-z0-9._~+/=-]{8,4000}/gi, `$1 ${STRUCK}`],
  // Signed tokens (three parts of base64) and private keys.
  [/\beyJ[\w-]{5,4000}\.[\w-]{5,8000}\.[\w-]{5,4000}/g, STRUCK],
  [/-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]{1,20000}?-----END [A-Z ]{0,40}PRIVATE KEY-----/g, STRUCK],
];

/** Every way a secret may be written: as it is, percent-encoded, and inside JSON. */
function writtenAs(secret: string): string[] {
  return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
}

/** Makes the redactor of a support bundle; `secrets` are those that are known. Redacting twice changes nothing more. */
export function createTextRedactor(secrets: readonly string[]): (text: string) => string {
  const values = [...new Set(secrets.filter(({ length }) => length >= SHORTEST_SECRET).flatMap(writtenAs))];
  values.sort((a, b) => b.length - a.length);
  return (text) => {
    const known = values.reduce((result, value) => result.replaceAll(value, STRUCK), text);
    return FORMS.reduce((result, [form, kept]) => result.replace(form, kept), known);
  };
}

/** A known secret and the parts of it that are secrets by themselves: the password of a URI. */
export function secretParts(secret: string): string[] {
  const password = /^[a-z][a-z\d+.-]*:\/\/[^/@]*?:([^@]*)@/i.exec(secret)?.[1] ?? '';
  return [secret, password, decoded(password)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // ignored because what cannot be decoded occurs only as it is
    return text;
  }
}

/** A key whose value is kept out although this version does not know the key. */
const SECRET_NAME = /token|password|passwd|secret|api-key|credential|uri$/;

/** Values of config.ini that must not leave the machine, however wrong the file is. */
export function secretsOfConfig(text: string): string[] {
  return linesOf(text).flatMap((raw) => {
    const line = readConfigLine(raw);
    return line.kind === 'setting' && isSecretSetting(line) ? secretParts(line.value) : [];
  });
}

const isSecretSetting = ({ key, value }: { key: string; value: string }): boolean =>
  value !== '' && (isSecretValue(key, value) || SECRET_NAME.test(key));

const linesOf = (text: string): string[] => text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);

/**
 * config.ini without secrets: their values replaced, lines that cannot be read left out, everything else as it is and at its
 * line. A comment may be an old setting, so that its secrets go, too.
 */
export function redactConfig(text: string): string {
  const redact = createTextRedactor(secretsOfConfig(text));
  return linesOf(text)
    .map((raw) => {
      const comment = /^\s*[;#]+\s*/.exec(raw)?.[0] ?? '';
      const line = readConfigLine(raw.slice(comment.length));
      if (line.kind === 'setting' && isSecretSetting(line)) return `${comment}${line.key} = ${STRUCK}`;
      if (line.kind === 'unreadable' && comment === '') return '; (a line that cannot be read was left out)';
      return redact(raw);
    })
    .join('\n');
}
