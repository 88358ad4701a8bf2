/**
 * Where connections to addresses that others name may lead. A host is named by iconik, and may well lie in the operator's own
 * network (object stores on premises do); some addresses are no server's at all, and none of them is ever connected to: a
 * link-local one is where clouds hand out a machine's credentials. What a name stands for is judged in the look-up whose
 * answer the connection is made to, so a name that answers differently a moment later gains nothing.
 */
import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** `outer`: of the internet. `inner`: this machine, or a private network. `never`: no server has it. */
export type AddressKind = 'outer' | 'inner' | 'never';

/** Link-local, "this network", multicast, reserved; documentation ranges are left: they reach nobody. */
const NEVER = [
  '0.0.0.0/8 169.254.0.0/16 224.0.0.0/4 240.0.0.0/4',
  // Addresses of version 6 that carry one of version 4 are judged by that one below.
  '::/128 fe80::/10 fec0::/10 ff00::/8',
];
/** Loopback, RFC 1918, carrier-grade NAT, unique local addresses. */
const INNER = [
  '127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 192.0.0.0/24 198.18.0.0/15',
  '::1/128 fc00::/7',
];

function blockList(lines: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of lines.flatMap((line) => line.split(' '))) {
    const [network = '', prefix] = subnet.split('/');
    list.addSubnet(network, Number(prefix), network.includes(':') ? 'ipv6' : 'ipv4');
  }
  return list;
}

const never = blockList(NEVER);
const inner = blockList(INNER);

/** The address of version 4 inside one of version 6 that routers or the system take apart (mapped, NAT64, 6to4); null = none. */
function embedded(address: string): string | null {
  const words = words6(address);
  const [first, second, third] = words;
  const at = (high: number) => {
    const [one = 0, two = 0] = words.slice(high, high + 2);
    return [one >> 8, one & 255, two >> 8, two & 255].join('.');
  };
  if (first === 0x2002) return at(1);
  if (first === 0x64 && second === 0xff9b) return at(6);
  const isLow = words.slice(0, 5).every((word) => word === 0) && third === 0;
  const isMapped = isLow && (words[5] === 0xffff || (words[5] === 0 && words[6] !== 0));
  return isMapped ? at(6) : null;
}

/** The eight words of an address of version 6. */
function words6(address: string): number[] {
  const plain = address
    .replace(/%.*$/, '')
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, a, b, c, d) =>
      [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((word) => word.toString(16)).join(':'),
    );
  const [head = '', tail] = plain.split('::');
  const wordsOf = (text: string) => (text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16)));
  const [before, after] = [wordsOf(head), wordsOf(tail ?? '')];
  return [...before, ...Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0), ...after];
}

/** The kind of an IP address as text; what is none counts as `never`. */
export function addressKind(address: string): AddressKind {
  const version = isIP(address);
  if (version === 0) return 'never';
  if (version === 6) {
    const inside = embedded(address);
    if (inside !== null) return addressKind(inside);
  }
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const plain = address.replace(/%.*$/, '');
  if (never.check(plain, family)) return 'never';
  return inner.check(plain, family) ? 'inner' : 'outer';
}

/** What may be connected to: all but `never`, or servers of the internet alone. */
export type Reach = 'named' | 'outer';

const isWithin = (address: string, reach: Reach): boolean => {
  const kind = addressKind(address);
  return reach === 'outer' ? kind === 'outer' : kind !== 'never';
};

/** Code of the error with which a look-up ends whose addresses are all out of reach. */
export const OUT_OF_REACH = 'ERR_ADDRESS_OUT_OF_REACH';

/**
 * Whether a URL names an address (not a name) out of reach. The odd spellings of an address (`0x7f.1`, `2130706433`) are none
 * by then: a parsed URL has the usual one.
 */
export function isOutOfReach(url: URL, reach: Reach = 'named'): boolean {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return isIP(host) !== 0 && !isWithin(host, reach);
}

type Answer = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;
type Resolve = (host: string, options: LookupOptions & { all: true }, answer: Answer) => void;

/** A look-up for `net.connect` and its like that gives only addresses within reach. */
export function lookupWithin(reach: Reach, resolve: Resolve = systemLookup): LookupFunction {
  return (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0);
      const allowed = addresses.filter(({ address }) => isWithin(address, reach));
      const [first] = allowed;
      if (first === undefined) {
        const refusal = new Error(`${host} stands for no address that this node connects to`);
        return callback(Object.assign(refusal, { code: OUT_OF_REACH }), '', 0);
      }
      return options.all ? callback(null, allowed) : callback(null, first.address, first.family);
    });
  };
}
