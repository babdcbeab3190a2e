import { randomUUID } from 'node:crypto';
import pMap from 'p-map';
import { type Group } from '../group.ts';
import type { Target } from '../target.ts';

const MAX_ROOMS = 10;
const CONCURRENT_REQUESTS = 210;

/**
 * Concurrent requests for more rooms than a tenant may have. Exactly the allowed number may
 * succeed.
 */
export const quotas: Group<Pick<Target, 'apiUrl' | 'send' | 'operatorKey' | 'owner'>> = {
  name: 'quotas',
  summary: `${CONCURRENT_REQUESTS} concurrent room creations of a tenant that may have ${MAX_ROOMS}`,
  minInputs: CONCURRENT_REQUESTS - MAX_ROOMS,
  async run({ apiUrl, send, operatorKey, owner }, tally) {
    const request = async (
      method: string,
      path: string,
      key: string,
      body: object,
    ): Promise<{ status: number; body: unknown }> => {
      const headers = {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
      };
      const { status, body: text } = await send({ method, url: apiUrl + path, headers, body: JSON.stringify(body) });
      return { status, body: text === '' ? null : JSON.parse(text) };
    };
    const { tenant, key } = (await request('POST', '/v1/operator/tenants', operatorKey, { name: 'Greedy' })).body as {
      tenant: { id: string };
      key: string;
    };
    await request('PATCH', `/v1/operator/tenants/${tenant.id}`, operatorKey, {
      limits: { maxLiveRooms: MAX_ROOMS, maxRequestsPerMinute: 1_000_000 },
    });
    const statuses: number[] = [];
    await pMap(
      Array.from({ length: CONCURRENT_REQUESTS }),
      async () => {
        statuses.push((await request('POST', '/v1/rooms', key, { name: 'One of ten' })).status);
      },
      { concurrency: CONCURRENT_REQUESTS },
    );
    const granted = statuses.filter((status) => status === 201).length;
    const rejections = statuses.filter((status) => status !== 201);
    for (let over = MAX_ROOMS; over < granted; over++) tally.record(`room ${over + 1}`, 'was created');
    for (const status of rejections)
      tally.record('a room above the quota', status >= 400 && status < 500 ? null : `answered ${status}`);
    if (granted < MAX_ROOMS) tally.record(`the first ${MAX_ROOMS} rooms`, `only ${granted} were created`);
    const { rows } = await owner.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM room WHERE tenant_id = $1', [
      tenant.id,
    ]);
    tally.record('all of them together', rows[0]?.n === MAX_ROOMS ? null : `left ${rows[0]?.n} rooms`);
  },
};
