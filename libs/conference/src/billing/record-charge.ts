import type { Charge } from '@partyline/domain/money';
import { applyChargeToCdr, storeCdr } from '@partyline/store/billing/cdrs';
import type { LegRow } from '@partyline/store/legs/legs';
import type { Tx } from '@partyline/store/database/store';

/** The provider's own record of a call is asked for after this, when its closing event did not say the price: by then the record is written. */
const ASK_IN_S = 30;

/** What was seen of one side's closing. */
interface ClosedSide {
  readonly handle: 'media' | 'voice';
  readonly source: 'callback' | 'look-up';
  /** What the provider said of the charge; absent for a side whose charge it does not report. */
  readonly charge?: Charge | undefined;
  /** When it began and ended, by the provider's clock; null: it did not say. */
  readonly since: Date | null;
  readonly until: Date | null;
  /** The same by ours; it began never, or before we knew: null. */
  readonly seenSince: Date | null;
  readonly seenUntil: Date;
  /** It cannot have been there before. */
  readonly notBefore: Date;
}

/** How far the provider's clock may be from the database's. */
const SKEW_MS = 60_000;

/**
 * Writes down what one side of a leg that was just seen closed is charged, in the transaction of the observation. Without a word from the
 * provider the seconds are ours and the price stays open; for a call its record is asked for later (reconcile-charges.ts). Its times and seconds are believed as far as
 * they can be true: whatever it says, nobody is charged for longer than the leg can have been there.
 */
export async function recordCharge(
  tx: Tx,
  leg: LegRow,
  roomId: string | null,
  { handle, source, charge, since, until, seenSince, seenUntil, notBefore }: ClosedSide,
  now: Date,
): Promise<void> {
  const [from, to] = [notBefore.getTime() - SKEW_MS, now.getTime() + SKEW_MS];
  const told = { since: charge?.startedAt ?? since, until: charge?.endedAt ?? until, seconds: charge?.seconds ?? null };
  // Both or neither: of two clocks that disagree the difference says nothing.
  const believed = [told.since, told.until].every(
    (time) => time === null || (time.getTime() >= from && time.getTime() <= to),
  );
  const startedAt = (believed ? told.since : null) ?? seenSince;
  const endedAt = (believed ? told.until : null) ?? seenUntil;
  await storeCdr(tx, leg.tenant_id, {
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
      told.seconds !== null && told.seconds * 1000 <= to - from ? told.seconds : secondsBetween(startedAt, endedAt),
    rateMicro: charge?.rateMicro ?? null,
    priceMicro: charge?.priceMicro ?? null,
    currency: charge?.currency ?? null,
    priceLookupInS: handle === 'voice' && (charge?.priceMicro ?? null) === null ? ASK_IN_S : null,
  });
}

/** The price came later than the closing: a first event said why the call was over, and a second what it costs. */
export async function completeCharge(
  tx: Tx,
  leg: LegRow,
  source: 'callback' | 'look-up',
  charge: Charge,
): Promise<void> {
  if (charge.priceMicro !== null) await applyChargeToCdr(tx, leg.tenant_id, { legId: leg.id, handle: 'voice', source }, charge);
}

/** Started seconds, as the provider counts them. */
const secondsBetween = (from: Date | null, to: Date): number =>
  from === null ? 0 : Math.max(0, Math.ceil((to.getTime() - from.getTime()) / 1000));
