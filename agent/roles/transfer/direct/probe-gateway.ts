import { systemCode } from '../../../storage/process/local-filesystem.ts';
import { openRequest } from '../../../storage/process/object-store.ts';

/** Whether another gateway answers. */
export type GatewayReach = { kind: 'reachable' } | { kind: 'unreachable'; why: string };

/** How other gateways are reached. */
export interface GatewayLine {
  httpsProxy: string | null;
  /** PEM. */
  extraCa: string | null;
}

/** A gateway in the same house answers in milliseconds; whoever does not within this is taken for unreachable. */
const PROBE_MS = 5_000;

/**
 * Asks the health of the gateway at `origin` (reference A.8) and verifies its certificate. Never throws; redirects count as
 * no answer.
 */
export function probeGateway(origin: string, line: GatewayLine, signal: AbortSignal): Promise<GatewayReach> {
  return new Promise((resolve) => {
    const unreachable = (why: string) => resolve({ kind: 'unreachable', why });
    const late = AbortSignal.timeout(PROBE_MS);
    const request = openRequest(new URL('/v1/healthcheck/', origin), { method: 'GET', headers: {}, ...line });
    const onEnd = () => {
      unreachable(`it did not answer within ${PROBE_MS / 1000} s`);
      request.destroy();
    };
    const either = AbortSignal.any([late, signal]);
    if (either.aborted) onEnd();
    either.addEventListener('abort', onEnd, { once: true });
    request.once('close', () => either.removeEventListener('abort', onEnd));
    request.on('error', (error) => unreachable(reasonOf(error)));
    request.once('response', (response) => {
      if (response.statusCode === 200) resolve({ kind: 'reachable' });
      else unreachable(`it answered ${response.statusCode}`);
      // What it says does not matter, and may be endless.
      request.destroy();
    });
    request.end();
  });
}

const CERTIFICATE =
  /^(CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_(VERIFY|GET_ISSUER)|ERR_TLS_CERT_ALTNAME|ERR_SSL_(WRONG_VERSION|UNSUPPORTED))/;

function reasonOf(error: Error): string {
  const code = systemCode(error) || error.name;
  return CERTIFICATE.test(code)
    ? `its certificate is not trusted (${code}): give its authority to this node by direct-transfer-ca, and see that it names the address`
    : code;
}
