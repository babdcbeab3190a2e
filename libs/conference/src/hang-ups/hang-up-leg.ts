import { isUp } from '@partyline/domain/leg';
import { VerdictError } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { finishHangUpAttempt, recordHangUpAttempt, type AttemptOutcome } from '@partyline/store/hang-ups/hang-ups';
import { lockLeg, saveLegs, type LegRow } from '@partyline/store/legs/legs';
import { findMediaSessionOfLeg } from '@partyline/store/sessions/sessions';
import { EVERY_TENANT, inTransaction } from '@partyline/store/database/store';
import { applyLegEvent } from '../legs/apply-leg-event.ts';
import { applyMediaEvent } from '../legs/apply-media-event.ts';
import { compareConnection } from '../legs/compare-connection.ts';
import type { Deps, Providers } from '../deps.ts';
import { expireUnobservedDial } from './expire-unobserved-dial.ts';
import { closeMissingMediaSession } from './close-missing-media-session.ts';
import { rateLimitRetryMs } from '../providers/rate-limit-providers.ts';
import { requestHangUp } from '../sessions/leg-transitions.ts';

type HangUpDeps = Pick<Deps, 'store' | 'jobs' | 'providers' | 'ids' | 'report'>;

/** How long an attempt may hold a leg to look, and again to ask: longer than a place in the provider's line and its timeout. One attempt at a time, and a dead one's leg is free again after this. */
const ATTEMPT_LEASE_MS = 10_000;
const MIN_BACK_OFF_MS = 1_000;
const MAX_BACK_OFF_MS = 15_000;

/** From one attempt to the next: 1 s, 2 s, 4 s … 15 s, without end. */
const backOffMs = (hangup_attempts: number): number =>
  Math.min(MAX_BACK_OFF_MS, MIN_BACK_OFF_MS * 2 ** Math.min(Math.max(0, hangup_attempts - 1), 4));

/** What became of one attempt, as the ledger has it. */
interface AttemptResult {
  readonly outcome: AttemptOutcome;
  readonly reason: string | null;
  /** There was no place in the provider's line, so nothing was asked: it counts as no attempt, and the leg is left alone until its turn. */
  readonly retryAfterMs?: number;
}

/**
 * Asks the provider to end one leg that is owed its hang-up, and looks whether it has. Accepted is not done: the answer is `done` only
 * when the provider was seen to have ended it; else when to come again. Anybody may call it at any time: an attempt that is too early,
 * or while another is under way, does nothing.
 * @param tenantId null for a caller who was never admitted
 */
export async function hangUpLeg(
  deps: HangUpDeps,
  tenantId: string | null,
  legId: string,
): Promise<'done' | { retryAfterMs: number }> {
  const claim = await claimAttempt(deps, tenantId, legId);
  if (claim === 'done' || 'retryAfterMs' in claim) return claim;
  const { leg } = claim;
  let result: AttemptResult | null = null;
  try {
    const at = await findProviders(deps, leg);
    if ('outcome' in at) {
      result = at;
      return { retryAfterMs: backOffMs(leg.hangup_attempts) };
    }
    const mediaSessionId = await mediaSessionOf(deps, leg);
    // The second time round, look first: it may be the observation that was lost, not the hang-up.
    const found = leg.hangup_attempts > 1 ? await lookUpLeg(deps, at, leg, mediaSessionId) : 'up';
    if (found === 'ended') {
      result = { outcome: 'already-closed', reason: null };
      return 'done';
    }
    if (found === 'up') result = await sendRequests(deps, at, leg, mediaSessionId);
    else if (found !== 'lease-lost') result = found;
  } finally {
    await finishAttempt(deps, leg, result);
  }
  return { retryAfterMs: result?.retryAfterMs ?? backOffMs(leg.hangup_attempts) };
}

