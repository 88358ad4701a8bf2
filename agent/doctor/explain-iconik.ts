import type { Finding, FindingCode } from '../contract/index.ts';
import type { IsgError } from '../runtime/errors.ts';
import { errorTrail } from './error-trail.ts';

// Why iconik does not answer this node, in words. Pure.

/** How this node reaches iconik. */
export interface IconikRoute {
  /** `iconik-url`. */
  url: string;
  /** Address of the proxy in use, without its credentials; null when there is none. */
  proxy: string | null;
  storageGatewayId: string;
}

type Words = Pick<Finding, 'cause' | 'remedy'>;

const DNS = /^(ENOTFOUND|EAI_AGAIN|EAI_NODATA)$/;
const CERTIFICATE =
  /^(CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_(VERIFY|GET_ISSUER)|ERR_TLS_CERT_ALTNAME|ERR_SSL_)|EPROTO/;

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : url);

function codeOf(error: IsgError, route: IconikRoute): FindingCode {
  const { status, fromIconik } = error.fields;
  const { codes, words } = errorTrail(error);
  const isOfProxy = route.proxy !== null && fromIconik !== true;
  if (status === 407 || words.includes('HTTP Tunneling')) return 'iconik-proxy';
  switch (error.code) {
    case 'iconik-unauthorized':
      return 'iconik-unauthorized';
    case 'iconik-forbidden':
      return fromIconik === true ? 'iconik-forbidden' : isOfProxy ? 'iconik-proxy' : 'iconik-forbidden';
    case 'iconik-throttled':
      return 'iconik-throttled';
    case 'iconik-not-found':
      return 'gateway-unknown';
    case 'iconik-answer-unreadable':
      return isOfProxy ? 'iconik-proxy' : 'iconik-rejected';
    case 'iconik-unreachable':
      break;
    default:
      return 'iconik-rejected';
  }
  if (typeof status === 'number') return isOfProxy ? 'iconik-proxy' : 'iconik-unavailable';
  // Whatever goes wrong before the first byte of an answer goes wrong on the way to the proxy, where there is one.
  if (isOfProxy && error.fields.sent === false) return 'iconik-proxy';
  if (codes.some((code) => CERTIFICATE.test(code))) return 'iconik-tls';
  return codes.some((code) => DNS.test(code)) ? 'iconik-dns' : 'iconik-unreachable';
}

function wordsOf(code: FindingCode, { url, proxy, storageGatewayId }: IconikRoute): Words {
  const host = hostOf(url);
  switch (code) {
    case 'iconik-proxy':
      return {
        cause: `The proxy ${proxy ?? ''} does not let this node reach iconik.`,
        remedy: 'Check https-proxy in config.ini (address, user, password) and that the proxy allows iconik-url.',
      };
    case 'iconik-dns':
      return {
        cause: `The name ${host} cannot be resolved on this machine.`,
        remedy: 'Correct iconik-url in config.ini, or this machine’s DNS.',
      };
    case 'iconik-tls':
      return {
        cause: `The certificate that ${host} shows is not accepted.`,
        remedy:
          'Check iconik-url and this machine’s clock. If a proxy inspects TLS, name its certificate authority by NODE_EXTRA_CA_CERTS.',
      };
    case 'iconik-unauthorized':
      return {
        cause: 'iconik does not accept the application token.',
        remedy:
          'Correct app-id and auth-token in config.ini, or make a new token under Admin > Settings > Application Tokens.',
      };
    case 'iconik-forbidden':
      return {
        cause: 'The user behind the application token may not read this storage gateway.',
        remedy: 'Give that user the permissions for storages and storage gateways in iconik.',
      };
    case 'iconik-throttled':
      return {
        cause: 'iconik refuses requests because too many were made with these credentials.',
        remedy:
          'Look for another program that uses the same App-ID, or give this cluster an application of its own; lower iconik-requests-per-second.',
      };
    case 'iconik-unavailable':
      return {
        cause: 'iconik answers, but is out of order at the moment.',
        remedy: 'Wait: the node goes on by itself. If it lasts, look at iconik’s status page.',
      };
    case 'gateway-unknown':
      return {
        cause: `iconik knows no storage gateway ${storageGatewayId}.`,
        remedy: 'Correct storage-gateway-id in config.ini; the id stands at the gateway in iconik.',
      };
    case 'iconik-rejected':
      return {
        cause: `What answers at ${url} does not answer as iconik does.`,
        remedy: 'Check iconik-url in config.ini, and what stands between this machine and iconik.',
      };
    default:
      return {
        cause: `iconik does not answer at ${host}.`,
        remedy: 'Check iconik-url, the network and the firewall of this machine; a proxy is named by https-proxy.',
      };
  }
}

/** The finding for a call to iconik that failed, with the address of whatever failed and what it said. */
export function explainIconik(error: IsgError, route: IconikRoute): Finding {
  const code = codeOf(error, route);
  const { codes } = errorTrail(error.cause);
  const said = codes.length > 0 ? ` [${[...new Set(codes)].join(', ')}]` : '';
  return { code, severity: 'error', ...wordsOf(code, route), evidence: `${error.message}${said}` };
}
