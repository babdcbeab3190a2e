import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { ObservedCall } from '@partyline/provider-contract/voice-provider';
import {
  connectionsOf,
  findCalls,
  findFalseKills,
  findUnnamedDials,
  findUnseen,
  listMedia,
  missingCalls,
  noteStrays,
  readClock,
  type KnownConnection,
  type MediaToList,
} from '@partyline/store/reconciliation/inventory';
import { applyLegEvent } from '../legs/apply-leg-event.ts';
import { applyMediaEvent } from '../legs/apply-media-event.ts';
import { compareConnection } from '../legs/compare-connection.ts';
import { writeConnectionData } from '../legs/connection-data.ts';
import type { Deps, Providers } from '../deps.ts';
import { expireUnobservedDial } from '../hang-ups/expire-unobserved-dial.ts';
import { UNOBSERVED_AFTER_MS } from '../sessions/settle-session.ts';
import { reopenConnection } from './reopen-connection.ts';

/** A live call that no row knows is hung up after two complete inventories this far apart: the first may have been a moment before its row. */
const ORPHAN_QUARANTINE_MS = 30_000;
/** A leg younger than this when a list was asked for may be missing from it, since a list may be a moment old. */
const MIN_AGE_MS = 30_000;
/** Sessions that ended this long ago are still compared: a token outlives its session. */
const COMPARE_AFTER_END_SECONDS = 900;

export interface InventoryCounts {
  /** Live calls that the provider listed. */
  readonly calls: number;
  /** Calls that nobody knew and that were given to the leg they belong to. */
  readonly adopted: number;
  /** Calls that are one of several legs' each, and nothing says which: left alone until their own webhooks name them, or no leg waits any more. */
  readonly ambiguous: number;
  /** Calls that nobody knows, asked to be hung up now. */
  readonly orphans: number;
  /** Legs that we held to be up and the provider no longer listed: looked up, one by one. */
  readonly missing: number;
  /** Video connections found or lost without a callback. */
  readonly connections: number;
}

/**
 * Compares an account's own list of what is live with our rows of that account, both ways: finds legs that no row knows, and rows whose leg is gone
 * though no webhook said so. Needs no row to begin with: on an empty database every live call is a stranger's, and is hung up after its
 * quarantine. A list that is partial or failed counts as nothing: this throws and nothing was concluded from it.
 * @param accountId null: the platform's
 */
export async function sweepInventory(deps: Deps, accountId: string | null): Promise<InventoryCounts> {
  const at: Account = { accountId, ...(await deps.providers(accountId, { tenantId: null, purpose: 'sweep' })) };
  const askedAt = await readClock(deps.store);
  const live = await at.voice.listLiveCalls();
  const { adopted, ambiguous, orphans } = await hangUpOrphans(deps, at, live);
  for (const { call_id: callId, leg_id: legId, kind } of await findFalseKills(deps.store, accountId)) {
    deps.report.count('false_kill', { kind });
    deps.report.warn('a call that was hung up as nobody’s was a leg of a running session', { callId, legId });
  }
  // Those of them that the list shows have their calls' names by now.
  for (const leg of await findUnseen(deps.store, accountId, askedAt, { afterMs: UNOBSERVED_AFTER_MS }))
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
      await findCalls(
        deps.store,
        at.accountId,
        live.map(({ callId }) => callId),
      )
    ).map((row) => [row.voice_call_id, row]),
  );
  // A leg that we hold to be ended and that is live all the same is nobody's either.
  const unknown = live.filter(
    ({ callId }) => known.get(callId)?.state === undefined || known.get(callId)?.state === 'ended',
  );
  const whose = await matchUnnamedDials(
    deps,
    at,
    unknown.filter(({ callId }) => !known.has(callId)),
  );
  const strays: string[] = [];
  let adopted = 0;
  let ambiguous = 0;
  for (const call of unknown) {
    const leg = whose.get(call.callId);
    if (leg === 'one of several') {
      ambiguous += 1;
      deps.report.warn('a live call may be any of several legs’; it is left to its own webhooks', {
        callId: call.callId,
      });
    } else if (leg !== undefined && (await adopt(deps, at, call, leg.legId))) adopted += 1;
    else strays.push(call.callId);
  }
  const due = await noteStrays(deps.store, at.accountId, strays, { quarantineMs: ORPHAN_QUARANTINE_MS });
  for (const callId of due) {
    deps.report.count('orphans_found');
    deps.report.warn('a live call that nobody knows is hung up', { callId });
    // Asked at every inventory until it is seen no more.
    await at.voice
      .hangUp(callId)
      .catch((error: unknown) =>
        deps.report.warn('an orphan was not taken; it will be asked again', { callId, error: String(error) }),
      );
  }
  return { adopted, ambiguous, orphans: due.length };
}

