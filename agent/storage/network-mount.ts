/**
 * Which file systems are another machine's. Changes that others make there are told to nobody here, and watching costs their
 * server a request for each look, so nothing is watched on them. Pure; what is not known to be local counts as network.
 */

/** `f_type` of Linux's statfs, of file systems that lie elsewhere or behind a program that may. */
const NETWORK_TYPES: ReadonlyMap<number, string> = new Map([
  [0x6969, 'nfs'],
  [0x517b, 'smb'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb3'],
  [0x65735546, 'fuse'],
  [0x00c36400, 'ceph'],
  [0x5346414f, 'afs'],
  [0x6b414653, 'kafs'],
  [0x01021997, '9p'],
  [0x73757245, 'coda'],
  [0x564c, 'ncpfs'],
  [0x0bd00bd0, 'lustre'],
  [0x47504653, 'gpfs'],
  [0x01161970, 'gfs2'],
  [0x7461636f, 'ocfs2'],
  [0x19830326, 'beegfs'],
  [0x20030528, 'orangefs'],
  [0xaad7aaea, 'panfs'],
  [0x013111a8, 'ibrix'],
  [0x786f4256, 'vboxsf'],
  [0xbacbacbc, 'vmhgfs'],
  [0x0187, 'autofs'],
]);

/** Names in the mount table of file systems that several machines write. `fuseblk` is a disk of this machine. */
const NETWORK_NAMES =
  /^(nfs\d?|cifs|smb\w*|fuse|fuse\..*|ceph|afs|kafs|9p|coda|ncpfs|lustre|gpfs|mmfs|gfs2?|ocfs2|beegfs.*|orangefs|pvfs2|panfs|stnext|cvfs|vboxsf|vmhgfs|virtiofs|autofs|davfs|drvfs)$/i;

/** The numeric type says network; its name, or null. `fuse` covers disks too: the mount table tells which. */
export function networkTypeName(fileSystemType: number): string | null {
  // Node gives the 32 bits as they are stored; some kernels extend the sign.
  return NETWORK_TYPES.get(fileSystemType >>> 0) ?? null;
}

const withoutEscapes = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

const isBelow = (path: string, mount: string): boolean =>
  mount === '/' || path === mount || path.startsWith(`${mount}/`);

/** Name of the file system that holds an absolute, resolved path, from `/proc/self/mountinfo`; null when it is not told. */
export function fileSystemOf(mountInfo: string, path: string): string | null {
  let best = { mount: '', name: null as string | null };
  for (const line of mountInfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const mount = withoutEscapes(before.split(' ')[4] ?? '');
    // A later line covers an earlier one at the same place.
    if (mount === '' || !isBelow(path, mount) || mount.length < best.mount.length) continue;
    best = { mount, name: after.split(' ')[0] ?? null };
  }
  return best.name;
}

/** On Linux: the network file system's name, or null when the path is on a disk of this machine. */
export function networkOnLinux(path: string, statfsType: number, mountInfo: string): string | null {
  const name = fileSystemOf(mountInfo, path);
  if (name !== null && NETWORK_NAMES.test(name)) return name;
  const typeName = networkTypeName(statfsType);
  return typeName === 'fuse' && name === 'fuseblk' ? null : typeName;
}

/** On macOS: from the output of `mount`, whose options say `local`. Null when the path is on a disk of this machine. */
export function networkOnMac(path: string, mountOutput: string): string | null {
  let best = { mount: '', options: ['unknown'] };
  for (const line of mountOutput.split('\n')) {
    const parts = /^.* on (\/.*?) \(([^()]*)\)$/.exec(line);
    const mount = parts?.[1] ?? '';
    if (mount === '' || !isBelow(path, mount) || mount.length < best.mount.length) continue;
    best = { mount, options: (parts?.[2] ?? '').split(', ') };
  }
  return best.options.includes('local') ? null : (best.options[0] ?? 'unknown');
}

/** On Windows: from the resolved path, in which a mapped drive has become the share it stands for. */
export function networkOnWindows(resolvedPath: string): string | null {
  const path = resolvedPath.replaceAll('/', '\\');
  if (/^\\\\[?.]\\UNC\\/i.test(path)) return 'smb';
  if (/^\\\\[?.]\\/.test(path)) return null;
  if (path.startsWith('\\\\')) return 'smb';
  return /^[a-z]:/i.test(path) ? null : 'unknown';
}
