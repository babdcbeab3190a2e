import { listOwed } from '@partyline/store/owed';
import type { Deps } from './deps.ts';

/** Younger than this, what is owed is on its way by its own job. */
const GRACE_MS = 2_000;

/**
 * Sends again whatever the rows say is owed and was not done: jobs that were lost with Redis, or never sent because a process died between
 * its commit and its send. Run every second or so, by as many replicas as like: nothing is sent twice while it waits.
 * Answers how many of each there were; throws when Postgres or Redis is away, and the next run makes good.
 */
export async function sweepOwed({ store, jobs }: Pick<Deps, 'store' | 'jobs'>): Promise<Record<string, number>> {
  const owed = await listOwed(store, { graceMs: GRACE_MS });
  await Promise.all([
    ...owed.settle.map((session) => jobs.ensure('settle-session', { tenantId: session.tenant_id, sessionId: session.id })),
    ...owed.overdue.map((session) => jobs.armHangUp({ tenantId: session.tenant_id, sessionId: session.id }, 0)),
    ...owed.ending.map((session) => jobs.ensure('hang-up-session', { tenantId: session.tenant_id, sessionId: session.id })),
    ...owed.hangUpLegs.map((leg) => jobs.ensure('hang-up-leg', { tenantId: null, legId: leg.id })),
    ...owed.bridge.map((session) => jobs.ensure('open-bridge', { tenantId: session.tenant_id, sessionId: session.id })),
    ...owed.dial.map((leg) => jobs.ensure('dial-out', { tenantId: leg.tenant_id, legId: leg.id })),
  ]);
  return Object.fromEntries(Object.entries(owed).map(([what, list]: [string, readonly unknown[]]) => [what, list.length]));
}
