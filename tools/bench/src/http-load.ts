import autocannon from 'autocannon';
import { quantile } from './statistics.ts';

/** One POST request and the check of its reply. */
export interface Exchange {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Throws when the reply is wrong. */
  check(status: number, body: string): void;
}

export interface LoadFigures {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * autocannon ends a client after `responseMax` requests. Setting it later, which its types do not
 * know, is the only way to stop without aborting the requests that the measured server is working
 * on.
 */
type Client = autocannon.Client & { responseMax?: number; readonly reqsMade: number };

/** autocannon notices the end of the last client within this time. */
const TICK_MS = 50;
const REPLY_TIMEOUT_SECONDS = 60;

/**
 * Sends requests over keep-alive connections, one at a time per connection, for a number of seconds
 * or until `next` has no more, and waits for the last replies. The latencies leave out the first
 * request of each connection, which includes connecting. Throws when a reply is wrong or missing.
 * @param next makes the next request of any connection; called just before the request is sent
 */
export async function generateLoad({
  port,
  connections,
  seconds,
  next,
}: {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  readonly next: () => Exchange | undefined;
}): Promise<LoadFigures> {
  const endAt = performance.now() + seconds * 1000;
  const latencies: number[] = [];
  let replies = 0;
  let failure: Error | undefined;

  const first = Array.from({ length: connections }, next).filter((exchange) => exchange !== undefined);
  if (first.length === 0) return { requests: 0, p50Ms: Number.NaN, p99Ms: Number.NaN };

  const setupClient = (client: Client): void => {
    let exchange = first.pop();
    client.setRequests([
      {
        setupRequest: (request) => ({ ...request, method: 'POST', ...exchange }),
        onResponse: (status, body) => {
          replies += 1;
          try {
            exchange?.check(status, body);
            exchange = failure === undefined && performance.now() < endAt ? next() : undefined;
          } catch (error) {
            failure ??= error as Error;
            exchange = undefined;
          }
          if (exchange === undefined) client.responseMax = client.reqsMade;
        },
      },
    ]);
  };
  const { requests } = await new Promise<autocannon.Result>((resolve, reject) => {
    const load = autocannon(
      {
        url: `http://127.0.0.1:${port}`,
        connections: first.length,
        duration: seconds + REPLY_TIMEOUT_SECONDS,
        timeout: REPLY_TIMEOUT_SECONDS,
        sampleInt: TICK_MS,
        setupClient: (client) => setupClient(client as Client),
      },
      (error: Error | null, result) => (error === null ? resolve(result) : reject(error)),
    );
    load.on('response', (client, _status, _bytes, latencyMs) => {
      if ((client as Client).reqsMade > 1) latencies.push(latencyMs);
    });
    load.on('reqError', (error: Error) => {
      failure ??= error;
      load.stop();
    });
  });
  if (failure !== undefined) throw failure;
  // autocannon reconnects silently when a server closes a connection, and the request is lost.
  if (requests.sent !== replies) throw new Error(`The server sent ${replies} replies to ${requests.sent} requests.`);
  return { requests: replies, p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) };
}
