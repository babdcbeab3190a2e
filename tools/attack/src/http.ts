import { Agent, request as open, type OutgoingHttpHeaders } from 'node:http';

export interface Sent {
  readonly status: number;
  readonly body: string;
}

interface Request {
  readonly method: string;
  readonly url: string;
  /** A list sends the header more than once. */
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

export type Send = (request: Request) => Promise<Sent>;

const GIVE_UP_MS = 15_000;

/**
 * HTTP as an attacker speaks it: no header but those given, and any of them twice. Built on node:http, since fetch corrects what it is given, and costs
 * three times as much. A connection that is cut before an answer counts as status 0, which refuses (a body that is too large, say).
 */
export function openHttp(): { send: Send; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    send: ({ method, url, headers = {}, body }) =>
      new Promise((resolve, reject) => {
        const asking = open(
          url,
          {
            method,
            agent,
            headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
          },
          (reply) => {
            let text = '';
            reply.setEncoding('utf8');
            reply.on('data', (part: string) => (text += part));
            reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body: text }));
            reply.on('error', reject);
          },
        );
        asking.setTimeout(GIVE_UP_MS, () =>
          asking.destroy(new Error(`${method} ${new URL(url).pathname} had no answer within ${GIVE_UP_MS / 1000} s`)),
        );
        asking.on('error', (error: NodeJS.ErrnoException) =>
          error.code === 'ECONNRESET' || error.code === 'EPIPE' ? resolve({ status: 0, body: '' }) : reject(error),
        );
        asking.end(body);
      }),
    close: () => agent.destroy(),
  };
}

/** The rule for what must be refused whatever it holds: a 2xx let it in, a 5xx is no clean refusal. */
export const notRefused = ({ status }: Sent, expected?: readonly number[]): string | null => {
  if (expected !== undefined)
    return expected.includes(status) ? null : `answered ${status}, and ${expected.join(' or ')} is due`;
  return status === 0 || (status >= 400 && status < 500) ? null : `answered ${status}`;
};
