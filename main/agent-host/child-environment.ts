/**
 * Variables that reach the agent; everything else stays out. What could steer the runtime (NODE_OPTIONS, LD_PRELOAD,
 * ELECTRON_RUN_AS_NODE) or carry a secret of another program must not pass to a process that holds the account's token.
 */
const ALLOWED = [
  // Finding programs and folders.
  'PATH HOME USER LOGNAME SHELL TMPDIR TMP TEMP XDG_DATA_HOME XDG_CONFIG_HOME XDG_CACHE_HOME XDG_RUNTIME_DIR',
  // Language and time.
  'LANG LANGUAGE TZ',
  // The way to the internet, and whom to trust there.
  'HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS',
  // Windows: without these neither sockets nor child processes work.
  'SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT USERPROFILE USERNAME USERDOMAIN COMPUTERNAME APPDATA LOCALAPPDATA',
  'PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432 ALLUSERSPROFILE NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE',
].flatMap((line) => line.split(' '));

const NAMES = new Set(ALLOWED);
/** Variables that POSIX programs spell in lower case, and Windows in any. */
const ANY_CASE = new Set(['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY']);

function isAllowed(name: string, isWindows: boolean): boolean {
  const upper = name.toUpperCase();
  if (upper.startsWith('LC_') && (isWindows || name.startsWith('LC_'))) return true;
  return NAMES.has(isWindows || ANY_CASE.has(upper) ? upper : name);
}

/** The agent's environment, out of ours. Pure. */
export function childEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform,
): Record<string, string> {
  const isWindows = platform === 'win32';
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(own))
    if (value !== undefined && isAllowed(name, isWindows)) env[name] = value;
  return env;
}
