import type { LegRow } from '@partyline/store/legs/legs';
import type { Tables } from './tables.ts';

const PLATFORM_LIMITS: Readonly<Record<string, number>> = { 'live-rooms': 1_000, 'live-legs': 500, 'dial-outs': 60 };

/**
 * The SQL functions `read_limit` and `lock_limit`. Transactions run one at a time here, so no lock
 * is needed. The use of an unlimited tenant is not counted.
 */
export function readLimitUse(
  tables: Tables,
  [tenant, limit]: readonly unknown[],
  clock: Date,
): { allowed: number; used: number } {
  if (tables.tenants.get(tenant as string)?.unlimited === true) return { allowed: 1_000_000, used: 0 };
  const countLegs = (matches: (leg: LegRow) => boolean): number =>
    [...tables.legs.values()].filter((leg) => leg.tenant_id === tenant && matches(leg)).length;
  const used: Readonly<Record<string, () => number>> = {
    'live-rooms': () =>
      [...tables.rooms.values()].filter((room) => room.tenant_id === tenant && room.state === 'active').length,
    'live-legs': () => countLegs((leg) => leg.session_id !== null && leg.state !== 'ended' && leg.kind !== 'bridge'),
    'dial-outs': () =>
      countLegs(({ kind, created_at }) => kind === 'outbound' && created_at.getTime() > clock.getTime() - 60_000),
  };
  return { allowed: PLATFORM_LIMITS[limit as string]!, used: used[limit as string]!() };
}
