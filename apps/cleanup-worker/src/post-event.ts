import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { PostEvent } from '@partyline/conference/endpoints/deliver-events';
import { checkAddress, type AddressPolicy } from '@partyline/conference/endpoints/check-address';
import { isPublicAddress } from '@partyline/conference/public-host';
import { RequestFilteringHttpAgent, RequestFilteringHttpsAgent } from 'request-filtering-agent';

/**
 * Only the status of a reply is used. The body is drained up to these limits, so that the
 * connection can be kept; a reply that exceeds them is cut off.
 */
const MAX_BODY_BYTES = 16 * 1024;
const MAX_BODY_MS = 1_000;
const MAX_FREE_SOCKETS = 64;

class BlockedAddress extends Error {}

/**
 * Rejects a name that resolves to any non-public address. It checks the addresses that the
 * connection itself uses, so DNS rebinding does not pass.
 */
const publicOnly =
  (lookup: LookupFunction): LookupFunction =>
  (hostname, options, callback) =>
    lookup(hostname, options, (error, address, family) => {
      const addresses =
        typeof address === 'string'
          ? [address]
          : ((address as LookupAddress[] | undefined) ?? []).map((each) => each.address);
      if (!error && !(addresses.length > 0 && addresses.every(isPublicAddress)))
        callback(new BlockedAddress('blocked-address'), address, family);
      else callback(error, address, family);
    });

interface PostOptions {
  readonly timeoutMs: number;
  readonly addresses: AddressPolicy;
  /** Replaces the system's resolver, in tests. */
  readonly lookup?: LookupFunction;
}

/**
 * Makes the function that posts an event over HTTP and returns the reply's status. It checks the
 * URL when it is parsed, an IP address in the agent, and a host name when it connects. Redirects
 * are not followed. Throws an error whose message is one of: blocked-address, timeout,
 * no-such-host, refused, reset, tls, no-answer.
 */
export function postEvent({ timeoutMs, addresses, lookup = systemLookup }: PostOptions): PostEvent {
  const allowed = { allowPrivateIPAddress: addresses.allowPrivate, allowMetaIPAddress: addresses.allowPrivate };
  const options = { keepAlive: true, maxFreeSockets: MAX_FREE_SOCKETS, ...allowed };
  const agents = { 'http:': new RequestFilteringHttpAgent(options), 'https:': new RequestFilteringHttpsAgent(options) };
  const resolve = addresses.allowPrivate ? lookup : publicOnly(lookup);

  const attempt = (
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: string,
    signal: AbortSignal,
  ): Promise<{ status: number } | 'stale'> =>
    new Promise((settle, reject) => {
      const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
      const request = send(url, {
        method: 'POST',
        agent: agents[url.protocol as keyof typeof agents],
        lookup: resolve,
        signal,
        headers: { ...headers, 'user-agent': 'partyline', 'content-length': String(Buffer.byteLength(body)) },
      });
      request.on('response', (response) => {
        settle({ status: response.statusCode ?? 0 });
        let size = 0;
        const timeout = setTimeout(() => response.destroy(), MAX_BODY_MS);
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_BODY_BYTES) response.destroy();
        });
        response.on('error', () => undefined).on('close', () => clearTimeout(timeout));
      });
      // The receiver closed a kept connection while the request was being sent: retry on a new one.
      request.on('error', (error: NodeJS.ErrnoException) =>
        request.reusedSocket && error.code === 'ECONNRESET' ? settle('stale') : reject(error),
      );
      request.end(body);
    });

  return async ({ url, headers, body }) => {
    let parsed: URL;
    try {
      parsed = new URL(checkAddress(url, addresses));
    } catch {
      throw new Error('blocked-address');
    }
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      for (;;) {
        const reply = await attempt(parsed, headers, body, signal);
        if (reply !== 'stale') return reply.status;
      }
    } catch (error) {
      throw new Error(signal.aborted ? 'timeout' : failureOf(error as NodeJS.ErrnoException), { cause: error });
    }
  };
}

/** The failure for the tenant's delivery log. It reveals nothing of the deployment's network. */
function failureOf(error: NodeJS.ErrnoException): string {
  if (error instanceof BlockedAddress || /is not allowed/.test(error.message)) return 'blocked-address';
  switch (error.code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'ENODATA':
      return 'no-such-host';
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'refused';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'reset';
    default:
      return /CERT|SSL|TLS|EPROTO/.test(error.code ?? '') ? 'tls' : 'no-answer';
  }
}
