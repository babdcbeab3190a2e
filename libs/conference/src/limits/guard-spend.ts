import { isPresent } from '@partyline/domain/leg';
import { spendState, type SpendUsage } from '@partyline/domain/money';
import { canJoin } from '@partyline/domain/session';
import type { SessionView } from '@partyline/store/sessions/session-lock';
import { listSessionsNearLimit, measureSpend, recordWarning } from '@partyline/store/limits/spend';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { getPrompt } from '../prompts.ts';
import { decideEnd } from '../sessions/settle-session.ts';

/** Phones of a session that are told of a warning by voice; each is a request to the provider, of which few are left beside hang-ups. */
const TOLD_AT_MOST = 10;

/**
 * Looks at the money while calls run, which are charged only when they are over: warns at four fifths of a limit, once, by an event and, where the provider
 * can, by voice; ends the session when a limit is used up. Run every few seconds by as many replicas as like: each decision is one transaction under the session's lock, made anew
 * from the rows. Answers how many sessions were warned and ended.
 */
export async function guardSpend(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'report'>,
): Promise<{ warned: number; ended: number }> {
  const done = { warned: 0, ended: 0 };
  const warned: { view: SessionView; language: string }[] = [];
  for (const { tenant_id: tenantId, session_id: sessionId, language } of await listSessionsNearLimit(deps.store)) {
    try {
      const { what, view } = await guardSession(deps, tenantId, sessionId);
      if (what === 'warned' && view !== null) warned.push({ view, language });
      if (what !== 'nothing') done[what] += 1;
    } catch (error) {
      deps.report.warn('a session near its limit could not be looked at; the next round does', {
        tenantId,
        sessionId,
        error: String(error),
      });
    }
  }
  // When all that is spent has been ended: to speak is to wait in the provider's line. All at once, so that it is not waited for again and again: whoever finds no place there is not told.
  await Promise.all(warned.map(({ view, language }) => sayWarning(deps, view, language)));
  return done;
}

async function guardSession(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  sessionId: string,
): Promise<{ what: 'nothing' | 'warned' | 'ended'; view: SessionView | null }> {
  const changed = await changeSession(deps, tenantId, sessionId, async (view, tx, tell) => {
    if (!canJoin(view.session.state)) return 'nothing';
    const uses = await measureSpend(tx, tenantId, view.room.id);
    let warned = false;
    for (const use of uses.filter((each) => spendState(each) !== 'under')) {
      // Under the limit's own amount, so that one that is raised is warned of anew.
      const room = use.scope === 'room-spend';
      const first = await recordWarning(tx, tenantId, {
        what: room ? `room-spend ${view.room.id}` : use.scope,
        period: `${room ? 'ever' : view.now.toISOString().slice(0, 7)} ${use.allowed}`,
        sessionId,
      });
      if (first) tell({ type: 'spend.warning', data: show(use) });
      warned ||= first;
    }
    if (uses.some((use) => spendState(use) === 'spent')) return decideEnd(view, 'spend-limit') ? 'ended' : 'nothing';
    return warned ? 'warned' : 'nothing';
  });
  return changed === null ? { what: 'nothing', view: null } : { what: changed.result, view: changed.view };
}

/** Seconds are a whole number, amounts text. */
const show = ({ scope, used, allowed, currency }: SpendUsage): Record<string, unknown> =>
  scope === 'tenant-minutes'
    ? { scope, usedSeconds: Number(used), allowedSeconds: Number(allowed) }
    : { scope, usedMicro: String(used), allowedMicro: String(allowed), currency };

/** After the commit, and lost with a process that dies: the event is what stands. */
async function sayWarning(
  { providers, report }: Pick<Deps, 'providers' | 'report'>,
  { session, legs }: SessionView,
  language: string,
): Promise<void> {
  const voice = await providers(session.account_id, { tenantId: session.tenant_id }).then(
    (account) => account.voice,
    (error: unknown) =>
      report.warn('a warning could not be spoken', { tenantId: session.tenant_id, error: String(error) }),
  );
  if (voice?.capabilities.say !== true) return;
  const phones = legs
    .filter((leg) => isPresent(leg) && leg.kind !== 'bridge' && leg.voice_call_id !== null)
    .slice(0, TOLD_AT_MOST);
  const said = await Promise.allSettled(
    phones.map((leg) => voice.say(leg.voice_call_id!, getPrompt(language, 'budget-low'), language)),
  );
  for (const each of said)
    if (each.status === 'rejected')
      report.warn('a warning could not be spoken', { tenantId: session.tenant_id, error: String(each.reason) });
}
