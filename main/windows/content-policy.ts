/** Address of the application's pages. */
export const APP_SCHEME = 'app';
/** Beginning of every address of our own pages. */
export const APP_ORIGIN = `${APP_SCHEME}://isg/`;
/** The page of the window. */
export const APP_PAGE = `${APP_ORIGIN}index.html`;

/** Place of the nonce in the built page (vite.config.ts). */
export const NONCE_PLACE = '__CSP_NONCE__';

/**
 * The policy of a page: nothing but what came with the application, no network at all. Style elements need the nonce of
 * this load (Mantine makes one for its theme); styles that scripts set on elements are not subject to the policy.
 */
export function contentPolicy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    // small pictures stand in the style sheets
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
