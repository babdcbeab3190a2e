import { isTenantAccount } from '@partyline/domain/platform-account';
import { canJoin } from '@partyline/domain/session';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { ObservedCall } from '@partyline/provider-contract/voice-provider';
import {
  listConnections,
  findLegsOfCalls,
  findFalseKills,
  findDialsWithoutCall,
  findUnobservedDials,
  listMediaSessionsToSweep,
  findMissingCalls,
  recordOrphanCalls,
  readDatabaseClock,
  type KnownCall,
  type KnownConnection,
  type MediaSessionToSweep,
} from '@partyline/store/reconciliation/inventory';
import { applyLegEvent } from '../legs/apply-leg-event.ts';
import { MIN_AGE_MS } from '../legs/check-presence.ts';
import { moveDeadlines } from '../legs/move-deadlines.ts';
import { reopenCall } from '../legs/reopen-call.ts';
import { reopenConnection } from '../legs/reopen-connection.ts';
import { applyMediaEvent } from '../legs/apply-media-event.ts';
import { findBridgeConnection } from '../legs/bridge-connection.ts';
import { compareConnection } from '../legs/compare-connection.ts';
import { writeConnectionData } from '../legs/connection-data.ts';
import { accountOwner, type Deps, type Providers } from '../deps.ts';
import { closeNeverSeenCall, resetMissingLists } from '../hang-ups/close-never-seen-call.ts';
import { expireUnobservedDial } from '../hang-ups/expire-unobserved-dial.ts';
import { UNOBSERVED_AFTER_MS } from '../sessions/settle-session.ts';

/**
 * An orphan call is hung up after two complete inventories at least this far apart: the first may
 * precede the commit of its row.
 */
const ORPHAN_QUARANTINE_MS = 30_000;
/** A deadline of a call that differs by more is moved. Smaller differences are clock skew. */
const DEADLINE_TOLERANCE_MS = 10_000;
/** Sessions are compared for this long after their end: a token outlives its session. */
const COMPARE_AFTER_END_SECONDS = 900;

/**
 * Look-ups at a tenant's account stop after this time, since the tenant can sign webhooks for many
 * calls that do not exist. The next sweep looks up the others.
 */
const MAX_LOOK_UP_MS = 20_000;

export interface InventoryCounts {
  /** Live calls that the provider listed. */
  readonly calls: number;
  /** Unknown calls that were matched with their leg. */
  readonly adopted: number;
  /** Unknown calls that may belong to several legs. They are left to their webhooks. */
  readonly ambiguous: number;
  /** Orphan calls whose hang-up was attempted. */
  readonly orphans: number;
  /** Legs that are up but not in the list; each was looked up. */
  readonly missing: number;
  /** Video connections whose state was corrected without a callback. */
  readonly connections: number;
}

/**
 * Compares the inventory of an account with its legs, in both directions: hangs up calls that match
 * no leg or only an ended one, except ambiguous ones, and looks up legs that are not in the list.
 * Needs no rows: with an empty database every live call is an orphan and is hung up after its
 * quarantine. Throws on a partial or failed list, and draws no conclusion from it.
 * @param accountId null: the platform's first account
 */
export async function sweepInventory(deps: Deps, accountId: string | null): Promise<InventoryCounts> {
  const at: Account = { accountId, ...(await deps.providers(accountId, { tenantId: null, purpose: 'sweep' })) };
  const askedAt = await readDatabaseClock(deps.store);
  const live = await at.voice.listLiveCalls();
  const { adopted, ambiguous, orphans } = await hangUpOrphans(deps, at, live);
  for (const { call_id: callId, leg_id: legId, kind } of await findFalseKills(deps.store, accountId)) {
    deps.report.count('false_kill', { kind, owner: accountOwner(accountId) });
    deps.report.warn('a call that was hung up as an orphan was a leg of a running session', { callId, legId });
  }
  // Unobserved legs that the list shows have their call id by now.
  for (const leg of await findUnobservedDials(deps.store, accountId, askedAt, { afterMs: UNOBSERVED_AFTER_MS }))
    await expireUnobservedDial(deps, leg, askedAt);
  const missing = await lookUpMissing(deps, at, live);
  const connections = at.media.capabilities.listConnections ? await compareConnections(deps, at) : 0;
  return { calls: live.length, adopted, ambiguous, orphans, missing, connections };
}

