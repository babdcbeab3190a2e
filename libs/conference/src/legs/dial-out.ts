import { maskNumber } from '@partyline/domain/phone';
import { canJoin } from '@partyline/domain/session';
import { verdict, VerdictError } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { readDialPolicy } from '@partyline/store/limits/dial-policy';
import { insertParticipant } from '@partyline/store/participants/participants';
import { insertLeg, type Role } from '@partyline/store/legs/legs';
import { sessionOfLeg } from '@partyline/store/sessions/sessions';
import { sessionDeadline } from '../sessions/session-deadline.ts';
import { changeSession } from '../sessions/change-session.ts';
import { checkDestination } from '../limits/check-destination.ts';
import { findOrOpenSession } from '../sessions/current-session.ts';
import type { Deps } from '../deps.ts';
import { enforceLimit } from '../limits/enforce-limit.ts';
import { enforceFraudLimits } from '../limits/enforce-fraud-limits.ts';
import { enforceSpend } from '../limits/enforce-spend.ts';
import { rateLimitRetryMs } from '../providers/rate-limit-providers.ts';
import { roomEnded, roomFull } from '../errors.ts';
import { isRoomFull, canDial } from '../sessions/settle-session.ts';
import { endLeg, attachProviderId, moveLeg } from '../sessions/leg-transitions.ts';

/** The vendor's own clocks for a call that we place: it stops ringing, and it ends, even if nobody of us is left to ask (design §3.5). */
const RINGING_TIMER_SECONDS = 45;
const MAX_LENGTH_TIMER_SECONDS = 7_200;
/** A call that could not be placed for this long is given up. */
const GIVE_UP_AFTER_SECONDS = 30;

/**
 * Asks for somebody to be rung into a room: the leg's row and the roster's, committed; the ringing itself is a job. Throws 422 when the
 * number is no number, 403 when it may not be rung (check-destination.ts), 404 and 409 for the room, 402 when there is not enough money for it, 429 when the tenant
 * has or rings as many people as it may, or rings like a thief.
 */
export async function requestDialOut(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'report'>,
  tenantId: string,
  roomId: string,
  { phone, name, role = 'participant' }: { phone: string; name?: string; role?: Role },
): Promise<{ participantId: string; legId: string; sessionId: string }> {
  const policy = await readDialPolicy(deps.store, tenantId);
  checkDestination(phone, policy.countries);
  const sessionId = await findOrOpenSession(deps, tenantId, roomId);
  const participantId = deps.ids.next('part');
  const made = await changeSession(deps, tenantId, sessionId, async (view, tx, tell) => {
    if (!canJoin(view.session.state)) throw roomEnded();
    if (isRoomFull(view)) throw roomFull();
    await insertParticipant(tx, tenantId, roomId, {
      id: participantId,
      name: name ?? maskNumber(phone),
      kind: 'dialled',
      role,
    });
    const leg = await insertLeg(tx, tenantId, view.session, {
      id: deps.ids.next('leg'),
      kind: 'outbound',
      role,
      state: 'requested',
      number: view.room.number,
      remote: phone,
      participant_id: participantId,
      deadline_at: sessionDeadline(view),
    });
    view.legs.push(leg);
    await enforceLimit(tx, tenantId, 'live-legs');
    await enforceLimit(tx, tenantId, 'dial-outs');
    await enforceSpend(tx, tenantId, { roomId, direction: 'outbound', number: phone });
    await enforceFraudLimits(tx, tenantId, { remote: phone, sessionId, own: policy.fraudLimits, now: view.now }, tell);
    return leg.id;
  });
  if (made === null) throw roomEnded();
  return { participantId, legId: made.result, sessionId };
}

/**
 * Rings the phone that a leg's row names, once. The hang-up job is armed first. When there is no place in the provider's line, it says when to come
 * again; when the vendor is busy and made nothing, the job is to be tried again (throws); when the request's fate is unknown it is not: the call's events name the leg.
 */
export async function dialOut(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'webhooks' | 'report'>,
  tenantId: string,
  legId: string,
): Promise<'dialled' | 'not-wanted' | 'refused' | 'unknown' | { retryAfterMs: number }> {
  const sessionId = await sessionOfLeg(deps.store, tenantId, legId);
  if (sessionId === null) return 'not-wanted';
  const change = (apply: Parameters<typeof changeSession<void>>[3]) =>
    changeSession(deps, tenantId, sessionId, apply, { legId });

  const claimed = await changeSession(deps, tenantId, sessionId, (view) => {
    const leg = view.legs.find((each) => each.id === legId);
    if (leg === undefined || leg.state !== 'requested' || !canDial(view)) return null;
    if (view.now.getTime() - leg.created_at.getTime() > GIVE_UP_AFTER_SECONDS * 1000) {
      endLeg(leg, verdict('upstream', 'could-not-be-placed'), view.now);
      return null;
    }
    if (leg.lease_until !== null && leg.lease_until > view.now)
      return { retryAfterMs: leg.lease_until.getTime() - view.now.getTime() };
    moveLeg(leg, 'dialSent', view.now);
    const leftS = Math.ceil((view.session.due_at.getTime() - view.now.getTime()) / 1000);
    const hardLeftS = Math.ceil((leg.deadline_at.getTime() - view.now.getTime()) / 1000);
    return {
      accountId: leg.account_id,
      to: leg.remote!,
      from: leg.number!,
      armMs: leftS * 1000,
      lengthTimerS: Math.max(1, Math.min(MAX_LENGTH_TIMER_SECONDS, hardLeftS)),
    };
  });
  if (!claimed?.result) return 'not-wanted';
  if (claimed.result.retryAfterMs !== undefined) return { retryAfterMs: claimed.result.retryAfterMs };
  const { accountId, armMs, ...call } = claimed.result;

  let armed = false;
  try {
    const { voice } = await deps.providers(accountId, { tenantId });
    const webhooks = deps.webhooks(accountId);
    await deps.jobs.armHangUp({ tenantId, sessionId }, armMs);
    armed = true;
    const { callId } = await voice.createCall({
      ...call,
      answerUrl: webhooks.answer(legId),
      eventUrl: webhooks.events(legId),
      ringingTimerS: RINGING_TIMER_SECONDS,
    });
    await change((view) => {
      const leg = view.legs.find((each) => each.id === legId);
      if (leg !== undefined) attachProviderId(leg, 'voice_call_id', callId);
    });
    return 'dialled';
  } catch (error) {
    // What failed after the vendor was asked and is none of its answers (the row could not be written) leaves a call that may ring.
    const failure = error instanceof ProviderError ? error.failure : armed ? 'unknown' : 'busy';
    const retryAfterMs = rateLimitRetryMs(error);
    if (retryAfterMs === null)
      deps.report.warn('a phone could not be rung', {
        tenantId,
        sessionId,
        legId,
        reason: error instanceof VerdictError ? error.verdict.reason : String(error),
      });
    if (failure === 'unknown') return 'unknown';
    await change((view) => {
      const leg = view.legs.find((each) => each.id === legId);
      if (leg === undefined) return;
      if (failure === 'busy' && moveLeg(leg, 'notDialled', view.now)) {
        leg.dialled_at = null;
        if (retryAfterMs !== null) leg.lease_until = new Date(view.now.getTime() + retryAfterMs);
      } else
        endLeg(
          leg,
          verdict(
            failure === 'refused' ? 'client' : 'upstream',
            error instanceof ProviderError ? error.verdict.reason : 'not-placed',
          ),
          view.now,
        );
    });
    if (retryAfterMs !== null) return { retryAfterMs };
    if (failure === 'busy') throw error;
    return 'refused';
  }
}