/**
 * Which leg, whose dial got no answer, each of these calls belongs to. The vendor's list shows the number that a call rings and nothing of ours
 * (contract §2), so a number alone names a leg only when one call rings it and one leg waits for it. Among several any guess could hang up a
 * stranger; each call's own answer and event addresses name its leg, and the vendor ends a call that rings for its time, or whose answer
 * address cannot be reached.
 */
async function matchUnnamedDials(
  deps: Deps,
  { accountId }: Account,
  calls: readonly ObservedCall[],
): Promise<Map<string, { legId: string } | 'one of several'>> {
  const numbers = [...new Set(calls.flatMap(({ calledNumber: rings }) => (rings === null ? [] : [rings])))];
  const dials = numbers.length === 0 ? [] : await findUnnamedDials(deps.store, accountId, numbers);
  const whose = new Map<string, { legId: string } | 'one of several'>();
  for (const number of numbers) {
    const rung = calls.filter(({ calledNumber: rings }) => rings === number);
    const waiting = dials.filter(({ remote }) => remote === number);
    if (!waiting.some(({ up }) => up)) continue;
    for (const { callId } of rung)
      whose.set(callId, rung.length === 1 && waiting.length === 1 ? { legId: waiting[0]!.id } : 'one of several');
  }
  return whose;
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
  const missing = await missingCalls(
    deps.store,
    accountId,
    live.map(({ callId }) => callId),
    { olderMs: MIN_AGE_MS },
  );
  for (const { id, voice_call_id } of missing) {
    try {
      // Not in the list is no proof; its own final status is.
      const call = await voice.getCall(voice_call_id);
      if (call?.over) await applyLegEvent(deps, { via: 'look-up', accountId }, call.event, id);
    } catch (error) {
      deps.report.warn('a leg that the list lacks could not be looked up', { legId: id, error: String(error) });
    }
  }
  return missing.length;
}

async function compareConnections(deps: Deps, at: Account): Promise<number> {
  let changed = 0;
  for (const session of await listMedia(deps.store, at.accountId, { afterEndS: COMPARE_AFTER_END_SECONDS })) {
    try {
      changed += await compareSession(deps, at, session);
    } catch (error) {
      // One session's failure must not stop the others; nothing was concluded for this one.
      if (!(error instanceof ProviderError)) throw error;
      deps.report.warn('a session’s connections could not be listed', {
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
  { id, tenant_id: tenantId, media_session_id: mediaSessionId }: MediaToList,
): Promise<number> {
  // Before the list, which may be long on its way, and this process stopped meanwhile: who came after this may be missing from it, and who went after this may be on it.
  const askedAt = await readClock(deps.store);
  const settled = (at: Date | null): boolean => at === null || askedAt.getTime() - at.getTime() >= MIN_AGE_MS;
  const live = await media.listConnections(mediaSessionId);
  const legs = await connectionsOf(deps.store, tenantId, id);
  let changed = 0;
  for (const { connectionId, data } of live) {
    const known = legs.findLast((leg) => leg.media_connection_id === connectionId);
    if (known !== undefined && isOpen(known)) continue;
    if (known !== undefined) {
      if (!settled(known.media_closed_at ?? known.ended_at)) continue;
      deps.report.count('orphans_found');
      changed += 1;
      const whose = await reopenConnection(deps, { tenantId, sessionId: id, connectionId });
      if (whose === 'taken back') continue;
      await media.disconnect({ mediaSessionId, connectionId });
      if (whose === 'nobody’s') continue;
      deps.report.count('false_kill', { kind: known.kind });
      deps.report.warn('a connection that was never to be hung up was disconnected, since its leg had been closed', {
        tenantId,
        legId: known.id,
        sessionId: id,
      });
      continue;
    }
    // The bridge whose dial got no answer, or a browser whose callback was lost. The vendor's list does not say which; its data would.
    const dialled = legs.find(
      (leg) => leg.kind === 'bridge' && leg.media_connection_id === null && leg.state !== 'ended',
    );
    const whose = data ?? writeConnectionData(dialled === undefined ? { participant: null } : { leg: dialled.id });
    if (
      (await applyMediaEvent(
        deps,
        { via: 'look-up', accountId },
        { kind: 'connected', mediaSessionId, connectionId, data: whose, at: null },
      )) === 'applied'
    )
      changed += 1;
  }
  for (const leg of legs) {
    if (!isOpen(leg) || !settled(leg.created_at)) continue;
    const listed = live.some(({ connectionId }) => connectionId === leg.media_connection_id);
    if (await compareConnection(deps, leg, { accountId, tenantId, sessionId: id, mediaSessionId, isListed: listed, askedAt }))
      changed += 1;
  }
  return changed;
}

const isOpen = ({ state, media_closed_at }: KnownConnection): boolean => state !== 'ended' && media_closed_at === null;
