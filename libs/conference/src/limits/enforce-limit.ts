import { VerdictError } from '@partyline/domain/verdict';
import { lockLimit, type Limit, type LimitUse } from '@partyline/store/limits/limits';
import type { Tx } from '@partyline/store/database/store';

const REFUSALS: Readonly<Record<Limit, { message: string; fix: string; retryAfterMs?: number }>> = {
  'live-rooms': {
    message: 'As many of your rooms are active as you may have.',
    fix: 'End rooms that are not needed (POST /v1/rooms/{roomId}/end), or ask the operator for more; GET /v1/limits shows what you may use.',
  },
  'live-legs': {
    message: 'As many people are connected to your rooms as you may have.',
    fix: 'Wait until somebody leaves, or ask the operator for more; GET /v1/limits shows what you may use.',
  },
  'dial-outs': {
    message: 'You have rung as many people within the last minute as you may.',
    fix: 'Wait a minute, or ask the operator for more; GET /v1/limits shows what you may use.',
    retryAfterMs: 60_000,
  },
};

/**
 * Refuses (429 `limit-live-rooms`, `limit-live-legs`, `limit-dial-outs`) what would go past a tenant's limit, and holds the limit until the transaction ends. To be
 * asked when all else is done, since near the limit it is waited for by everybody else of the tenant who asks.
 * @param more how many are yet to be added; 0: those of this transaction are in the rows already
 */
export async function enforceLimit(tx: Tx, tenantId: string, limit: Limit, more: 0 | 1 = 0): Promise<void> {
  refuseOver(limit, await lockLimit(tx, tenantId, limit), more);
}

/** Refuses what `keepLimit` would refuse, by a look that holds nothing: early, before work is done that would be in vain. Only `keepLimit` decides. */
export function precheckLimit(limit: Limit, uses: Readonly<Record<Limit, LimitUse>>): void {
  refuseOver(limit, uses[limit], 1);
}

function refuseOver(limit: Limit, { allowed, used }: LimitUse, more: 0 | 1): void {
  if (used + more <= allowed) return;
  const { message, ...rest } = REFUSALS[limit];
  // As it is for whoever reads it: without the one that was refused.
  throw new VerdictError('client', `limit-${limit}`, message, {
    ...rest,
    use: { limit: allowed, used: used + more - 1 },
  });
}
