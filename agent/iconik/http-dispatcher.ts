import { type Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { IsgError } from '../runtime/errors.ts';
import { lookupWithin } from '../runtime/outbound-address.ts';

/** Longest wait for a TCP and TLS connection. Shorter than a creation's deadline, so that "never sent" is usually known. */
const CONNECT_TIMEOUT_MS = 5000;
/** Idle connections are closed before usual load balancers close them, or a request would meet a closing connection. */
const KEEP_ALIVE_MS = 4000;
/** No answer of iconik is near this; a larger one is a mistake of something in between. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Enough for the budget of 45 requests/s at ordinary latencies. */
const CONNECTIONS = 16;

/**
 * The connections to iconik: kept alive, with time limits, through the proxy that `proxyUrl` names or else that
 * HTTPS_PROXY/HTTP_PROXY name; NO_PROXY is honoured in both cases. HTTP/1.1 only: one request per connection, so what
 * happened to a creation when its connection broke is not mixed up with other requests, and nothing sends it again.
 * Throws `config-invalid` for a proxy address that is none.
 */
export function createDispatcher(options: {
  proxyUrl?: string | undefined;
  callTimeoutMs: number;
  /** Others than the operator name the hosts: names that stand for no server's address are refused. */
  isForNamedHosts?: boolean;
}): Dispatcher {
  const limits: Agent.Options = {
    connect: { timeout: CONNECT_TIMEOUT_MS, ...(options.isForNamedHosts ? { lookup: lookupWithin('named') } : {}) },
    connections: CONNECTIONS,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: options.callTimeoutMs,
    bodyTimeout: options.callTimeoutMs,
    maxResponseSize: MAX_ANSWER_BYTES,
  };
  if (!options.proxyUrl) return new EnvHttpProxyAgent(limits);
  try {
    return new EnvHttpProxyAgent({ ...limits, httpProxy: options.proxyUrl, httpsProxy: options.proxyUrl });
  } catch (thrown) {
    throw new IsgError('config-invalid', 'https-proxy is not an address; write it as http://host:port.', {
      retry: 'permanent',
      cause: thrown,
    });
  }
}
