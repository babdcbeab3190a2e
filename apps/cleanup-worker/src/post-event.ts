import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { PostEvent } from '@partyline/conference/endpoints/deliver-events';
import { checkAddress, isPublicAddress, type AddressPolicy } from '@partyline/conference/endpoints/check-address';
import { RequestFilteringHttpAgent, RequestFilteringHttpsAgent } from 'request-filtering-agent';

/** Of a reply only the status is read. So much of its body is let go by for the connection to be of use again; longer ones are cut off. */
const BODY_LIMIT = 16 * 1024;
const BODY_WITHIN_MS = 1_000;

class Refused extends Error {}

/**
 * Refuses a name that leads to any address that is not in the open internet, with the addresses that the connection will really use: who answered
 * differently a moment ago gains nothing by it.
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
        callback(new Refused('blocked-address'), address, family);
      else callback(error, address, family);
    });

interface PostOptions {
  readonly timeoutMs: number;
  readonly addresses: AddressPolicy;
  /** Another resolver than the system's, in tests. */
  readonly lookup?: LookupFunction;
}

/**
 * Sends events over HTTP. An address is looked at again when it is parsed, a number in it by the agent and a name when it connects. A redirect is an answer like any
 * other, and not followed: an event goes where its tenant said, and nowhere else. Throws with one of a few words: blocked-address, timeout, no-such-host, refused, reset, tls, no-answer.
 */
export function postEvent({ timeoutMs, addresses, lookup = systemLookup }: PostOptions): PostEvent {
  const allowed = { allowPrivateIPAddress: addresses.allowPrivate, allowMetaIPAddress: addresses.allowPrivate };
  const options = { keepAlive: true, maxFreeSockets: 64, ...allowed };
  const agents = { 'http:': new RequestFilteringHttpAgent(options), 'https:': new RequestFilteringHttpsAgent(options) };
  const resolve = addresses.allowPrivate ? lookup : publicOnly(lookup);

  const once = (
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: string,
    signal: AbortSignal,
  ): Promise<{ status: number } | 'stale'> =>
    new Promise((settle, reject) => {
      const ask = url.protocol === 'http:' ? httpRequest : httpsRequest;
      const request = ask(url, {
        method: 'POST',
        agent: agents[url.protocol as keyof typeof agents],
        lookup: resolve,
        signal,
        headers: { ...headers, 'user-agent': 'partyline', 'content-length': String(Buffer.byteLength(body)) },
      });
      request.on('response', (response) => {
        settle({ status: response.statusCode ?? 0 });
        let size = 0;
        const late = setTimeout(() => response.destroy(), BODY_WITHIN_MS);
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > BODY_LIMIT) response.destroy();
        });
        response.on('error', () => undefined).on('close', () => clearTimeout(late));
      });
      // A kept connection that the receiver closed just as we used it says nothing of the receiver.
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
        const reply = await once(parsed, headers, body, signal);
        if (reply !== 'stale') return reply.status;
      }
    } catch (error) {
      throw new Error(signal.aborted ? 'timeout' : inAWord(error as NodeJS.ErrnoException), { cause: error });
    }
  };
}

/** What went wrong, for the tenant's log of deliveries: nothing in it comes from our network. */
function inAWord(error: NodeJS.ErrnoException): string {
  if (error instanceof Refused || /is not allowed/.test(error.message)) return 'blocked-address';
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
