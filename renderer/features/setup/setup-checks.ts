import type { Account, NewGateway } from './setup-state.ts';

/** One word of printable ASCII, as the agent asks it of ids and tokens. */
const WORD = /^[\x21-\x7e]+$/;
const LONGEST_NAME = 200;

/** Whether a text is an absolute path on some platform: `/…`, `C:\…`, `\\server\share`. */
export const isPath = (text: string): boolean => /^(\/|[A-Za-z]:[\\/]|\\\\[^\\]+\\)/.test(text.trim());

const isWebUrl = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);

/** What is wrong with the typed account, by field; empty = it can be tried. */
export function accountProblems({ iconikUrl, appId, authToken }: Account): Partial<Record<keyof Account, string>> {
  const problems: Partial<Record<keyof Account, string>> = {};
  if (!isWebUrl(iconikUrl.trim())) problems.iconikUrl = 'Enter a URL such as https://app.iconik.io/.';
  if (!WORD.test(appId.trim())) problems.appId = 'Enter the App-ID as iconik shows it, one word without spaces.';
  if (!WORD.test(authToken.trim()))
    problems.authToken = 'Enter the token as iconik showed it, one word without spaces.';
  return problems;
}

/** Advice about the typed URL that forbids nothing; empty when there is none. */
export function urlAdvice(iconikUrl: string): string {
  const text = iconikUrl.trim();
  if (!isWebUrl(text)) return '';
  const url = new URL(text);
  const isLoopback = /^(localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname);
  return url.protocol === 'http:' && !isLoopback ? 'Not https: the token travels in the clear.' : '';
}

/** What is wrong with the gateway to be made, by field; empty = it can be made. */
export function newGatewayProblems(gateway: NewGateway): Partial<Record<keyof NewGateway, string>> {
  const problems: Partial<Record<keyof NewGateway, string>> = {};
  const isName = (text: string) => text.trim() !== '' && text.trim().length <= LONGEST_NAME;
  if (!isName(gateway.gatewayName)) problems.gatewayName = 'Name the storage gateway, for example after this machine.';
  if (gateway.clusterId === null && !isName(gateway.clusterName)) problems.clusterName = 'Name the new cluster.';
  if (gateway.storageIds.length === 0) problems.storageIds = 'Choose at least one storage.';
  return problems;
}
