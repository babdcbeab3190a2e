import { cdrId } from '@partyline/store/billing/cdrs';
import { returnRows, returnCount, returnRow, addSeconds, type StatementTwin } from './statement-twin.ts';
import type { CdrRow, Tables } from './tables.ts';

const putCdr = (tables: Tables, id: string, row: CdrRow, lookupAt: Date | null): void => {
  tables.put(tables.cdrs, id, row);
  if (lookupAt !== null || tables.cdrsWithPriceDue.has(id))
    tables.put(tables.cdrsWithPriceDue, id, lookupAt ?? undefined);
};

/**
 * The billing statements of dialling and closing. The simulated tenants have no spend limit and
 * reach no fraud threshold: the tests of libs/store cover those. The oracle compares the seconds of
 * the call records.
 */
export const BILLING_TWINS: Readonly<Record<string, StatementTwin>> = {
  'is-dial-in-number': (tables, [phone]) => returnRows(tables.numbers.has(phone as string) ? [{}] : []),
  'dial-policy': () => returnRow({ countries: ['GB'], fraudLimits: {} }),
  'lock-spend': () => returnRows([]),
  'meter-dials': () =>
    returnRow({ callsPerMinute: 0, concurrent: 0, toOneNumber: 0, minutesPerDay: 0, longestMinutes: 0 }),
  'store-cdr': (tables, values, { now }) => {
    const id = values[0] as string;
    const earlier = tables.cdrs.get(id);
    const endedAt = values[9] as Date;
    if (
      earlier !== undefined &&
      !(
        earlier.handle === 'media' &&
        values[14] === 'callback' &&
        (earlier.source === 'look-up' || endedAt > earlier.ended_at)
      )
    )
      return returnCount(0);
    const lookupInS = values[15] as number | null;
    putCdr(
      tables,
      id,
      {
        leg_id: values[4] as string,
        tenant_id: values[1] as string | null,
        handle: values[5] as string,
        ended_at: endedAt,
        seconds: values[10] as number,
        source: values[14] as string,
        priced: values[12] !== null,
        price_lookups: 0,
      },
      lookupInS === null ? null : addSeconds(now, lookupInS),
    );
    return returnCount(1);
  },
  'void-charges': (tables, [tenant, leg]) => {
    let count = 0;
    for (const handle of ['media', 'voice'] as const) {
      const id = cdrId(leg as string, handle);
      if (tables.cdrs.get(id)?.tenant_id !== tenant) continue;
      tables.put(tables.cdrs, id, undefined);
      tables.put(tables.cdrsWithPriceDue, id, undefined);
      count += 1;
    }
    return returnCount(count);
  },
  'fill-cdr': (tables, [tenant, leg, handle, , , seconds, , price]) => {
    const id = cdrId(leg as string, handle as 'media' | 'voice');
    const row = tables.cdrs.get(id);
    if (row === undefined || row.tenant_id !== tenant || row.priced || price === null) return returnCount(0);
    putCdr(tables, id, { ...row, seconds: (seconds as number | null) ?? row.seconds, priced: true }, null);
    return returnCount(1);
  },
  'renew-price-lookup': (tables, [tenant, leg, handle, delayS], { now }) => {
    const id = cdrId(leg as string, handle as 'media' | 'voice');
    const row = tables.cdrs.get(id);
    const due = tables.cdrsWithPriceDue.get(id);
    if (row === undefined || row.tenant_id !== tenant || due === undefined) return returnCount(0);
    const renewed = addSeconds(now, delayS as number);
    putCdr(tables, id, { ...row, price_lookups: 0 }, due < renewed ? due : renewed);
    return returnCount(1);
  },
  'accounts-with-price-due': (tables, _values, { now }) =>
    returnRows(
      [
        ...new Set(
          [...tables.cdrsWithPriceDue]
            .filter(([, at]) => at <= now)
            .map(([id]) => tables.legs.get(tables.cdrs.get(id)!.leg_id)!.account_id),
        ),
      ].map((account_id) => ({ account_id })),
    ),
  'cdrs-with-price-due': (tables, [limit, account], { now }) => {
    const due = [...tables.cdrsWithPriceDue]
      .filter(([id, at]) => at <= now && tables.legs.get(tables.cdrs.get(id)!.leg_id)!.account_id === account)
      .toSorted(([, a], [, b]) => a.getTime() - b.getTime())
      .slice(0, limit as number);
    return returnRows(
      due.map(([id]) => {
        const row = tables.cdrs.get(id)!;
        const backoffS = Math.min(21_600, 60 * 2 ** Math.min(row.price_lookups, 12));
        putCdr(tables, id, { ...row, price_lookups: row.price_lookups + 1 }, addSeconds(now, backoffS));
        return {
          leg_id: row.leg_id,
          tenant_id: row.tenant_id,
          voice_call_id: tables.legs.get(row.leg_id)!.voice_call_id,
        };
      }),
    );
  },
};
