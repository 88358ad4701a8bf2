/** What the default locations depend on. */
export interface HostFacts {
  /** `process.platform`. */
  platform: string;
  /** Root on POSIX, the system account on Windows. */
  isService: boolean;
  homeDir: string;
  env: Readonly<Record<string, string | undefined>>;
}

const windowsPath = (...parts: string[]) => parts.map((part) => part.replace(/[\\/]+$/, '')).join('\\');
const posixPath = (...parts: string[]) => parts.map((part) => part.replace(/\/+$/, '')).join('/');

/** Where the vendor's gateway keeps config.ini on this platform (reference A.2), so that an existing file is found. Pure. */
export function defaultConfigPath(host: HostFacts): string {
  if (host.platform === 'win32') {
    const programs = host.env.ProgramFiles ?? 'C:\\Program Files';
    return windowsPath(programs, 'Cantemo', 'Iconik Storage Gateway', 'config.ini');
  }
  if (host.platform === 'darwin') return '/Library/Application Support/Cantemo/IconikStorageGateway/config.ini';
  if (host.platform === 'freebsd') return '/usr/local/etc/cantemo/iconik_storage_gateway/config.ini';
  return '/etc/iconik/iconik_storage_gateway/config.ini';
}

/** Where this program keeps its data unless told otherwise (design: processes). Pure. */
export function defaultDataDir(host: HostFacts): string {
  if (host.platform === 'win32') {
    const shared = host.env.ProgramData ?? 'C:\\ProgramData';
    const own = host.env.APPDATA ?? windowsPath(host.homeDir, 'AppData', 'Roaming');
    return windowsPath(host.isService ? shared : own, 'ISG Pro');
  }
  if (host.platform === 'darwin') {
    return posixPath(host.isService ? '' : host.homeDir, 'Library', 'Application Support', 'ISG Pro');
  }
  if (host.isService) return '/var/lib/isg-pro';
  return posixPath(host.env.XDG_DATA_HOME || posixPath(host.homeDir, '.local', 'share'), 'isg-pro');
}
