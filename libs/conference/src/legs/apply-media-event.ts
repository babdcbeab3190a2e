import type { MediaEvent } from '@partyline/provider-contract/provider-event';
import { storeObservation } from '@partyline/store/legs/observations';
import { findOwnerOfMediaSession } from '@partyline/store/sessions/find-owner';
import type { SessionView } from '@partyline/store/sessions/session-lock';
import type { Tx } from '@partyline/store/database/store';
import { hasUnobservedBridge, type LegRow } from '@partyline/store/legs/legs';
import { consumeToken } from '@partyline/store/callers/webhook-tokens';
import { guardConnection } from '@partyline/store/provider-accounts/guard-connection';
import { isUp } from '@partyline/domain/leg';
import { isTenantAccount } from '@partyline/domain/platform-account';
import { verdict } from '@partyline/domain/verdict';
import { accountOf, type Source } from './apply-leg-event.ts';
import { changeSession } from '../sessions/change-session.ts';
import { readConnectionData } from './connection-data.ts';
import { insertBrowser } from './insert-browser.ts';
import { accountOwner, type Deps } from '../deps.ts';
import { recordCharge } from '../billing/record-charge.ts';
import { replayedWebhook } from '../errors.ts';
import { closeHandle, attachProviderId, moveLeg } from '../sessions/leg-transitions.ts';

/**
 * Applies an event of a media provider to its session: a browser connected or disconnected, or the
 * bridge's SIP call changed state. The rules of `applyLegEvent` apply. A browser that connects to
 * an ending session gets a leg too, as it costs money until it is closed.
 */
export async function applyMediaEvent(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'report'>,
  source: Source,
  event: MediaEvent,
): Promise<'applied' | 'ignored'> {
  const ignored = (why: string): 'ignored' => {
    deps.report.count('webhook_ignored', { reason: why, owner: accountOwner(accountOf(source)) });
    return 'ignored';
  };
  if (event.kind === 'unknown') return ignored('unknown-event');
  const owner = await findOwnerOfMediaSession(deps.store, accountOf(source), event.mediaSessionId);
  if (owner === null) return ignored('unknown-session');
  const changed = await changeSession(
    deps,
    owner.tenant_id,
    owner.session_id,
    async (view, tx) => {
      if (source.via === 'callback' && !(await consumeToken(tx, source.token))) throw replayedWebhook();
      const leg = await findLegOfConnection(deps, view, tx, event, source.via);
      if (typeof leg === 'string') return ignored(leg);
      await applyToLeg(leg, view, event, source.via, tx);
      return 'applied' as const;
    },
    { connectionId: event.connectionId, legId: readLegId(event) },
  );
  return changed?.result ?? ignored('unknown-session');
}

type ConnectionEvent = Exclude<MediaEvent, { kind: 'unknown' }>;

function readLegId(event: ConnectionEvent): string | undefined {
  const data = event.kind === 'sip-call' ? null : readConnectionData(event.data);
  return data !== null && 'leg' in data ? data.leg : undefined;
}

/**
 * Finds the leg of a connection by its connection id, or by the leg id in its data (the reply to
 * the dial was lost), or inserts the leg of a new browser.
 * @returns the leg, or why the event has none
 */
async function findLegOfConnection(
  deps: Pick<Deps, 'ids'>,
  view: SessionView,
  tx: Tx,
  event: ConnectionEvent,
  via: Source['via'],
): Promise<LegRow | 'unknown-connection' | 'account-busy' | 'tenant-suspended'> {
  // A reopened connection (reopen-connection.ts) has several legs; the last one counts.
  const known = view.legs.findLast((leg) => leg.media_connection_id === event.connectionId);
  if (known !== undefined) return known;
  if (event.kind === 'sip-call') return (await findBridgeOfCall(view, tx, event)) ?? 'unknown-connection';
  const data = readConnectionData(event.data);
  if (data === null) return 'unknown-connection';
  if ('leg' in data) {
    const dialled = view.legs.find(
      (leg) => leg.id === data.leg && leg.kind === 'bridge' && leg.media_connection_id === null,
    );
    if (dialled !== undefined) attachProviderId(dialled, 'media_connection_id', event.connectionId);
    return dialled ?? 'unknown-connection';
  }
  const { tenant_id, account_id } = view.session;
  if (via === 'callback' && isTenantAccount(account_id)) {
    const guarded = await guardConnection(tx, tenant_id, account_id);
    if (guarded !== 'accepted') return guarded;
  }
  // Also for a `disconnected` that arrives before its `connected`: the leg is inserted and closed,
  // and the late event finds it ended.
  return insertBrowser(deps, view, tx, {
    connectionId: event.connectionId,
    participantId: data.participant,
    isConnected: event.kind === 'connected',
    // A look-up passes on no creation time, so it does not order the connections.
    createdAt: via === 'callback' ? (event.since ?? event.at) : null,
  });
}

