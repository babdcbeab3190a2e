import { randomUUID } from 'node:crypto';
import { inParallel, type Group } from '../group.ts';
import type { Target } from '../target.ts';

const LIMIT = 10;
const AT_ONCE = 210;

/** Many requests at the same moment for what a tenant may have only ten of: exactly ten are granted. */
export const quotas: Group<Pick<Target, 'apiUrl' | 'send' | 'operatorKey' | 'owner'>> = {
  name: 'quotas',
  says: `${AT_ONCE} rooms created at once by a tenant that may have ${LIMIT}`,
  least: AT_ONCE - LIMIT,
  async run({ apiUrl, send, operatorKey, owner }, tally) {
    const asked = async (
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
    const { tenant, key } = (await asked('POST', '/v1/operator/tenants', operatorKey, { name: 'Greedy' })).body as {
      tenant: { id: string };
      key: string;
    };
    await asked('PATCH', `/v1/operator/tenants/${tenant.id}`, operatorKey, {
      limits: { maxLiveRooms: LIMIT, maxRequestsPerMinute: 1_000_000 },
    });
    const statuses: number[] = [];
    await inParallel(Array.from({ length: AT_ONCE }), AT_ONCE, async () => {
      statuses.push((await asked('POST', '/v1/rooms', key, { name: 'One of ten' })).status);
    });
    const granted = statuses.filter((status) => status === 201).length;
    const refusals = statuses.filter((status) => status !== 201);
    for (let over = LIMIT; over < granted; over++) tally.judge(`room ${over + 1}`, 'was granted');
    for (const status of refusals)
      tally.judge('a room too many', status >= 400 && status < 500 ? null : `answered ${status}`);
    if (granted < LIMIT) tally.judge('the first ten rooms', `only ${granted} were granted`);
    const { rows } = await owner.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM room WHERE tenant_id = $1', [
      tenant.id,
    ]);
    tally.judge('all of them together', rows[0]?.n === LIMIT ? null : `left ${rows[0]?.n} rooms`);
  },
};
