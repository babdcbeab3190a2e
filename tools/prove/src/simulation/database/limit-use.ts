import type { LegRow } from '@partyline/store/legs/legs';
import type { Tables } from './tables.ts';

const PLATFORM_LIMITS: Readonly<Record<string, number>> = { 'live-rooms': 1_000, 'live-legs': 500, 'dial-outs': 60 };

/** `read_limit` and `lock_limit`: one transaction runs at a time here, so that to hold is to read. A simulated tenant that is unlimited is not counted. */
export function readLimitUse(
  tables: Tables,
  [tenant, limit]: readonly unknown[],
  clock: Date,
): { allowed: number; used: number } {
  if (tables.tenants.get(tenant as string)?.unlimited === true) return { allowed: 1_000_000, used: 0 };
  const legs = (is: (leg: LegRow) => boolean): number =>
    [...tables.legs.values()].filter((leg) => leg.tenant_id === tenant && is(leg)).length;
  const used: Readonly<Record<string, () => number>> = {
    'live-rooms': () =>
      [...tables.rooms.values()].filter((room) => room.tenant_id === tenant && room.state === 'active').length,
    'live-legs': () => legs(({ state, kind }) => state !== 'ended' && kind !== 'bridge'),
    'dial-outs': () =>
      legs(({ kind, created_at }) => kind === 'outbound' && created_at.getTime() > clock.getTime() - 60_000),
  };
  return { allowed: PLATFORM_LIMITS[limit as string]!, used: used[limit as string]!() };
}