/** Takes a leg for one attempt, by its lease; says when to come again if it is not time, or `done` when there is nothing to hang up. */
async function claimAttempt(
  deps: HangUpDeps,
  tenantId: string | null,
  legId: string,
): Promise<'done' | { retryAfterMs: number } | { leg: LegRow }> {
  return inTransaction(deps.store, tenantId ?? EVERY_TENANT, async (tx) => {
    const locked = await lockLeg(tx, tenantId, legId);
    if (locked === null || !isUp(locked.leg)) return 'done';
    const { leg, now } = locked;
    // A caller who was never admitted and kept the line past the deadline.
    if (leg.session_id === null && leg.deadline_at <= now) requestHangUp(leg, 'keying-deadline', now);
    if (leg.state !== 'ending') return 'done';
    const freeAt = Math.max(
      leg.lease_until?.getTime() ?? 0,
      leg.hangup_attempted_at === null || leg.hangup_attempts === 0
        ? 0
        : leg.hangup_attempted_at.getTime() + backOffMs(leg.hangup_attempts),
    );
    if (freeAt > now.getTime()) return { retryAfterMs: freeAt - now.getTime() };
    leg.hangup_attempted_at = now;
    leg.hangup_attempts += 1;
    leg.lease_until = new Date(now.getTime() + ATTEMPT_LEASE_MS);
    await saveLegs(tx, tenantId, [leg]);
    await recordHangUpAttempt(tx, leg.tenant_id, { legId, no: leg.hangup_attempts, at: now });
    return { leg: { ...leg } };
  });
}

/** Writes down what became of the attempt, and gives the leg back unless its lease ran out and another attempt has it: each counts one more. */
async function finishAttempt(
  deps: HangUpDeps,
  { id, tenant_id, hangup_attempts, hangup_attempted_at }: LegRow,
  result: AttemptResult | null,
): Promise<void> {
  await inTransaction(deps.store, tenant_id ?? EVERY_TENANT, async (tx) => {
    if (result !== null)
      await finishHangUpAttempt(tx, tenant_id, { legId: id, no: hangup_attempts, at: hangup_attempted_at!, ...result });
    const locked = await lockLeg(tx, tenant_id, id);
    if (locked === null || locked.leg.hangup_attempts !== hangup_attempts) return;
    locked.leg.lease_until =
      result?.retryAfterMs === undefined ? null : new Date(locked.now.getTime() + result.retryAfterMs);
    if (result?.retryAfterMs !== undefined) locked.leg.hangup_attempts -= 1;
    await saveLegs(tx, tenant_id, [locked.leg]);
  });
}

/** Where the leg is; or, for an account that cannot be read now, an attempt that came to nothing: the next one tries again. */
async function findProviders(
  { providers, report }: HangUpDeps,
  { id, tenant_id: tenantId, kind, account_id }: LegRow,
): Promise<Providers | AttemptResult> {
  try {
    return await providers(account_id, { tenantId, purpose: 'hang-up' });
  } catch (error) {
    const reason = error instanceof VerdictError ? error.verdict.reason : 'provider-account-unreadable';
    report.count('hang_up_failed', { kind, reason });
    report.warn('the provider account of a leg could not be read; its hang-up will be asked again', {
      tenantId,
      legId: id,
      accountId: account_id,
      reason,
    });
    return { outcome: 'rejected', reason };
  }
}

/** The video session in which a leg may still have a side; who comes by telephone has none there. */
async function mediaSessionOf(
  { store }: HangUpDeps,
  { id, tenant_id, kind, media_closed_at }: LegRow,
): Promise<string | null> {
  return tenant_id === null || media_closed_at !== null || kind === 'inbound' || kind === 'outbound'
    ? null
    : findMediaSessionOfLeg(store, tenant_id, id);
}

/** Asks for every side that is not yet seen closed. What is not taken is counted, and asked again by the next attempt. */
async function sendRequests(
  deps: HangUpDeps,
  { media, voice }: Providers,
  leg: LegRow,
  mediaSessionId: string | null,
): Promise<AttemptResult> {
  const requests: Promise<void>[] = [];
  if (mediaSessionId !== null && leg.media_connection_id !== null)
    requests.push(media.disconnect({ mediaSessionId, connectionId: leg.media_connection_id }));
  // Disconnecting the video side does not end a call that still rings: the voice side is asked by its own name (design §2).
  if (leg.voice_call_id !== null && leg.voice_closed_at === null) requests.push(voice.hangUp(leg.voice_call_id));
  if (requests.length === 0) return { outcome: 'no-provider-id', reason: null };
  deps.report.count('hang_up_asked', { kind: leg.kind });
  let taken = 0;
  let refusal: string | null = null;
  let lost = false;
  let retryAfterMs: number | null = null;
  for (const settled of await Promise.allSettled(requests)) {
    if (settled.status === 'fulfilled') {
      taken += 1;
      continue;
    }
    const reason = settled.reason instanceof ProviderError ? settled.reason.verdict.reason : 'internal-error';
    deps.report.count('hang_up_failed', { kind: leg.kind, reason });
    // Not found is what the second of two handles answers when the first took it along; the look-up will tell.
    if (settled.reason instanceof ProviderError && settled.reason.failure === 'not-found') {
      refusal ??= reason;
      continue;
    }
    refusal = reason;
    lost = true;
    retryAfterMs = rateLimitRetryMs(settled.reason);
    if (retryAfterMs === null)
      deps.report.warn('a hang-up was not taken; it will be asked again', {
        tenantId: leg.tenant_id,
        legId: leg.id,
        reason,
      });
  }
  if (refusal === null || (taken > 0 && !lost)) return { outcome: 'accepted', reason: null };
  return {
    outcome: 'rejected',
    reason: refusal,
    ...(retryAfterMs === null || requests.length > 1 ? {} : { retryAfterMs }),
  };
}

