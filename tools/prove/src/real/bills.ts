import { setTimeout as sleep } from 'node:timers/promises';
import type { LedgerView } from '@partyline/vonage-emulator/control-client';
import { openStore } from '@partyline/store/store';

/** Our call records beside the vendor's own books. */
interface Bills {
  /** The largest difference in seconds, of all calls; of one without a record, all that it was charged for. */
  readonly maxSeconds: number;
  readonly troubles: readonly string[];
}

type Call = LedgerView['legs'][number];

/** @param records seconds by the vendor's id of the call */
export function compare(calls: readonly Pick<Call, 'id' | 'kind' | 'billedSeconds'>[], records: ReadonlyMap<string, number>): Bills {
  const off = calls.map((call) => ({ ...call, seconds: Math.abs(call.billedSeconds - (records.get(call.id) ?? 0)) }));
  const troubles = off.filter(({ seconds }) => seconds > 1).map(({ id, kind, billedSeconds }) => `${kind} ${id} was charged for ${billedSeconds} s, and our record of it says ${records.get(id) ?? 'nothing'}`);
  return { maxSeconds: Math.max(0, ...off.map(({ seconds }) => seconds)), troubles };
}

const LOOK_EVERY_MS = 500;

/** Compares every call that the vendor charges for with its record, once they agree or `withinMs` have gone by: the last of them may have to be looked up yet. */
export async function readBills(databaseUrl: string, { legs }: LedgerView, withinMs: number): Promise<Bills> {
  const calls = legs.filter(({ kind }) => kind.startsWith('voice-'));
  const store = openStore({ url: databaseUrl, owner: true, max: 1, onError: () => undefined });
  try {
    for (const until = Date.now() + withinMs; ; await sleep(LOOK_EVERY_MS)) {
      const { rows } = await store.pool.query<{ id: string; seconds: number }>(`SELECT l.voice_call_id AS id, c.seconds FROM cdr c JOIN leg l ON l.id = c.leg_id WHERE c.handle = 'voice' AND l.voice_call_id IS NOT NULL`);
      const bills = compare(calls, new Map(rows.map(({ id, seconds }) => [id, seconds])));
      if (bills.maxSeconds <= 1 || Date.now() > until) return bills;
    }
  } finally {
    await store.close();
  }
}
