import { VerdictError } from '@partyline/domain/verdict';
import { lockLimit, type Limit, type LimitUse } from '@partyline/store/limits/limits';
import type { Tx } from '@partyline/store/database/store';

const PROBLEMS: Readonly<Record<Limit, { message: string; fix: string; retryAfterMs?: number }>> = {
  'live-rooms': {
    message: 'You have the maximum number of active rooms.',
    fix:
      'End rooms that are not needed (POST /v1/rooms/{roomId}/end), or ask the operator for a higher limit. ' +
      'See GET /v1/limits.',
  },
  'live-legs': {
    message: 'Your rooms have the maximum number of connected participants.',
    fix: 'Wait until a participant leaves, or ask the operator for a higher limit. See GET /v1/limits.',
  },
  'dial-outs': {
    message: 'You have dialled the maximum number of calls within the last minute.',
    fix: 'Wait a minute, or ask the operator for a higher limit. See GET /v1/limits.',
    retryAfterMs: 60_000,
  },
};

/**
 * Throws 429 (`limit-live-rooms`, `limit-live-legs`, `limit-dial-outs`) when a tenant's limit would
 * be exceeded, and locks the limit until the end of the transaction. Call it last: near the limit,
 * the tenant's other requests wait for this lock.
 * @param more 0 when this transaction has inserted its row, 1 when the row is yet to come
 */
export async function enforceLimit(tx: Tx, tenantId: string, limit: Limit, more: 0 | 1 = 0): Promise<void> {
  assertWithinLimit(limit, await lockLimit(tx, tenantId, limit), more);
}

/**
 * The check of `enforceLimit` without a lock, to reject a request early. Only `enforceLimit`
 * decides.
 */
export function precheckLimit(limit: Limit, uses: Readonly<Record<Limit, LimitUse>>): void {
  assertWithinLimit(limit, uses[limit], 1);
}

function assertWithinLimit(limit: Limit, { allowed, used }: LimitUse, more: 0 | 1): void {
  if (used + more <= allowed) return;
  const { message, ...rest } = PROBLEMS[limit];
  // The reported use does not include the rejected one.
  throw new VerdictError('client', `limit-${limit}`, message, {
    ...rest,
    use: { limit: allowed, used: used + more - 1 },
  });
}