interface Account extends Providers {
  readonly accountId: string | null;
}

async function hangUpOrphans(
  deps: Deps,
  at: Account,
  live: readonly ObservedCall[],
): Promise<Pick<InventoryCounts, 'adopted' | 'ambiguous' | 'orphans'>> {
  const known = new Map(
    (
      await findLegsOfCalls(
        deps.store,
        at.accountId,
        live.map(({ callId }) => callId),
      )
    ).map((row) => [row.voice_call_id, row]),
  );
  for (const leg of known.values()) if (leg.voice_missing_lists > 0) await resetMissingLists(deps, leg);
  // A live call whose leg has ended is an orphan too.
  const unknown = live.filter(
    ({ callId }) => known.get(callId)?.state === undefined || known.get(callId)?.state === 'ended',
  );
  const matches = await matchUnnamedDials(
    deps,
    at,
    unknown.filter(({ callId }) => !known.has(callId)),
  );
  const orphans: string[] = [];
  let adopted = 0;
  let ambiguous = 0;
  for (const call of unknown) {
    const leg = matches.get(call.callId);
    if (leg === 'ambiguous') {
      ambiguous += 1;
      deps.report.warn('a live call may belong to several legs; it is left to its own webhooks', {
        callId: call.callId,
      });
    } else if (leg !== undefined && (await adopt(deps, at, call, leg.legId))) adopted += 1;
    else {
      const outcome = await lookBeforeHangUp(deps, at, call.callId, known.get(call.callId));
      if (outcome === 'reopened') adopted += 1;
      else if (outcome === 'orphan') orphans.push(call.callId);
    }
  }
  const due = await recordOrphanCalls(deps.store, at.accountId, orphans, { quarantineMs: ORPHAN_QUARANTINE_MS });
  for (const callId of due) {
    deps.report.count('orphans_found', { owner: accountOwner(at.accountId) });
    deps.report.warn('an orphan call is hung up', { callId });
    // Repeated by each inventory that lists the call.
    await at.voice.hangUp(callId).catch((error: unknown) =>
      deps.report.warn('the hang-up of an orphan call was rejected; the next inventory retries it', {
        callId,
        error: String(error),
      }),
    );
  }
  // Orphans do not wait for a provider that is slow to answer.
  if (at.voice.capabilities.setDeadline) await moveChangedDeadlines(deps, at, live, known);
  return { adopted, ambiguous, orphans: due.length };
}

/**
 * Moves the deadlines of calls whose session has got another end: the provider would end them when the
 * session was to end at first. The call that the provider would end first comes first. Calls whose leg
 * is over or is being hung up keep theirs.
 */
async function moveChangedDeadlines(
  deps: Deps,
  { voice }: Account,
  live: readonly ObservedCall[],
  known: ReadonlyMap<string, KnownCall>,
): Promise<void> {
  const moves = live.flatMap(({ callId, deadline }) => {
    const leg = known.get(callId);
    if (deadline === undefined || leg === undefined || leg.session_state === null || leg.session_deadline === null)
      return [];
    if (leg.state === 'ended' || leg.hangup_requested_at !== null || !canJoin(leg.session_state)) return [];
    const wanted = leg.session_deadline;
    if (Math.abs(deadline.getTime() - wanted.getTime()) <= DEADLINE_TOLERANCE_MS) return [];
    return [{ callId, deadline: wanted, before: deadline }];
  });
  await moveDeadlines(
    deps,
    voice,
    moves.toSorted((a, b) => a.before.getTime() - b.before.getTime()),
  );
}

