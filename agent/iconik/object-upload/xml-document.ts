/** One element of an XML document: its own text (entities resolved, trimmed) and its child elements, in order. */
export interface XmlElement {
  /** Local name, without a namespace prefix. */
  name: string;
  text: string;
  children: XmlElement[];
}

/** Object stores nest three levels; anything much deeper is not one of their answers. */
const MAX_DEPTH = 16;

const TOKEN = /<\?[^>]*\?>|<(\/?)([A-Za-z_][\w.:-]*)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/y;

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * Reads the plain XML that object stores answer with. Strict: comments, CDATA, document types and anything not well
 * formed make it null, since such an answer did not come from an object store and must not be guessed at.
 */
export function tryParseXml(xml: string): XmlElement | null {
  const root: XmlElement = { name: '', text: '', children: [] };
  const open = [root];
  const source = xml.replace(/^\uFEFF/, '').trim();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const token = TOKEN.exec(source);
    if (token === null || !applyToken(open, token)) return null;
  }
  const [document, second] = root.children;
  return open.length === 1 && document && !second && root.text === '' ? document : null;
}

function applyToken(open: XmlElement[], token: RegExpExecArray): boolean {
  const [, closing, qualifiedName, , selfClosing, text] = token;
  const current = open.at(-1);
  if (!current) return false;
  if (text !== undefined) {
    const resolved = resolveEntities(text);
    if (resolved === null) return false;
    current.text = `${current.text}${resolved}`.trim();
    return true;
  }
  if (qualifiedName === undefined) return true;
  const name = qualifiedName.slice(qualifiedName.indexOf(':') + 1);
  if (closing === '/') return open.length > 1 && open.pop()?.name === name;
  const element: XmlElement = { name, text: '', children: [] };
  current.children.push(element);
  if (selfClosing !== '/') open.push(element);
  return open.length <= MAX_DEPTH;
}

function resolveEntities(text: string): string | null {
  let known = true;
  const resolved = text.replace(/&(#x[0-9a-fA-F]+|#[0-9]+|\w+);|&/g, (_whole, reference: string | undefined) => {
    const value = reference === undefined ? undefined : entityValue(reference);
    if (value === undefined) known = false;
    return value ?? '';
  });
  return known ? resolved : null;
}

function entityValue(reference: string): string | undefined {
  if (!reference.startsWith('#')) return ENTITIES[reference];
  const code = reference.startsWith('#x') ? Number.parseInt(reference.slice(2), 16) : Number(reference.slice(1));
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}

/** Text of the first child with this name; null when there is none. */
export function childText(element: XmlElement, name: string): string | null {
  return element.children.find((child) => child.name === name)?.text ?? null;
}

/** `text` as it may stand between two tags. */
export function escapeXml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
