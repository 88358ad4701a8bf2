/** `scheme://user:password@`: the password. */
const PASSWORD = /\b([a-z][a-z0-9+.-]{1,30}:\/\/[^\s/?#@:"']{0,200}):[^\s/?#@"']{1,1000}@/gi;

/** Parameters that make a signed URL of S3, GCS, Azure, B2 or a gateway work, or that are a token by themselves. */
const SIGNING = [
  'x-amz-signature',
  'x-amz-credential',
  'x-amz-security-token',
  'x-goog-signature',
  'x-goog-credential',
  'signature',
  'sig',
  'policy',
  'key-pair-id',
  'authorization',
  'access_token',
  'auth_token',
  'auth-token',
  'token',
];
const PARAMETER = new RegExp(`([?&;](?:${SIGNING.join('|')})=)[^&\\s"'<>]+`, 'gi');

/**
 * A text whose URLs grant nothing: passwords and the parameters that sign them become `***`. For values that are not known
 * beforehand; known secrets are struck out by value (`createRedactor`). Pure.
 */
export function withoutUrlSecrets(text: string): string {
  // most texts have no URL
  const named = text.includes('://') ? text.replace(PASSWORD, '$1:***@') : text;
  return named.includes('=') ? named.replace(PARAMETER, '$1***') : named;
}
