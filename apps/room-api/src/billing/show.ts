import type { Cdr, Spend, UsageRow as Row } from '@partyline/contracts/billing/usage';
import { spendState, type SpendUsage } from '@partyline/domain/money';
import { maskNumber } from '@partyline/domain/phone';
import type { CdrRow } from '@partyline/store/billing/cdrs';
import type { UsageGroup, UsageRow } from '@partyline/store/billing/usage';

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
  rateMicro: row.rate_micro,
  priceMicro: row.price_micro,
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
  priceMicro: row.price_micro,
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
