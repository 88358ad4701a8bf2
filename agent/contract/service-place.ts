/** Name of the system service, of its pipe on Windows and of the group that may talk with it elsewhere. */
export const SERVICE_NAME = 'isg-pro';

/**
 * Where an agent that runs as a system service listens for the tray application of whoever is logged in. Who may enter is
 * decided by the permissions of that place: its folder belongs to the service's group (Unix), or the pipe to administrators
 * and the service's account (Windows).
 */
export function serviceSocketPath(platform: NodeJS.Platform): string {
  if (platform === 'win32') return `\\\\.\\pipe\\${SERVICE_NAME}-agent`;
  if (platform === 'darwin') return '/Library/Application Support/ISG Pro/run/agent.sock';
  return `/run/${SERVICE_NAME}/agent.sock`;
}

/**
 * Definition of the service on Windows: a file that everybody may read and only administrators may write. Its task itself is
 * hidden from those who are none, so that this file tells whether there is a service.
 */
export function windowsServiceFile(env: Readonly<Record<string, string | undefined>>): string {
  return `${env.ProgramFiles ?? 'C:\\Program Files'}\\ISG Pro Service\\task.xml`;
}
