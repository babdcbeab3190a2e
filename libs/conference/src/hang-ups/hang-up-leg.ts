import { backoff } from '@partyline/domain/backoff';
import { isUp } from '@partyline/domain/leg';
import { VerdictError } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { finishHangUpAttempt, recordHangUpAttempt, type AttemptOutcome } from '@partyline/store/hang-ups/hang-ups';
import { lockLeg, saveLegs, type LegRow } from '@partyline/store/legs/legs';
import { listConnections } from '@partyline/store/reconciliation/inventory';
import { findNumber } from '@partyline/store/numbers/numbers';
import { findMediaSessionOfLeg, isSessionRunning } from '@partyline/store/sessions/sessions';
import { EVERY_TENANT, inTransaction, type Tx } from '@partyline/store/database/store';
import { applyLegEvent } from '../legs/apply-leg-event.ts';
import { applyMediaEvent } from '../legs/apply-media-event.ts';
import { findBridgeConnection } from '../legs/bridge-connection.ts';
import { compareConnection } from '../legs/compare-connection.ts';
import { writeConnectionData } from '../legs/connection-data.ts';
import { accountOwner, type Deps, type Providers } from '../deps.ts';
import { expireUnobservedDial } from './expire-unobserved-dial.ts';
import { closeMissingMediaSession } from './close-missing-media-session.ts';
import { rateLimitRetryMs } from '../providers/rate-limit-providers.ts';
import { getPrompt } from '@partyline/domain/prompts';
import { REPLACED_REASON, requestHangUp } from '../sessions/leg-transitions.ts';

type HangUpDeps = Pick<Deps, 'store' | 'jobs' | 'providers' | 'ids' | 'report'>;

/**
 * Lease of an attempt for the look-up, and again for the requests; longer than the wait for a slot
 * plus the provider's timeout. A leg has one attempt at a time. If its process dies, the next
 * attempt can start when the lease expires.
 */
const ATTEMPT_LEASE_MS = 10_000;
const BACK_OFF = { firstMs: 1_000, maxMs: 15_000 };
/** How long the spoken reason takes that the first attempt sends to a replaced call. */
const SPOKEN_REASON_MS = 7_000;

/** The result of one attempt, as the ledger stores it. */
interface AttemptResult {
  readonly outcome: AttemptOutcome;
  readonly reason: string | null;
  /**
   * Set when the provider account had no free slot: no request was sent, the attempt does not
   * count, and the leg is not attempted again before this time has passed.
   */
  readonly retryAfterMs?: number;
}

/** A leg that is leased to one attempt, as it was when the attempt was claimed. */
interface ClaimedLeg {
  readonly leg: LegRow;
  /** The video session in which the leg may still have a connection. */
  readonly mediaSessionId: string | null;
  readonly hearsReason: boolean;
}

/**
 * Makes one attempt to hang up a leg whose hang-up is requested. An accepted request is not a
 * closed leg: the next attempt looks the leg up first. Any process may call this at any time: a
 * call before the back-off has passed, or during another attempt, changes nothing.
 *
 * An attempt costs at most three transactions: claim, renew after a look-up, finish. The changes
 * that a look-up applies come on top. The attempt is committed before the provider is asked.
 * @param tenantId null for a caller at the platform's account who was never admitted
 * @returns `done` when the leg is closed or has no hang-up to make, else when to retry
 */
export async function hangUpLeg(
  deps: HangUpDeps,
  tenantId: string | null,
  legId: string,
): Promise<'done' | { retryAfterMs: number }> {
  const claimed = await claimAttempt(deps, tenantId, legId);
  if (claimed === 'done' || 'retryAfterMs' in claimed) return claimed;
  const { leg } = claimed;
  let result: AttemptResult | null = null;
  try {
    result = await makeAttempt(deps, claimed);
    if (result?.outcome === 'already-closed') return 'done';
  } finally {
    await finishAttempt(deps, leg, result);
  }
  return { retryAfterMs: result?.retryAfterMs ?? retryDelayMs(leg, claimed.hearsReason) };
}

