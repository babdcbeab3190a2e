import { isUp } from '@partyline/domain/leg';
import { verdict } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { mediaOfLeg, storeObservation } from '@partyline/store/events';
import { lockLeg, saveLeg, type LegRow } from '@partyline/store/session-view';
import { inTransaction } from '@partyline/store/store';
import { applyLegEvent } from './apply-leg-event.ts';
import { applySessionEvent } from './apply-session-event.ts';
import { changeSession } from './change-session.ts';
import type { Deps } from './deps.ts';
import { closeHandle, endLeg, oweHangUp } from './settle.ts';

type HangUpDeps = Pick<Deps, 'store' | 'jobs' | 'media' | 'voice' | 'ids' | 'clock' | 'report'>;

/** A request is taken to be in flight for this long at most (the provider's own timeout is shorter): one at a time per leg, however many look at it. */
const IN_FLIGHT_MS = 5_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;
/** Longest that a dial without an answer can go on at the vendor: it rings for 60 s at most, and then some. */
const NEVER_SEEN_AFTER_MS = 90_000;

/**
 * Asks the provider to end one leg that is owed its hang-up, and looks whether it has. Accepted is not done: the answer is `done` only
 * when the provider was seen to have ended it; else when to come again (1 s, then doubling to 15 s, without end).
 * @param tenantId null for a caller who was never admitted
 */
export async function hangUpLeg(deps: HangUpDeps, tenantId: string | null, legId: string): Promise<'done' | { againMs: number }> {
  const claim = await claimAsk(deps, tenantId, legId);
  if (claim === null) return 'done';
  const { leg, ask, askedBefore } = claim;
  // The second time round, look first: it may be the observation that was lost, not the hang-up.
  if (askedBefore && (await lookUp(deps, leg))) return 'done';
  if (ask && !(await askProvider(deps, leg))) await releaseAsk(deps, legId);
  return { againMs: Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(Math.max(0, leg.asks - 1), 4)) };
}

/** Notes that a request is about to be made; `ask: false` when one is in flight. `null` when there is nothing to hang up. */
async function claimAsk(deps: HangUpDeps, tenantId: string | null, legId: string): Promise<{ leg: LegRow; ask: boolean; askedBefore: boolean } | null> {
  return inTransaction(deps.store, async (tx) => {
    const locked = await lockLeg(tx, legId);
    if (locked === null || !isUp(locked.leg)) return null;
    const { leg, now } = locked;
    if (tenantId !== null && leg.tenant_id !== tenantId) return null;
    // A caller who was never admitted and kept the line past the deadline.
    if (leg.session_id === null && leg.deadline_at <= now) oweHangUp(leg, 'keying-deadline', now);
    if (leg.state !== 'ending') return null;
    const askedBefore = leg.asks > 0;
    const ask = leg.asked_at === null || now.getTime() - leg.asked_at.getTime() >= IN_FLIGHT_MS;
    if (ask) {
      leg.asked_at = now;
      leg.asks += 1;
    }
    await saveLeg(tx, leg);
    return { leg, ask, askedBefore };
  });
}

/** A request that was refused is no longer in flight: the next round may ask at once. */
async function releaseAsk(deps: HangUpDeps, legId: string): Promise<void> {
  await inTransaction(deps.store, async (tx) => {
    const locked = await lockLeg(tx, legId);
    if (locked === null || locked.leg.state !== 'ending') return;
    locked.leg.asked_at = null;
    await saveLeg(tx, locked.leg);
  });
}