/**
 * Asks the provider for the state of a leg's sides and applies what it says. `ended` when that ended the leg; `up` when it is still to be
 * hung up, with the attempt's lease renewed for that; `taken` when looking took so long that the leg is another attempt's by now; when there was no
 * place to look, that.
 */
async function lookUpLeg(
  deps: HangUpDeps,
  { media, voice }: Providers,
  leg: LegRow,
  mediaSessionId: string | null,
): Promise<'ended' | 'up' | 'lease-lost' | AttemptResult> {
  let listed = false;
  try {
    if (leg.voice_call_id !== null && leg.voice_closed_at === null) {
      const call = await voice.getCall(leg.voice_call_id);
      if (call?.over) await applyLegEvent(deps, { via: 'look-up', accountId: leg.account_id }, call.event, leg.id);
    }
    if (mediaSessionId !== null && media.capabilities.listConnections)
      listed = await lookUpConnection(deps, media, leg, mediaSessionId);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    const retryAfterMs = rateLimitRetryMs(error);
    if (retryAfterMs !== null) return { outcome: 'rejected', reason: error.verdict.reason, retryAfterMs };
    deps.report.warn('a leg could not be looked up; it will be again', {
      tenantId: leg.tenant_id,
      legId: leg.id,
      reason: error.verdict.reason,
    });
  }
  // A phone's call is on no list but that of all calls: the inventory's.
  if (listed && leg.kind === 'bridge' && leg.voice_call_id === null && leg.hangup_attempted_at !== null)
    await expireUnobservedDial(deps, leg, leg.hangup_attempted_at);
  return inTransaction(deps.store, leg.tenant_id ?? EVERY_TENANT, async (tx) => {
    const locked = await lockLeg(tx, leg.tenant_id, leg.id);
    if (locked === null || !isUp(locked.leg)) return 'ended';
    if (locked.leg.hangup_attempts !== leg.hangup_attempts) return 'lease-lost';
    locked.leg.lease_until = new Date(locked.now.getTime() + ATTEMPT_LEASE_MS);
    await saveLegs(tx, leg.tenant_id, [locked.leg]);
    return 'up';
  });
}

/** Answers whether the provider gave a list. */
async function lookUpConnection(
  deps: HangUpDeps,
  media: Providers['media'],
  leg: LegRow,
  mediaSessionId: string,
): Promise<boolean> {
  const live = await media.listConnections(mediaSessionId).catch((error: unknown) => {
    if (error instanceof ProviderError && error.failure === 'not-found' && leg.media_connection_id !== null)
      return error;
    throw error;
  });
  if (live instanceof ProviderError) {
    await closeMissingMediaSession(deps, leg, live);
    return false;
  }
  const { account_id: accountId, tenant_id: tenantId, session_id: sessionId, hangup_attempted_at: askedAt } = leg;
  if (leg.media_connection_id !== null) {
    const listed = live.some((each) => each.connectionId === leg.media_connection_id);
    // Asked for after this attempt had begun.
    if (tenantId !== null && sessionId !== null && askedAt !== null)
      await compareConnection(deps, leg, { accountId, tenantId, sessionId, mediaSessionId, isListed: listed, askedAt });
    return true;
  }
  // The dial's answer was lost: is there a connection that carries this leg's id?
  const found = live.find((each) => each.data?.includes(leg.id));
  if (found !== undefined)
    await applyMediaEvent(
      deps,
      { via: 'look-up', accountId },
      { kind: 'connected', mediaSessionId, connectionId: found.connectionId, data: found.data ?? '', at: null },
    );
  return true;
}
