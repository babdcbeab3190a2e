import { setTimeout as sleep } from 'node:timers/promises';
import type { LedgerView } from '@partyline/vonage-emulator/control-client';
import { openStore } from '@partyline/store/database/store';

/** Our call records beside the vendor's own books. */
interface Bills {
  /** The largest difference in seconds, of all calls; of one without a record, all that it was charged for. */
  readonly maxSeconds: number;
  readonly troubles: readonly string[];
}

type Call = LedgerView['legs'][number];

/** @param records seconds by the vendor's id of the call */
export function compare(
  calls: readonly Pick<Call, 'id' | 'kind' | 'billedSeconds'>[],
  records: ReadonlyMap<string, number>,
): Bills {
  const off = calls.map((call) => ({ ...call, seconds: Math.abs(call.billedSeconds - (records.get(call.id) ?? 0)) }));
  const troubles = off
    .filter(({ seconds }) => seconds > 1)
    .map(
      ({ id, kind, billedSeconds }) =>
        `${kind} ${id} was charged for ${billedSeconds} s, and our record of it says ${records.get(id) ?? 'nothing'}`,
    );
  return { maxSeconds: Math.max(0, ...off.map(({ seconds }) => seconds)), troubles };
}

/** Our record of a browser or a bridge's video side, whose charge the vendor does not tell: only its times, in its callbacks. */
interface MediaRecord {
  readonly id: string;
  readonly seconds: number;
  readonly source: string;
  /** It ends after we had seen the connection gone. */
  readonly late: boolean;
}

/** Of those that a callback closed, the seconds are the vendor's; of those that were looked up, only that no record ends later than we knew. */
export function compareMedia(
  connections: readonly Pick<Call, 'id' | 'kind' | 'createdAt' | 'endedAt'>[],
  records: readonly MediaRecord[],
): string[] {
  const vendors = new Map(connections.map((each) => [each.id, each]));
  return records.flatMap(({ id, seconds, source, late }) => {
    const { kind, createdAt, endedAt } = vendors.get(id) ?? {};
    if (late) return [`${kind} ${id}: our record of it ends after it was seen to be gone`];
    if (
      createdAt === undefined ||
      endedAt === undefined ||
      source !== 'callback' ||
      Math.abs(seconds - Math.ceil((endedAt - createdAt) / 1000)) <= 1
    )
      return [];
    return [
      `${kind} ${id} was connected for ${Math.ceil((endedAt - createdAt) / 1000)} s, and our record of it says ${seconds}`,
    ];
  });
}

const LOOK_EVERY_MS = 500;

/** Compares every call that the vendor charges for with its record, once they agree or `withinMs` have gone by: the last of them may have to be looked up yet. */
export async function readBills(databaseUrl: string, { legs }: LedgerView, withinMs: number): Promise<Bills> {
  const calls = legs.filter(({ kind }) => kind.startsWith('voice-'));
  const store = openStore({ url: databaseUrl, owner: true, max: 1, onError: () => undefined });
  try {
    for (const until = Date.now() + withinMs; ; await sleep(LOOK_EVERY_MS)) {
      const { rows } = await store.pool.query<{ id: string; seconds: number }>(
        `SELECT l.voice_call_id AS id, c.seconds FROM cdr c JOIN leg l ON l.id = c.leg_id WHERE c.handle = 'voice' AND l.voice_call_id IS NOT NULL`,
      );
      const bills = compare(calls, new Map(rows.map(({ id, seconds }) => [id, seconds])));
      if (bills.maxSeconds > 1 && Date.now() < until) continue;
      const media = await store.pool.query<MediaRecord>(
        `SELECT l.media_connection_id AS id, c.seconds, c.source, c.ended_at > l.media_closed_at + interval '1 second' AS late FROM cdr c JOIN leg l ON l.id = c.leg_id WHERE c.handle = 'media' AND l.media_closed_at IS NOT NULL`,
      );
      return { ...bills, troubles: [...bills.troubles, ...compareMedia(legs, media.rows)] };
    }
  } finally {
    await store.close();
  }
}