/**
 * Whether the person on the telephone is told why the call ends, before it is hung up. Not when the
 * session ends: its legs are confirmed sooner than the reason takes (docs/guarantee.md).
 */
const hearsReason = async (
  tx: Tx,
  { tenant_id, session_id, kind, hangup_reason, voice_call_id }: LegRow,
): Promise<boolean> =>
  kind === 'inbound' &&
  hangup_reason === REPLACED_REASON &&
  voice_call_id !== null &&
  tenant_id !== null &&
  session_id !== null &&
  (await isSessionRunning(tx, tenant_id, session_id));

type Attempts = Pick<LegRow, 'hangup_attempts' | 'hangup_attempted_at' | 'lease_until'>;

const retryDelayMs = ({ hangup_attempts }: Attempts, isTold: boolean): number =>
  isTold && hangup_attempts === 1 ? SPOKEN_REASON_MS : backoff(hangup_attempts, BACK_OFF);

/**
 * Returns when the next attempt of a leg is due, in milliseconds since 1970: after its lease and
 * its back-off.
 * @param isTold whether the caller hears the reason, which takes longer
 */
export const computeNextAttemptAt = (leg: Attempts, isTold = false): number =>
  Math.max(
    leg.lease_until?.getTime() ?? 0,
    leg.hangup_attempted_at === null || leg.hangup_attempts === 0
      ? 0
      : leg.hangup_attempted_at.getTime() + retryDelayMs(leg, isTold),
  );

/** Asks the provider to close the leg; `null` when another attempt has taken over the lease. */
async function makeAttempt(deps: HangUpDeps, claimed: ClaimedLeg): Promise<AttemptResult | null> {
  const { leg } = claimed;
  const providers = await findProviders(deps, leg);
  if ('outcome' in providers) return providers;
  // A retry looks the leg up first: the lost message may be the observation, not the hang-up.
  if (leg.hangup_attempts > 1) {
    const lookUp = await lookUpLeg(deps, providers, claimed);
    if (typeof lookUp === 'object') return lookUp;
    if (lookUp === 'requested') {
      const state = await renewLease(deps, leg);
      if (state === 'ended') return { outcome: 'already-closed', reason: null };
      if (state === 'lease-lost') return null;
    }
  }
  return sendRequests(deps, providers, claimed);
}

/** Leases a leg to a new attempt and inserts the attempt; otherwise returns as `hangUpLeg` does. */
async function claimAttempt(
  deps: HangUpDeps,
  tenantId: string | null,
  legId: string,
): Promise<'done' | { retryAfterMs: number } | ClaimedLeg> {
  return inTransaction(deps.store, tenantId ?? EVERY_TENANT, async (tx) => {
    const locked = await lockLeg(tx, tenantId, legId);
    if (locked === null || !isUp(locked.leg)) return 'done';
    const { leg, now } = locked;
    // A caller who keyed no valid PIN before the deadline.
    if (leg.session_id === null && leg.deadline_at <= now) requestHangUp(leg, 'keying-deadline', now);
    if (leg.state !== 'ending') return 'done';
    const isTold = await hearsReason(tx, leg);
    const dueAt = computeNextAttemptAt(leg, isTold);
    if (dueAt > now.getTime()) return { retryAfterMs: dueAt - now.getTime() };
    leg.hangup_attempted_at = now;
    leg.hangup_attempts += 1;
    leg.lease_until = new Date(now.getTime() + ATTEMPT_LEASE_MS);
    await saveLegs(tx, tenantId, [leg]);
    await recordHangUpAttempt(tx, leg.tenant_id, { legId, no: leg.hangup_attempts, at: now });
    const mediaSessionId = hasMediaHandle(leg) ? await findMediaSessionOfLeg(tx, leg.tenant_id, legId) : null;
    return { leg, mediaSessionId, hearsReason: isTold };
  });
}

