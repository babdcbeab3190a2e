import type { Charge } from '@partyline/domain/money';
import { applyChargeToCdr, renewPriceLookup, storeCdr } from '@partyline/store/billing/cdrs';
import type { LegRow } from '@partyline/store/legs/legs';
import type { Tx } from '@partyline/store/database/store';

/**
 * The delay before the provider's call record is looked up for a missing price. The record exists
 * by then.
 */
const PRICE_LOOKUP_DELAY_S = 30;

/** What was observed of the closing of one handle. */
interface ClosedHandle {
  readonly handle: 'media' | 'voice';
  readonly source: 'callback' | 'look-up';
  /** The charge that the provider reported; absent when it reports none for this handle. */
  readonly charge?: Charge | undefined;
  /** Start and end by the provider's clock; null when not reported. */
  readonly since: Date | null;
  readonly until: Date | null;
  /** Start and end by the database's clock; the start is null when it was not observed. */
  readonly observedSince: Date | null;
  readonly observedUntil: Date;
  /** The earliest possible start. */
  readonly notBefore: Date;
}

/** The permitted difference between the provider's clock and the database's. */
const MAX_SKEW_MS = 60_000;

/**
 * Stores the charge of one closed handle of a leg, in the transaction of the observation. Without a
 * reported charge the duration is Partyline's own and the price stays open; for a call, its record
 * is looked up later (reconcile-charges.ts). Reported times and durations are used only if they are
 * possible: no charge is longer than the leg can have existed.
 * @returns `false` if the handle has a record that this one does not replace (`storeCdr`)
 */
export async function recordCharge(
  tx: Tx,
  leg: LegRow,
  roomId: string | null,
  { handle, source, charge, since, until, observedSince, observedUntil, notBefore }: ClosedHandle,
  now: Date,
): Promise<boolean> {
  const [from, to] = [notBefore.getTime() - MAX_SKEW_MS, now.getTime() + MAX_SKEW_MS];
  const reported = {
    since: charge?.startedAt ?? since,
    until: charge?.endedAt ?? until,
    seconds: charge?.seconds ?? null,
  };
  // Both times or neither: the difference between two clocks is meaningless.
  const isPlausible = [reported.since, reported.until].every(
    (time) => time === null || (time.getTime() >= from && time.getTime() <= to),
  );
  const startedAt = (isPlausible ? reported.since : null) ?? observedSince;
  const endedAt = (isPlausible ? reported.until : null) ?? observedUntil;
  return storeCdr(tx, leg.tenant_id, {
    legId: leg.id,
    handle,
    source,
    direction: leg.kind,
    roomId,
    sessionId: leg.session_id,
    number: leg.number,
    remote: leg.remote,
    startedAt,
    endedAt,
    seconds:
      reported.seconds !== null && reported.seconds * 1000 <= to - from
        ? reported.seconds
        : secondsBetween(startedAt, endedAt),
    rateMicro: charge?.rateMicro ?? null,
    priceMicro: charge?.priceMicro ?? null,
    currency: charge?.currency ?? null,
    priceLookupInS: handle === 'voice' && (charge?.priceMicro ?? null) === null ? PRICE_LOOKUP_DELAY_S : null,
  });
}

/**
 * Stores a price that arrived after the closing: a first event reports why the call ended, a second
 * its price. Without a price, the provider's record is looked up soon: the first event may have been
 * wrong.
 */
export async function completeCharge(
  tx: Tx,
  leg: LegRow,
  source: 'callback' | 'look-up',
  charge: Charge | undefined,
): Promise<void> {
  const voice = { legId: leg.id, handle: 'voice' } as const;
  if (charge !== undefined && charge.priceMicro !== null)
    await applyChargeToCdr(tx, leg.tenant_id, { ...voice, source }, charge);
  else if (source === 'callback') await renewPriceLookup(tx, leg.tenant_id, { ...voice, delayS: PRICE_LOOKUP_DELAY_S });
}

/** Started seconds count in full, as at the provider. */
const secondsBetween = (from: Date | null, to: Date): number =>
  from === null ? 0 : Math.max(0, Math.ceil((to.getTime() - from.getTime()) / 1000));
