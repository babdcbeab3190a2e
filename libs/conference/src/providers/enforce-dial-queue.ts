import { VerdictError } from '@partyline/domain/verdict';
import type { Tx } from '@partyline/store/database/store';
import { queueDial } from '@partyline/store/providers/dial-queue';
import { DIAL_INTERVAL_MS } from './rate-limit-providers.ts';

/** A call that would wait longer is rejected. */
const MAX_DIAL_WAIT_MS = 20_000;
/**
 * With all other tenants' calls. Less than a requested call may wait (GIVE_UP_AFTER_SECONDS), with
 * a quarter for bridges that become due later, which share the slots.
 */
const MAX_QUEUE_MS = 45_000;

/**
 * Returns the milliseconds until the call that this transaction requested is placed. Throws 429
 * `dial-queue-full` when that is too long. Call it last: it locks the queue of the account.
 */
export async function enforceDialQueue(tx: Tx, tenantId: string, accountId: string | null): Promise<number> {
  const { ahead, total } = await queueDial(tx, tenantId, accountId);
  const waitMs = ahead * DIAL_INTERVAL_MS;
  const excessMs = Math.max(waitMs - MAX_DIAL_WAIT_MS, total * DIAL_INTERVAL_MS - MAX_QUEUE_MS);
  if (excessMs <= 0) return waitMs;
  throw new VerdictError('client', 'dial-queue-full', 'Too many calls wait to be placed.', {
    fix: 'Nothing has changed. Retry after the time in retry-after: the provider accepts a few calls per second.',
    retryAfterMs: Math.max(1_000, excessMs),
  });
}