/** Whether a leg may have a connection that is not yet closed; telephone calls have none. */
const hasMediaHandle = <Leg extends LegRow>(leg: Leg): leg is Leg & { tenant_id: string } =>
  leg.tenant_id !== null && leg.media_closed_at === null && leg.kind !== 'inbound' && leg.kind !== 'outbound';

/**
 * Stores the outcome of an attempt and releases its lease. The lease belongs to the attempt with
 * the leg's current number: after an expired lease another attempt may hold it.
 */
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

/**
 * Returns the providers of the leg's account, or a rejected attempt when the account cannot be
 * read.
 */
async function findProviders(
  { providers, report }: HangUpDeps,
  { id, tenant_id: tenantId, kind, account_id }: LegRow,
): Promise<Providers | AttemptResult> {
  try {
    return await providers(account_id, { tenantId, purpose: 'hang-up' });
  } catch (error) {
    const reason = error instanceof VerdictError ? error.verdict.reason : 'provider-account-unreadable';
    report.count('hang_up_failed', { kind, reason, owner: accountOwner(account_id) });
    report.warn('the provider account of a leg could not be read; its hang-up is retried', {
      tenantId,
      legId: id,
      accountId: account_id,
      reason,
    });
    return { outcome: 'rejected', reason };
  }
}

/** Asks the provider to close each handle that is not yet closed. Rejected requests are counted. */
async function sendRequests(
  deps: HangUpDeps,
  { media, voice }: Providers,
  { leg, mediaSessionId, hearsReason: isTold }: ClaimedLeg,
): Promise<AttemptResult> {
  if (isTold && leg.hangup_attempts === 1 && (await sayReason(deps, voice, leg)))
    return { outcome: 'accepted', reason: null };
  const requests: Promise<void>[] = [];
  if (mediaSessionId !== null && leg.media_connection_id !== null)
    requests.push(media.disconnect({ mediaSessionId, connectionId: leg.media_connection_id }));
  // Disconnecting the media handle does not end a call that still rings.
  if (leg.voice_call_id !== null && leg.voice_closed_at === null) requests.push(voice.hangUp(leg.voice_call_id));
  if (requests.length === 0) return { outcome: 'no-provider-id', reason: null };
  const owner = accountOwner(leg.account_id);
  deps.report.count('hang_up_attempts', { kind: leg.kind, owner });
  let hasAccepted = false;
  let hasFailed = false;
  let rejection: string | null = null;
  let retryAfterMs: number | null = null;
  for (const settled of await Promise.allSettled(requests)) {
    if (settled.status === 'fulfilled') {
      hasAccepted = true;
      continue;
    }
    const reason = settled.reason instanceof ProviderError ? settled.reason.verdict.reason : 'internal-error';
    deps.report.count('hang_up_failed', { kind: leg.kind, reason, owner });
    // Closing the first handle may have closed the second; the next look-up shows it.
    if (settled.reason instanceof ProviderError && settled.reason.failure === 'not-found') {
      rejection ??= reason;
      continue;
    }
    rejection = reason;
    hasFailed = true;
    retryAfterMs = rateLimitRetryMs(settled.reason);
    if (retryAfterMs === null)
      deps.report.warn('a hang-up request failed; the hang-up is retried', {
        tenantId: leg.tenant_id,
        legId: leg.id,
        reason,
      });
  }
  if (rejection === null || (hasAccepted && !hasFailed)) return { outcome: 'accepted', reason: null };
  return {
    outcome: 'rejected',
    reason: rejection,
    ...(retryAfterMs === null || requests.length > 1 ? {} : { retryAfterMs }),
  };
}

/** Tells a replaced call why it ends. `false` when the provider cannot, or rejected it. */
async function sayReason(
  deps: HangUpDeps,
  voice: Providers['voice'],
  { tenant_id, id, number, voice_call_id }: LegRow,
): Promise<boolean> {
  if (!voice.capabilities.say || tenant_id === null || voice_call_id === null) return false;
  const found = number === null ? null : await findNumber(deps.store, tenant_id, { number });
  const language = found?.language ?? 'en-US';
  try {
    await voice.say(voice_call_id, getPrompt(language, 'replaced'), language);
    return true;
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    deps.report.warn('speaking the reason of a hang-up failed', {
      tenantId: tenant_id,
      legId: id,
      reason: error.verdict.reason,
    });
    return false;
  }
}

