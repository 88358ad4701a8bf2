export * from './exit-codes.ts';
export * from './health.ts';
export * from './job.ts';
export * from './roles.ts';
export * from './storage-file.ts';
