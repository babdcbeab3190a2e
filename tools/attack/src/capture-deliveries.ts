import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Target } from './target.ts';

/** What a tenant's endpoint was sent. */
export interface Captured {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const ROOMS = 3;
const PINGS = 5;
/** A room that nobody joined is ending, and ended. */
const EXPECTED = ROOMS * 2 + PINGS;
const GIVE_UP_MS = 30_000;

/** Has the running services send a tenant its events, each once, to an endpoint of ours, and gives them with its secret. */
export async function captureDeliveries({
  apiUrl,
  owner,
  victim,
}: Pick<Target, 'apiUrl' | 'owner' | 'victim'>): Promise<{ secret: string; deliveries: readonly Captured[] }> {
  const captured = new Map<string, Captured>();
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
      if (captured.size >= EXPECTED) enough();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const ask = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const reply = await fetch(apiUrl + path, {
      method,
      headers: { authorization: `Bearer ${victim.key}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!reply.ok)
      throw new Error(`${method} ${path}, to have events sent, was answered ${reply.status}: ${await reply.text()}`);
    return (await reply.json()) as T;
  };
  const { endpoint, secret } = await ask<{ endpoint: { id: string }; secret: string }>('POST', '/v1/endpoints', {
    url: 'https://example.com/captured',
    enabled: false,
  });
  const timer = setTimeout(enough, GIVE_UP_MS);
  try {
    // Past the API, which rightly takes no address in here.
    await owner.pool.query(
      'UPDATE endpoint SET url = $2, enabled = true, disabled_at = NULL, disabled_reason = NULL WHERE id = $1',
      [endpoint.id, `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`],
    );
    for (let n = 0; n < ROOMS; n++) {
      const { room } = await ask<{ room: { id: string } }>('POST', '/v1/rooms', { name: 'To be told of' });
      await ask('POST', `/v1/rooms/${room.id}/end`);
    }
    for (let n = 0; n < PINGS; n++) await ask('POST', `/v1/endpoints/${endpoint.id}/ping`);
    await all;
    return { secret, deliveries: [...captured.values()] };
  } finally {
    clearTimeout(timer);
    // At once and whole, not bit by bit as the services do it: what comes next looks whether the tenant's rows change.
    for (const sql of ['DELETE FROM delivery WHERE endpoint_id = $1', 'DELETE FROM endpoint WHERE id = $1'])
      await owner.pool.query(sql, [endpoint.id]);
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
  }
}