/**
 * Looks up the open handles of a leg at the provider and applies the observations.
 * @returns whether the provider was asked; the attempt's result when it had no free slot
 */
async function lookUpLeg(
  deps: HangUpDeps,
  { media, voice }: Providers,
  { leg, mediaSessionId }: ClaimedLeg,
): Promise<'requested' | 'nothing-to-request' | AttemptResult> {
  const callId = leg.voice_closed_at === null ? leg.voice_call_id : null;
  const listedSessionId = media.capabilities.listConnections ? mediaSessionId : null;
  if (callId === null && listedSessionId === null) return 'nothing-to-request';
  let hasList = false;
  try {
    if (callId !== null) {
      const call = await voice.getCall(callId);
      if (call?.over) await applyLegEvent(deps, { via: 'look-up', accountId: leg.account_id }, call.event, leg.id);
    }
    if (listedSessionId !== null) hasList = await lookUpConnection(deps, media, leg, listedSessionId);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    const retryAfterMs = rateLimitRetryMs(error);
    if (retryAfterMs !== null) return { outcome: 'rejected', reason: error.verdict.reason, retryAfterMs };
    deps.report.warn('a leg could not be looked up; the look-up is retried', {
      tenantId: leg.tenant_id,
      legId: leg.id,
      reason: error.verdict.reason,
    });
  }
  // Only for a bridge leg: other calls are listed by the inventory alone (sweep-inventory.ts).
  if (hasList && leg.kind === 'bridge' && leg.voice_call_id === null && leg.hangup_attempted_at !== null)
    await expireUnobservedDial(deps, leg, leg.hangup_attempted_at);
  return 'requested';
}

/**
 * Renews the lease after a look-up, unless the leg has ended or another attempt holds the lease.
 */
async function renewLease(
  deps: HangUpDeps,
  { id, tenant_id, hangup_attempts }: LegRow,
): Promise<'renewed' | 'ended' | 'lease-lost'> {
  return inTransaction(deps.store, tenant_id ?? EVERY_TENANT, async (tx) => {
    const locked = await lockLeg(tx, tenant_id, id);
    if (locked === null || !isUp(locked.leg)) return 'ended';
    if (locked.leg.hangup_attempts !== hangup_attempts) return 'lease-lost';
    locked.leg.lease_until = new Date(locked.now.getTime() + ATTEMPT_LEASE_MS);
    await saveLegs(tx, tenant_id, [locked.leg]);
    return 'renewed';
  });
}

/**
 * Compares the leg's connection with the list of its video session.
 * @returns whether the provider returned a list
 */
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
    const isListed = live.some((each) => each.connectionId === leg.media_connection_id);
    // `askedAt` is the start of this attempt, so it precedes the request for the list.
    if (tenantId !== null && sessionId !== null && askedAt !== null)
      await compareConnection(deps, leg, { accountId, tenantId, sessionId, mediaSessionId, isListed, askedAt });
    return true;
  }
  // The reply to the dial was lost.
  if (leg.kind !== 'bridge' || tenantId === null || sessionId === null) return true;
  const legs = await listConnections(deps.store, tenantId, sessionId);
  const known = new Set(legs.map((each) => each.media_connection_id));
  const found = findBridgeConnection(leg, live, known, askedAt ?? leg.created_at);
  if (found !== undefined)
    await applyMediaEvent(
      deps,
      { via: 'look-up', accountId },
      {
        kind: 'connected',
        mediaSessionId,
        connectionId: found.connectionId,
        data: writeConnectionData({ leg: leg.id }),
        at: null,
      },
    );
  return true;
}
