import { isPresent } from '@partyline/domain/leg';
import { spendState, type SpendUsage } from '@partyline/domain/money';
import { canJoin } from '@partyline/domain/session';
import type { SessionView } from '@partyline/store/sessions/session-lock';
import { listSessionsNearLimit, measureSpend, recordWarning } from '@partyline/store/limits/spend';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { getPrompt } from '@partyline/domain/prompts';
import { decideEnd } from '../sessions/settle-session.ts';

/**
 * Calls of a session that hear a spoken warning: each is a provider request, and hang-ups take most
 * of the rate limit.
 */
const MAX_SPOKEN_WARNINGS = 10;

/**
 * Checks the spend of running calls, which are charged only after they end. At 80 % of a limit it
 * warns once, by an event and, where the provider supports it, by voice; at the limit it ends the
 * session. Any number of replicas may run it every few seconds: each decision is one transaction
 * under the session's lock, computed from the rows. Returns the numbers of warned and ended
 * sessions.
 */
export async function guardSpend(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'report'>,
): Promise<{ warned: number; ended: number }> {
  const counts = { warned: 0, ended: 0 };
  const warned: { view: SessionView; language: string }[] = [];
  for (const { tenant_id: tenantId, session_id: sessionId, language } of await listSessionsNearLimit(deps.store)) {
    try {
      const { result, view } = await guardSession(deps, tenantId, sessionId);
      if (result === 'warned' && view !== null) warned.push({ view, language });
      if (result !== 'nothing') counts[result] += 1;
    } catch (error) {
      deps.report.warn('checking the spend of a session failed; the next round retries', {
        tenantId,
        sessionId,
        error: String(error),
      });
    }
  }
  // Speaking waits for rate limit slots, so it follows the last ended session. All warnings are
  // sent at once, to wait only once; a call without a slot gets no spoken warning.
  await Promise.all(warned.map(({ view, language }) => sayWarning(deps, view, language)));
  return counts;
}

async function guardSession(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  sessionId: string,
): Promise<{ result: 'nothing' | 'warned' | 'ended'; view: SessionView | null }> {
  const changed = await changeSession(deps, tenantId, sessionId, async (view, tx, emit) => {
    if (!canJoin(view.session.state)) return 'nothing';
    const uses = await measureSpend(tx, tenantId, view.room.id);
    let warned = false;
    for (const use of uses.filter((each) => spendState(each) !== 'under')) {
      // The period includes the limit's amount, so that a raised limit gets a new warning.
      const isRoomLimit = use.scope === 'room-spend';
      const first = await recordWarning(tx, tenantId, {
        what: isRoomLimit ? `room-spend ${view.room.id}` : use.scope,
        period: `${isRoomLimit ? 'ever' : view.now.toISOString().slice(0, 7)} ${use.allowed}`,
        sessionId,
      });
      if (first) emit({ type: 'spend.warning', data: toWarningData(use) });
      warned ||= first;
    }
    if (uses.some((use) => spendState(use) === 'spent')) return decideEnd(view, 'spend-limit') ? 'ended' : 'nothing';
    return warned ? 'warned' : 'nothing';
  });
  return changed === null ? { result: 'nothing', view: null } : { result: changed.result, view: changed.view };
}

/** Seconds are integers, amounts are strings. */
const toWarningData = ({ scope, used, allowed, currency }: SpendUsage): Record<string, unknown> =>
  scope === 'tenant-minutes'
    ? { scope, usedSeconds: Number(used), allowedSeconds: Number(allowed) }
    : { scope, usedMicro: String(used), allowedMicro: String(allowed), currency };

/** Runs after the commit; a crash loses the spoken warning, but not the event. */
async function sayWarning(
  { providers, report }: Pick<Deps, 'providers' | 'report'>,
  { session, legs }: SessionView,
  language: string,
): Promise<void> {
  const voice = await providers(session.account_id, { tenantId: session.tenant_id }).then(
    (account) => account.voice,
    (error: unknown) =>
      report.warn('speaking a spend warning failed', { tenantId: session.tenant_id, error: String(error) }),
  );
  if (voice?.capabilities.say !== true) return;
  const phones = legs
    .filter((leg) => isPresent(leg) && leg.kind !== 'bridge' && leg.voice_call_id !== null)
    .slice(0, MAX_SPOKEN_WARNINGS);
  const results = await Promise.allSettled(
    phones.map((leg) => voice.say(leg.voice_call_id!, getPrompt(language, 'budget-low'), language)),
  );
  for (const each of results)
    if (each.status === 'rejected')
      report.warn('speaking a spend warning failed', { tenantId: session.tenant_id, error: String(each.reason) });
}
