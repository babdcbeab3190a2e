import type { platform_limit } from '../generated/client.ts';
import { EVERY_TENANT, inTransaction, type Store } from '../database/store.ts';

/* Platform-wide: the limits of all tenants without their own. */

export type PlatformLimits = Omit<platform_limit, 'only'>;
const LIMITS = [
  'max_live_rooms',
  'max_live_legs',
  'max_dial_outs_per_minute',
  'max_requests_per_minute',
] as const satisfies readonly (keyof PlatformLimits)[];
const COLUMNS = LIMITS.join(', ');

export async function readPlatformLimits(store: Store): Promise<PlatformLimits> {
  const { rows } = await store.query<PlatformLimits>(EVERY_TENANT, {
    name: 'read-platform-limits',
    text: `SELECT ${COLUMNS} FROM platform_limit`,
  });
  return rows[0]!;
}

/** Updates the given limits. Returns all limits, and the changed ones before and after. */
export async function updatePlatformLimits(
  store: Store,
  wanted: Partial<PlatformLimits>,
): Promise<{ limits: PlatformLimits; before: Partial<PlatformLimits>; after: Partial<PlatformLimits> }> {
  return inTransaction(store, EVERY_TENANT, async (tx) => {
    const {
      rows: [before],
    } = await tx.query<PlatformLimits>({
      name: 'lock-platform-limits',
      text: `SELECT ${COLUMNS} FROM platform_limit FOR UPDATE`,
    });
    const {
      rows: [after],
    } = await tx.query<PlatformLimits>({
      name: 'update-platform-limits',
      text: `UPDATE platform_limit
             SET ${LIMITS.map((column, i) => `${column} = COALESCE($${i + 1}, ${column})`).join(', ')}
             RETURNING ${COLUMNS}`,
      values: LIMITS.map((column) => wanted[column] ?? null),
    });
    const changed = (limits: PlatformLimits): Partial<PlatformLimits> =>
      Object.fromEntries(
        LIMITS.filter((column) => wanted[column] !== undefined).map((column) => [column, limits[column]]),
      );
    return { limits: after!, before: changed(before!), after: changed(after!) };
  });
}
