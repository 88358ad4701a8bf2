/** Whether the long versions of tests run (`npm run test:long`). */
export const isLong = process.env.ISG_PRO_TEST_LONG === '1';

/** Said in the name of a test that only the long versions run, where it is skipped. */
export const onlyLong = isLong ? '' : ' (skipped: takes long, npm run test:long runs it)';
