/** What could not be done with config.ini, in words meant for people; code and class travel to the window. */
export class ConfigFileError extends Error {
  readonly code: string;
  readonly retry: 'transient' | 'permanent';

  constructor(code: string, message: string, retry: 'transient' | 'permanent', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ConfigFileError';
    this.code = code;
    this.retry = retry;
  }
}

/** Whether an error is the file system's answer that there is no such file. */
export function isMissingFile(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR');
}