/** The provider's clock may be this far behind the database's. */
const MAX_CLOCK_SKEW_MS = 30_000;

/**
 * Finds the bridge leg of a SIP call event that arrived before the `connected` event and the reply
 * to the dial: the session's bridge leg that has no connection id. A session has at most one. An
 * event that is older than its dial belongs to an earlier bridge leg, and so may any event when an
 * earlier dial was never observed: its call can arrive late.
 */
async function findBridgeOfCall(
  { session, legs }: SessionView,
  tx: Tx,
  { connectionId, at }: Extract<MediaEvent, { kind: 'sip-call' }>,
): Promise<LegRow | undefined> {
  const bridge = legs.find((leg) => leg.kind === 'bridge' && isUp(leg) && leg.media_connection_id === null);
  if (
    bridge === undefined ||
    bridge.dialled_at === null ||
    at === null ||
    at.getTime() < bridge.dialled_at.getTime() - MAX_CLOCK_SKEW_MS
  )
    return undefined;
  if (await hasUnobservedBridge(tx, session.tenant_id, session.id)) return undefined;
  attachProviderId(bridge, 'media_connection_id', connectionId);
  return bridge;
}

async function applyToLeg(
  leg: LegRow,
  { session, room, now }: SessionView,
  event: ConnectionEvent,
  source: Source['via'],
  tx: Tx,
): Promise<void> {
  const observe = (
    handle: 'media' | 'voice',
    phase: string,
    how: { outcome: 'success' | 'client' | 'server' | 'upstream' | 'indeterminate'; reason: string },
  ) => storeObservation(tx, leg.tenant_id, { legId: leg.id, handle, phase, source, verdict: how, at: event.at });
  switch (event.kind) {
    case 'connected':
      // A bridge is in the conference once its voice handle is, a browser once it is connected.
      if (leg.kind === 'webrtc') moveLeg(leg, 'joined', now);
      return;
    case 'disconnected': {
      const how = verdict('success', event.reason);
      const isClosed = leg.media_closed_at !== null;
      // Only an end that the provider states corrects an earlier one.
      if (isClosed && (source === 'look-up' || event.at === null)) return;
      // The provider reports no cost of a connection, so its seconds are charged by the operator's
      // rates. A connection that is missing from lists ended when the first list lacked it.
      const isRecorded = await recordCharge(
        tx,
        leg,
        room.id,
        {
          handle: 'media',
          source,
          since: event.since ?? null,
          until: event.at,
          observedSince: leg.joined_at ?? leg.answered_at,
          observedUntil: leg.media_missing_since ?? leg.media_closed_at ?? now,
          // A browser's row is inserted on its first event, which can be long after it connected.
          notBefore: leg.kind === 'webrtc' ? session.created_at : leg.created_at,
        },
        now,
      );
      if (isRecorded || !isClosed) await observe('media', 'over', how);
      if (!isClosed) closeHandle(leg, 'media', how, now);
      return;
    }
    case 'sip-call': {
      if (event.phase === 'ringing') moveLeg(leg, 'ringing', now);
      if (event.phase === 'active') moveLeg(leg, 'answered', now);
      if (event.phase === 'over' && leg.sip_ended_at === null) {
        const how = event.verdict ?? verdict('indeterminate', 'no-reason-given');
        await observe('media', 'sip-over', how);
        // Over because of a hang-up before the answer: the call may still arrive at the voice
        // handle and ring there. Its arrival closes the handle later, or the dial expires
        // (expire-unobserved-dial.ts).
        const mayStillRing = leg.hangup_attempts > 0 && leg.answered_at === null && leg.voice_call_id === null;
        if (!mayStillRing) closeHandle(leg, 'sip', how, now);
      }
      return;
    }
    default:
      return event satisfies never;
  }
}