/** Asks for every side that is not yet seen closed; `false` when one of the requests was not taken. */
async function askProvider(deps: HangUpDeps, leg: LegRow): Promise<boolean> {
  let taken = true;
  const requests: Promise<void>[] = [];
  if (leg.media_connection_id !== null && leg.media_closed_at === null) {
    const mediaSessionId = await mediaOfLeg(deps.store, leg.id);
    if (mediaSessionId !== null) requests.push(deps.media.disconnect({ mediaSessionId, connectionId: leg.media_connection_id }));
  }
  // Disconnecting the video side does not end a call that still rings: the voice side is asked by its own name (design §2).
  if (leg.voice_call_id !== null && leg.voice_closed_at === null) requests.push(deps.voice.hangUp(leg.voice_call_id));
  deps.report.count('hang_up_asked', { kind: leg.kind });
  for (const settled of await Promise.allSettled(requests)) {
    if (settled.status === 'fulfilled') continue;
    taken = false;
    const reason = settled.reason instanceof ProviderError ? settled.reason.verdict.reason : String(settled.reason);
    deps.report.count('hang_up_failed', { kind: leg.kind, reason });
    // Not found is what the second of two handles answers when the first took it along; the look-up will tell.
    if (!(settled.reason instanceof ProviderError && settled.reason.failure === 'not-found')) deps.report.warn('a hang-up was not taken; it will be asked again', { legId: leg.id, reason });
  }
  return taken;
}

/** Asks the provider for the state of a leg's sides and applies what it says. `true` when that ended the leg. */
async function lookUp(deps: HangUpDeps, leg: LegRow): Promise<boolean> {
  try {
    if (leg.voice_call_id !== null && leg.voice_closed_at === null) {
      const call = await deps.voice.getCall(leg.voice_call_id);
      if (call?.over) await applyLegEvent(deps, { via: 'look-up' }, call.event, leg.id);
    }
    const mediaSessionId = await mediaOfLeg(deps.store, leg.id);
    if (mediaSessionId !== null && leg.media_closed_at === null && deps.media.capabilities.listConnections) await lookUpConnection(deps, leg, mediaSessionId);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    deps.report.warn('a leg could not be looked up; it will be again', { legId: leg.id, reason: error.verdict.reason });
  }
  await giveUpUnseen(deps, leg);
  return inTransaction(deps.store, async (tx) => {
    const locked = await lockLeg(tx, leg.id);
    return locked === null || !isUp(locked.leg);
  });
}

async function lookUpConnection(deps: HangUpDeps, leg: LegRow, mediaSessionId: string): Promise<void> {
  const live = await deps.media.listConnections(mediaSessionId);
  const at = deps.clock.now();
  if (leg.media_connection_id !== null) {
    const { media_connection_id: connectionId } = leg;
    if (live.some((each) => each.connectionId === connectionId)) return;
    await applySessionEvent(deps, { via: 'look-up' }, { kind: 'disconnected', mediaSessionId, connectionId, data: '', reason: 'not-in-list', at });
    return;
  }
  // The dial's answer was lost: is there a connection that carries this leg's id?
  const found = live.find((each) => each.data?.includes(leg.id));
  if (found !== undefined) await applySessionEvent(deps, { via: 'look-up' }, { kind: 'connected', mediaSessionId, connectionId: found.connectionId, data: found.data ?? '', at });
}

/**
 * A dial whose answer was lost and of which nothing was ever heard: past the vendor's own ringing timer it is not up, and the look-up
 * that found nothing is the observation that says so.
 */
async function giveUpUnseen(deps: HangUpDeps, { id, tenant_id, session_id, kind }: LegRow): Promise<void> {
  if (tenant_id === null || session_id === null) return;
  await changeSession(deps, tenant_id, session_id, async (view, tx) => {
    const leg = view.legs.find((each) => each.id === id);
    if (leg === undefined || leg.state !== 'ending' || leg.voice_call_id !== null || leg.dialled_at === null) return;
    if (view.now.getTime() - leg.dialled_at.getTime() < NEVER_SEEN_AFTER_MS) return;
    const how = verdict('indeterminate', 'never-seen');
    await storeObservation(tx, tenant_id, { legId: id, handle: 'voice', phase: 'over', source: 'look-up', verdict: how, at: null });
    deps.report.count('leg_never_seen', { kind });
    if (leg.media_connection_id === null) endLeg(leg, how, view.now);
    else closeHandle(leg, 'sip', how, view.now);
  });
}