/**
 * Looks up a listed call whose leg an observation alone has ended: the observation or the list is
 * wrong. A call of a running session that is live is reopened; without a look-up that shows it
 * live, it is not hung up while the session runs. In a session that is over only a look-up that
 * shows the call over spares it.
 */
async function lookBeforeHangUp(
  deps: Deps,
  { voice }: Account,
  callId: string,
  leg: KnownCall | undefined,
): Promise<'reopened' | 'orphan' | 'not-live'> {
  if (leg === undefined || leg.tenant_id === null || leg.session_id === null || leg.hangup_requested_at !== null)
    return 'orphan';
  const isRunning = leg.session_state !== null && canJoin(leg.session_state);
  let call: ObservedCall | null;
  try {
    call = await voice.getCall(callId);
    if (call?.over === true) return 'not-live';
    if (call === null) return isRunning ? 'not-live' : 'orphan';
  } catch (error) {
    deps.report.warn('a listed call of an ended leg could not be looked up', {
      tenantId: leg.tenant_id,
      legId: leg.id,
      error: String(error),
    });
    return isRunning ? 'not-live' : 'orphan';
  }
  return reopenCall(deps, { tenantId: leg.tenant_id, sessionId: leg.session_id, legId: leg.id }, call);
}

/**
 * Matches unknown calls with legs whose dial got no reply. The provider's list shows only the
 * called number (provider contract, section 2), so a number identifies a leg only if one call and
 * one leg have it. With several, a guess could hang up the wrong call: such calls are left to their
 * answer and event URLs, which name the leg, and to the provider's ringing timer.
 */
async function matchUnnamedDials(
  deps: Deps,
  { accountId }: Account,
  calls: readonly ObservedCall[],
): Promise<Map<string, { legId: string } | 'ambiguous'>> {
  const numbers = [...new Set(calls.flatMap(({ calledNumber }) => (calledNumber === null ? [] : [calledNumber])))];
  const dials = numbers.length === 0 ? [] : await findDialsWithoutCall(deps.store, accountId, numbers);
  const matches = new Map<string, { legId: string } | 'ambiguous'>();
  for (const number of numbers) {
    const callsToNumber = calls.filter(({ calledNumber }) => calledNumber === number);
    const legsToNumber = dials.filter(({ remote }) => remote === number);
    if (!legsToNumber.some(({ up }) => up)) continue;
    const isUnique = callsToNumber.length === 1 && legsToNumber.length === 1;
    for (const { callId } of callsToNumber)
      matches.set(callId, isUnique ? { legId: legsToNumber[0]!.id } : 'ambiguous');
  }
  return matches;
}

async function adopt(
  deps: Deps,
  { accountId }: Account,
  { callId, event }: ObservedCall,
  legId: string,
): Promise<boolean> {
  const known = event.kind === 'call' ? event : ({ kind: 'call', callId, phase: 'started', at: null } as const);
  return (await applyLegEvent(deps, { via: 'look-up', accountId }, known, legId)) === 'applied';
}

async function lookUpMissing(
  deps: Deps,
  { accountId, voice }: Account,
  live: readonly ObservedCall[],
): Promise<number> {
  const missing = await findMissingCalls(
    deps.store,
    accountId,
    live.map(({ callId }) => callId),
    { olderMs: MIN_AGE_MS },
  );
  const startedAt = deps.clock.now().getTime();
  let lookedUp = 0;
  for (const leg of missing) {
    if (isTenantAccount(accountId) && deps.clock.now().getTime() - startedAt > MAX_LOOK_UP_MS) break;
    lookedUp += 1;
    try {
      // A list without the call proves nothing; the call's own final status does.
      const call = await voice.getCall(leg.voice_call_id);
      if (call?.over) await applyLegEvent(deps, { via: 'look-up', accountId }, call.event, leg.id);
      else if (!isTenantAccount(accountId)) continue;
      else if (call === null) await closeNeverSeenCall(deps, leg);
      else await resetMissingLists(deps, leg);
    } catch (error) {
      deps.report.warn('a leg that is not in the list could not be looked up', {
        tenantId: leg.tenant_id,
        legId: leg.id,
        error: String(error),
      });
    }
  }
  return lookedUp;
}

