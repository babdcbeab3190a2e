import { Agent, request as open, type OutgoingHttpHeaders } from 'node:http';

export interface HttpReply {
  readonly status: number;
  readonly body: string;
}

interface Request {
  readonly method: string;
  readonly url: string;
  /** An array sends the header more than once. */
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

export type Send = (request: Request) => Promise<HttpReply>;

const REPLY_TIMEOUT_MS = 15_000;

/**
 * An HTTP client that sends exactly the given headers, even duplicates. Uses node:http, because
 * fetch normalises requests and costs three times as much. A new connection that the server closes
 * before its reply has status 0, which no group accepts as a rejection. On a reused connection the
 * server may have closed it as idle, so the request is sent again.
 */
export function createHttpClient(): { send: Send; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const send: Send = (request) => {
    const { method, url, headers = {}, body } = request;
    return new Promise((resolve, reject) => {
      const outgoing = open(
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
      outgoing.setTimeout(REPLY_TIMEOUT_MS, () =>
        outgoing.destroy(
          new Error(`${method} ${new URL(url).pathname} got no reply within ${REPLY_TIMEOUT_MS / 1000} s.`),
        ),
      );
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
        else if (outgoing.reusedSocket) resolve(send(request));
        else resolve({ status: 0, body: '' });
      });
      outgoing.end(body);
    });
  };
  return { send, close: () => agent.destroy() };
}

/**
 * The fault in a reply to an input that must be rejected; null when there is none. A 2xx accepted
 * the input; a 5xx or a closed connection (0) is not a clean rejection.
 */
export const rejectionFault = ({ status }: HttpReply, expected?: readonly number[]): string | null => {
  if (expected !== undefined)
    return expected.includes(status) ? null : `answered ${status} instead of ${expected.join(' or ')}`;
  return status >= 400 && status < 500 ? null : `answered ${status}`;
};
