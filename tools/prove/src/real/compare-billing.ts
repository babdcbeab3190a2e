import { setTimeout as sleep } from 'node:timers/promises';
import { openStore } from '@partyline/store/database/store';
import type { LedgerView } from '@partyline/vonage-emulator/control-client';

interface BillingComparison {
  /** The largest difference of any call. For a call without a record, all its billed seconds. */
  readonly maxSeconds: number;
  readonly problems: readonly string[];
}

type LedgerLeg = LedgerView['legs'][number];

/**
 * Compares the calls of the provider's ledger with the call records. A difference of one second is
 * allowed.
 * @param secondsByCall the recorded seconds by provider call id
 */
export function compareCalls(
  calls: readonly Pick<LedgerLeg, 'id' | 'kind' | 'billedSeconds'>[],
  secondsByCall: ReadonlyMap<string, number>,
): BillingComparison {
  const compared = calls.map((call) => ({
    ...call,
    difference: Math.abs(call.billedSeconds - (secondsByCall.get(call.id) ?? 0)),
  }));
  const problems = compared
    .filter(({ difference }) => difference > 1)
    .map(({ id, kind, billedSeconds }) => {
      const recorded = secondsByCall.get(id);
      const found = recorded === undefined ? 'has no call record' : `is recorded with ${recorded} s`;
      return `${kind} ${id} was billed for ${billedSeconds} s but ${found}`;
    });
  return { maxSeconds: Math.max(0, ...compared.map(({ difference }) => difference)), problems };
}

/**
 * The call record of a browser, or of a bridge leg's media handle. The provider reports no charge
 * for it, only times.
 */
interface ConnectionRecord {
  readonly id: string;
  readonly seconds: number;
  readonly source: string;
  /** The record ends after the time at which the connection was observed closed. */
  readonly endsAfterObserved: boolean;
}

/**
 * Compares the connections of the provider's ledger with their call records. A record from a
 * callback must have the provider's seconds. A record from a look-up must only not end after the
 * observed end.
 */
export function compareConnections(
  connections: readonly Pick<LedgerLeg, 'id' | 'kind' | 'createdAt' | 'endedAt'>[],
  records: readonly ConnectionRecord[],
): string[] {
  const connectionById = new Map(connections.map((each) => [each.id, each]));
  return records.flatMap(({ id, seconds, source, endsAfterObserved }) => {
    const { kind, createdAt, endedAt } = connectionById.get(id) ?? {};
    if (endsAfterObserved) return [`${kind} ${id}: its record ends after its observed end`];
    if (createdAt === undefined || endedAt === undefined || source !== 'callback') return [];
    const connected = Math.ceil((endedAt - createdAt) / 1000);
    return Math.abs(seconds - connected) <= 1
      ? []
      : [`${kind} ${id} was connected for ${connected} s but is recorded with ${seconds} s`];
  });
}

const POLL_INTERVAL_MS = 500;

/**
 * Compares every billed call and connection with its record. Polls until the calls agree, at most
 * `timeoutMs`: the last charges may need a look-up first.
 */
export async function compareBilling(
  databaseUrl: string,
  { legs }: LedgerView,
  timeoutMs: number,
): Promise<BillingComparison> {
  const calls = legs.filter(({ kind }) => kind.startsWith('voice-'));
  const store = openStore({ url: databaseUrl, owner: true, max: 1, onError: () => undefined });
  try {
    for (const until = Date.now() + timeoutMs; ; await sleep(POLL_INTERVAL_MS)) {
      const { rows } = await store.pool.query<{ id: string; seconds: number }>(
        `SELECT l.voice_call_id AS id, c.seconds
        FROM cdr c
        JOIN leg l ON l.id = c.leg_id
        WHERE c.handle = 'voice' AND l.voice_call_id IS NOT NULL`,
      );
      const comparison = compareCalls(calls, new Map(rows.map(({ id, seconds }) => [id, seconds])));
      if (comparison.maxSeconds > 1 && Date.now() < until) continue;
      const media = await store.pool.query<ConnectionRecord>(
        `SELECT l.media_connection_id AS id, c.seconds, c.source,
          c.ended_at > l.media_closed_at + interval '1 second' AS "endsAfterObserved"
        FROM cdr c
        JOIN leg l ON l.id = c.leg_id
        WHERE c.handle = 'media' AND l.media_closed_at IS NOT NULL`,
      );
      return { ...comparison, problems: [...comparison.problems, ...compareConnections(legs, media.rows)] };
    }
  } finally {
    await store.close();
  }
}