async function compareConnections(deps: Deps, at: Account): Promise<number> {
  let changed = 0;
  for (const session of await listMediaSessionsToSweep(deps.store, at.accountId, {
    afterEndS: COMPARE_AFTER_END_SECONDS,
  })) {
    try {
      changed += await compareSession(deps, at, session);
    } catch (error) {
      // A failure of one session does not stop the others; nothing was concluded for this one.
      if (!(error instanceof ProviderError)) throw error;
      deps.report.warn('the connections of a session could not be listed', {
        tenantId: session.tenant_id,
        sessionId: session.id,
        reason: error.verdict.reason,
      });
    }
  }
  return changed;
}

async function compareSession(
  deps: Deps,
  { accountId, media }: Account,
  { id, tenant_id: tenantId, media_session_id: mediaSessionId, state }: MediaSessionToSweep,
): Promise<number> {
  // Read before the list is requested, as the reply may take long: the list may lack connections
  // that opened after this time, and hold ones that closed after it.
  const askedAt = await readDatabaseClock(deps.store);
  const settled = (at: Date | null): boolean => at === null || askedAt.getTime() - at.getTime() >= MIN_AGE_MS;
  const live = await media.listConnections(mediaSessionId);
  const legs = await listConnections(deps.store, tenantId, id);
  const dialled = legs.find(
    (leg) => leg.kind === 'bridge' && leg.media_connection_id === null && leg.state !== 'ended',
  );
  const ofBridge =
    dialled && findBridgeConnection(dialled, live, new Set(legs.map((leg) => leg.media_connection_id)), askedAt);
  let changed = 0;
  for (const { connectionId, data } of live) {
    const known = legs.findLast((leg) => leg.media_connection_id === connectionId);
    if (known !== undefined && isOpen(known)) continue;
    if (known !== undefined) {
      if (!settled(known.media_closed_at ?? known.ended_at)) continue;
      deps.report.count('orphans_found', { owner: accountOwner(accountId) });
      changed += 1;
      const outcome = await reopenConnection(deps, { tenantId, sessionId: id, connectionId });
      if (outcome === 'reopened') continue;
      await media.disconnect({ mediaSessionId, connectionId });
      continue;
    }
    // A bridge leg whose dial got no reply, or a browser whose callback was lost. While the session
    // runs, an ambiguous connection waits for a later list.
    if (data === undefined && dialled !== undefined && ofBridge === undefined && canJoin(state)) continue;
    const isOfBridge = dialled !== undefined && ofBridge?.connectionId === connectionId;
    const owner = data ?? writeConnectionData(isOfBridge ? { leg: dialled.id } : { participant: null });
    if (
      (await applyMediaEvent(
        deps,
        { via: 'look-up', accountId },
        { kind: 'connected', mediaSessionId, connectionId, data: owner, at: null },
      )) === 'applied'
    )
      changed += 1;
  }
  for (const leg of legs) {
    if (!isOpen(leg) || !settled(leg.created_at)) continue;
    const listed = live.some(({ connectionId }) => connectionId === leg.media_connection_id);
    if (
      await compareConnection(deps, leg, {
        accountId,
        tenantId,
        sessionId: id,
        mediaSessionId,
        isListed: listed,
        askedAt,
      })
    )
      changed += 1;
  }
  return changed;
}

const isOpen = ({ state, media_closed_at }: KnownConnection): boolean => state !== 'ended' && media_closed_at === null;
