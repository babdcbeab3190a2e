import type { Cdr, Spend, UsageRow as Row } from '@partyline/contracts/billing/usage';
import { roundMicroUnits, spendState, toCurrencyUnits, type SpendUsage } from '@partyline/domain/money';
import { maskNumber } from '@partyline/domain/phone';
import type { CdrRow } from '@partyline/store/billing/cdrs';
import type { UsageGroup, UsageRow } from '@partyline/store/billing/usage';

const showMicro = (micro: string | null): string | null => (micro === null ? null : roundMicroUnits(micro));
const showExact = (micro: string | null): string | null => (micro === null ? null : toCurrencyUnits(micro));

export const showCdr = (row: CdrRow): Cdr => ({
  id: row.id,
  legId: row.leg_id,
  side: row.handle,
  direction: row.direction as Cdr['direction'],
  roomId: row.room_id,
  sessionId: row.session_id,
  number: row.number,
  remote: row.remote === null ? null : maskNumber(row.remote),
  startedAt: row.started_at?.toISOString() ?? null,
  endedAt: row.ended_at.toISOString(),
  seconds: row.seconds,
  rate: showExact(row.rate_micro),
  rateMicro: showMicro(row.rate_micro),
  price: showExact(row.price_micro),
  priceMicro: showMicro(row.price_micro),
  estimateMicro: row.estimate_micro,
  currency: row.currency,
});

/** A row with only the requested groups. */
export const showUsage = (row: UsageRow, groups: readonly UsageGroup[]): Row => ({
  ...(groups.includes('day') ? { day: row.day! } : {}),
  ...(groups.includes('room') ? { roomId: row.room! } : {}),
  ...(groups.includes('number') ? { number: row.number } : {}),
  ...(groups.includes('direction') ? { direction: row.direction as Row['direction'] } : {}),
  currency: row.currency,
  records: row.records,
  seconds: Number(row.seconds),
  price: toCurrencyUnits(row.price_micro),
  priceMicro: roundMicroUnits(row.price_micro),
  estimateMicro: row.estimate_micro,
});

export const showSpend = (uses: readonly SpendUsage[]): Spend => ({
  limits: uses.map((use) => ({
    scope: use.scope,
    used: String(use.used),
    allowed: String(use.allowed),
    currency: use.currency,
    state: spendState(use),
  })),
});
