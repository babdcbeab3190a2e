import { randomUUID } from 'node:crypto';
import { migrate } from '@partyline/dev/postgres/migrate';
import { startPgBouncer } from '@partyline/dev/postgres/pgbouncer';
import { readyPath } from '@partyline/dev/stack/service-environment';
import pMap from 'p-map';
import pg from 'pg';
import type { Group, Tally } from '../group.ts';
import type { Target } from '../target.ts';

const REQUESTS_PER_KIND = 20;
const CONCURRENT_MIGRATIONS = 2;
const CALLS_PER_TENANT = 60;
/** Longer than an accepted call may wait. */
const MAX_PLACED_SECONDS = 60;

/**
 * Databases that fail over, and queues that fill: requests to a read-only Postgres, migrations
 * through a pooler, and more calls than the provider accepts.
 */
export const databases: Group = {
  name: 'databases',
  summary: 'requests while Postgres is read-only, migrations through PgBouncer, 120 calls of two tenants at once',
  minInputs: 3 * REQUESTS_PER_KIND + CONCURRENT_MIGRATIONS,
  async run(target, tally) {
    await sendWhileReadOnly(target, tally);
    await migrateThroughPooler(target, tally);
    await floodWithCalls(target, tally);
  },
};

/** Each must be answered 503, and by its second try once Postgres accepts writes. */
async function sendWhileReadOnly({ apiUrl, send, stack, attacker, webhookSender }: Target, tally: Tally) {
  const admin = new pg.Client({ connectionString: stack.databaseUrl });
  await admin.connect();
  const setReadOnly = async (setting: 'on' | 'off'): Promise<void> => {
    await admin.query(`BEGIN READ WRITE;
      ALTER DATABASE ${pg.escapeIdentifier(admin.database ?? '')} SET default_transaction_read_only = ${setting};
      COMMIT`);
  };
  const authorization = `Bearer ${attacker.key}`;
  const kinds: Readonly<Record<string, () => Promise<{ status: number }>>> = {
    'a read of a room': () =>
      send({ method: 'GET', url: `${apiUrl}/v1/rooms/${attacker.ids['roomId']}`, headers: { authorization } }),
    'a new webhook endpoint': () =>
      send({
        method: 'POST',
        url: `${apiUrl}/v1/endpoints`,
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ url: 'not an address' }),
      }),
    'a call': () => {
      const uuid = randomUUID();
      const call = {
        from: '442079460023',
        to: stack.numbers[0]!.e164.slice(1),
        uuid,
        conversation_uuid: `CON-${uuid}`,
      };
      return webhookSender.sendSigned('/v1/voice/answer', call);
    },
  };
  const sendAll = (check: (kind: string, request: () => Promise<{ status: number }>) => Promise<void>) =>
    pMap(
      Object.entries(kinds).flatMap((kind) => Array.from({ length: REQUESTS_PER_KIND }, () => kind)),
      ([kind, request]) => check(kind, request),
      { concurrency: 10 },
    );
  try {
    await setReadOnly('on');
    await admin.query(
      `SELECT pg_terminate_backend(pid)
       FROM pg_stat_activity
       WHERE usename = 'partyline_service' AND datname = current_database()`,
    );
    await sendAll(async (kind, request) => {
      const { status } = await request();
      tally.record(`${kind} while Postgres is read-only`, status === 503 ? null : `answered ${status}`);
    });
    for (const { name, managementUrl } of stack.instances) {
      const { status } = await send({ method: 'GET', url: `${managementUrl}${readyPath}` });
      tally.record(
        `the readiness of ${name} while Postgres is read-only`,
        status === 503 ? null : `answered ${status}`,
      );
    }
  } finally {
    await setReadOnly('off');
    await admin.end();
  }
  await sendAll(async (kind, request) => {
    const first = await request();
    const { status } = first.status === 503 ? await request() : first;
    tally.record(`${kind} after Postgres accepts writes again`, status < 500 ? null : `the second try got ${status}`);
  });
}

/** Each must be rejected, without a lock that would stop the next one. */
async function migrateThroughPooler({ stack, owner }: Target, tally: Tally) {
  const pooler = await startPgBouncer({ users: [stack.databaseUrl] });
  try {
    const runs = await Promise.allSettled(
      Array.from({ length: CONCURRENT_MIGRATIONS }, () => migrate(pooler.through(stack.databaseUrl))),
    );
    for (const run of runs)
      tally.record(
        'a migration through PgBouncer',
        run.status === 'rejected' && String(run.reason).includes('direct address') ? null : 'was not rejected',
      );
    const { rowCount } = await owner.pool.query(
      `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 72707369`,
    );
    tally.record('both migrations', rowCount === 0 ? null : 'left their lock');
  } finally {
    await pooler.stop();
  }
}

/** A call is rejected at once, or placed: none is accepted and then given up. */
async function floodWithCalls({ apiUrl, send, victim, attacker, owner }: Target, tally: Tally) {
  const post = async (key: string, path: string, body: object) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const reply = await send({ method: 'POST', url: apiUrl + path, headers, body: JSON.stringify(body) });
    return { status: reply.status, body: JSON.parse(reply.body) as Record<string, unknown> };
  };
  const rooms: { key: string; roomId: string }[] = [];
  for (const { key } of [victim, attacker])
    for (let i = 0; i < CALLS_PER_TENANT / 10; i += 1) {
      const { body } = await post(key, '/v1/rooms', { name: 'Flood', maxParticipants: 20 });
      rooms.push({ key, roomId: (body['room'] as { id: string }).id });
    }
  const replies = await pMap(
    Array.from({ length: 2 * CALLS_PER_TENANT }, (_, index) => index),
    (index) => {
      const { key, roomId } = rooms[index % rooms.length]!;
      return post(key, `/v1/rooms/${roomId}/participants`, { phone: `+44794613${String(index).padStart(4, '0')}` });
    },
    { concurrency: 2 * CALLS_PER_TENANT },
  );
  const accepted = replies.flatMap(({ status, body }) => (status === 202 ? [String(body['legId'])] : []));
  tally.measure('calls accepted', accepted.length);
  tally.record('the calls that fit', accepted.length > 0 ? null : 'were all rejected');
  for (const { status, body } of replies)
    if (status !== 202)
      tally.record(
        'a call too many',
        status === 429 && body['reason'] === 'dial-queue-full' ? null : `answered ${status} ${String(body['reason'])}`,
      );
  const until = Date.now() + MAX_PLACED_SECONDS * 1_000;
  for (;;) {
    const { rows } = await owner.pool.query<{ id: string; reason: string | null; waits: boolean }>(
      `SELECT id, reason, state = 'requested' AS waits FROM leg WHERE id = ANY($1)`,
      [accepted],
    );
    if (rows.some(({ waits }) => waits) && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      continue;
    }
    for (const id of accepted) if (!rows.some((row) => row.id === id)) tally.record('an accepted call', 'has no leg');
    for (const { reason, waits } of rows)
      tally.record(
        'an accepted call',
        waits ? 'was not placed' : reason === 'could-not-be-placed' ? 'was given up' : null,
      );
    break;
  }
  await pMap(rooms, ({ key, roomId }) => post(key, `/v1/rooms/${roomId}/end`, {}), { concurrency: 4 });
}
