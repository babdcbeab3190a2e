import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Target } from './target.ts';

/** One delivery that a tenant's endpoint got. */
export interface CapturedDelivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const ROOM_COUNT = 3;
const PING_COUNT = 5;
/** Each room emits four events, two of its own and two of its session; each ping one. */
const EXPECTED_DELIVERIES = ROOM_COUNT * 4 + PING_COUNT;
const CAPTURE_TIMEOUT_MS = 30_000;

/**
 * Makes the running services deliver events to a local endpoint. Returns the deliveries and the
 * endpoint's secret.
 */
export async function captureDeliveries({
  apiUrl,
  owner,
  victim,
}: Pick<Target, 'apiUrl' | 'owner' | 'victim'>): Promise<{ secret: string; deliveries: readonly CapturedDelivery[] }> {
  const captured = new Map<string, CapturedDelivery>();
  let enough = (): void => undefined;
  const all = new Promise<void>((resolve) => (enough = resolve));
  const receiver = createServer((request, reply) => {
    void request.toArray().then((parts: Buffer[]) => {
      const headers = Object.fromEntries(
        Object.entries(request.headers).flatMap(([name, value]) =>
          name.startsWith('webhook-') && typeof value === 'string' ? [[name, value]] : [],
        ),
      );
      captured.set(headers['webhook-id'] ?? '', { headers, body: Buffer.concat(parts).toString() });
      reply.writeHead(204).end();
      if (captured.size >= EXPECTED_DELIVERIES) enough();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const request = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const reply = await fetch(apiUrl + path, {
      method,
      headers: { authorization: `Bearer ${victim.key}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!reply.ok) throw new Error(`${method} ${path} failed with ${reply.status}: ${await reply.text()}`);
    return (await reply.json()) as T;
  };
  const { endpoint, secret } = await request<{ endpoint: { id: string }; secret: string }>('POST', '/v1/endpoints', {
    url: 'https://example.com/captured',
    enabled: false,
  });
  const timer = setTimeout(enough, CAPTURE_TIMEOUT_MS);
  try {
    // Bypasses the API, which accepts no internal address.
    await owner.pool.query(
      `UPDATE endpoint
       SET url = $2, enabled = true, disabled_at = NULL, disabled_reason = NULL
       WHERE id = $1`,
      [endpoint.id, `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`],
    );
    for (let n = 0; n < ROOM_COUNT; n++) {
      const { room } = await request<{ room: { id: string } }>('POST', '/v1/rooms', { name: 'Captured' });
      await request('POST', `/v1/rooms/${room.id}/end`);
    }
    for (let n = 0; n < PING_COUNT; n++) await request('POST', `/v1/endpoints/${endpoint.id}/ping`);
    await all;
    return { secret, deliveries: [...captured.values()] };
  } finally {
    clearTimeout(timer);
    // Deletes the rows directly: the services delete them in steps, and a later group would report
    // these as changes to the tenant's rows.
    for (const sql of ['DELETE FROM delivery WHERE endpoint_id = $1', 'DELETE FROM endpoint WHERE id = $1'])
      await owner.pool.query(sql, [endpoint.id]);
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
  }
}
