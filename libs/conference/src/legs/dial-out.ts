import type { Jobs } from '@partyline/jobs/enqueue';
import { maskNumber } from '@partyline/domain/phone';
import { canJoin } from '@partyline/domain/session';
import { verdict, VerdictError } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { isDialInNumber, readDialPolicy } from '@partyline/store/limits/dial-policy';
import { insertParticipant } from '@partyline/store/participants/participants';
import { insertLeg, type Role } from '@partyline/store/legs/legs';
import { findSessionOfLeg } from '@partyline/store/sessions/sessions';
import { sessionDeadline } from '../sessions/session-deadline.ts';
import { changeSession } from '../sessions/change-session.ts';
import { checkDestination, dialInDestination } from '../limits/check-destination.ts';
import { findOrOpenSession } from '../sessions/current-session.ts';
import type { Deps } from '../deps.ts';
import { enforceLimit } from '../limits/enforce-limit.ts';
import { enforceDialQueue } from '../providers/enforce-dial-queue.ts';
import { enforceFraudLimits } from '../limits/enforce-fraud-limits.ts';
import { enforceSpend } from '../limits/enforce-spend.ts';
import { rateLimitRetryMs } from '../providers/rate-limit-providers.ts';
import { roomEnded, roomFull } from '../errors.ts';
import { isRoomFull, canDial } from '../sessions/settle-session.ts';
import { endLeg, attachProviderId, moveLeg } from '../sessions/leg-transitions.ts';

/** Dead-man's timers at the provider: they end the ringing and the call without us. */
const RINGING_TIMER_SECONDS = 45;
const MAX_LENGTH_TIMER_SECONDS = 7_200;
/** A requested call that could not be placed within this time ends. */
const GIVE_UP_AFTER_SECONDS = 60;

/**
 * Requests a call from a room to a telephone. Commits the leg and the participant; a job places the
 * call. Returns when that is expected. Throws 503 while the job queue does not answer, 422 for an
 * invalid number, 403 for a destination that is not allowed, 404 and 409 for the room, 402 when the
 * budget is used up, and 429 when a limit or a fraud limit is exceeded, or the call would wait too
 * long.
 * @param phone E.164
 */
export async function requestDialOut(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'report'> & {
    /** E.164 prefixes that nobody may dial. Default: `TRAFFIC_PUMPING_PREFIXES`. */
    readonly blockedDestinations?: readonly string[];
  },
  tenantId: string,
  roomId: string,
  { phone, name, role = 'participant' }: { phone: string; name?: string; role?: Role },
): Promise<{ participantId: string; legId: string; sessionId: string; expectedAt: string }> {
  await assertQueueReachable(deps.jobs);
  const policy = await readDialPolicy(deps.store, tenantId);
  checkDestination(phone, policy.countries, deps.blockedDestinations);
  if (await isDialInNumber(deps.store, phone)) throw dialInDestination();
  const sessionId = await findOrOpenSession(deps, tenantId, roomId);
  const participantId = deps.ids.next('part');
  const made = await changeSession(deps, tenantId, sessionId, async (view, tx, record) => {
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
    await enforceFraudLimits(
      tx,
      tenantId,
      { remote: phone, sessionId, own: policy.fraudLimits, now: view.now },
      record,
    );
    const waitMs = await enforceDialQueue(tx, tenantId, leg.account_id);
    // As text, which the journal of a request stores unchanged.
    return { legId: leg.id, expectedAt: new Date(view.now.getTime() + waitMs).toISOString() };
  });
  if (made === null) throw roomEnded();
  return { participantId, sessionId, ...made.result };
}

/** Without the queue no hang-up can be armed, so that the call would not be placed in time. */
async function assertQueueReachable(jobs: Pick<Jobs, 'assertReachable'>): Promise<void> {
  await jobs.assertReachable().catch((cause: unknown) => {
    throw new VerdictError('server', 'temporarily-unavailable', 'Calls cannot be placed at the moment.', {
      fix: 'Nothing has changed. Try again in a few seconds.',
      retryAfterMs: 5_000,
      cause,
    });
  });
}

/**
 * Places the call of an outbound leg, at most once. The hang-up job is armed first.
 * Returns `retryAfterMs` when the provider account has no free slot. Throws when the provider was
 * busy and placed no call, so that the job is retried. A request with an unknown outcome is not
 * repeated: the events of the call identify the leg.
 */
export async function dialOut(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'webhooks' | 'report'>,
  tenantId: string,
  legId: string,
): Promise<'dialled' | 'not-wanted' | 'refused' | 'unknown' | { retryAfterMs: number }> {
  const sessionId = await findSessionOfLeg(deps.store, tenantId, legId);
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
    // Any other error after the request (for example of the database) leaves a call that may ring.
    const failure = error instanceof ProviderError ? error.failure : armed ? 'unknown' : 'busy';
    const retryAfterMs = rateLimitRetryMs(error);
    if (retryAfterMs === null)
      deps.report.warn('an outbound call could not be placed', {
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
