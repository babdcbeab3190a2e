import type { MediaEvent } from '@partyline/provider-contract/provider-event';
import { storeObservation } from '@partyline/store/legs/observations';
import { ownerOfMedia } from '@partyline/store/sessions/find-owner';
import type { SessionView } from '@partyline/store/sessions/session-lock';
import type { Tx } from '@partyline/store/database/store';
import type { LegRow } from '@partyline/store/legs/legs';
import { useToken } from '@partyline/store/callers/webhook-tokens';
import { isUp } from '@partyline/domain/leg';
import { verdict } from '@partyline/domain/verdict';
import { accountOf, type Source } from './apply-leg-event.ts';
import { changeSession } from '../sessions/change-session.ts';
import { readConnectionData } from './connection-data.ts';
import { insertBrowser } from './insert-browser.ts';
import type { Deps } from '../deps.ts';
import { recordCharge } from '../billing/record-charge.ts';
import { replayedWebhook } from '../errors.ts';
import { closeHandle, attachProviderId, moveLeg } from '../sessions/leg-transitions.ts';

/**
 * A video vendor said something of a session: a browser came or went, the bridge's SIP call rang, was answered, is over. Same rules as for
 * a call's events. A browser that joins a session whose end is decided gets a leg all the same, since it costs money until it is gone.
 */
export async function applyMediaEvent(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'report'>,
  source: Source,
  event: MediaEvent,
): Promise<'applied' | 'ignored'> {
  const ignored = (why: string): 'ignored' => {
    deps.report.count('webhook_ignored', { why });
    return 'ignored';
  };
  if (event.kind === 'unknown') return ignored('unknown-event');
  const owner = await ownerOfMedia(deps.store, accountOf(source), event.mediaSessionId);
  if (owner === null) return ignored('unknown-session');
  const changed = await changeSession(
    deps,
    owner.tenant_id,
    owner.session_id,
    async (view, tx) => {
      if (source.via === 'callback' && !(await useToken(tx, source.token))) throw replayedWebhook();
      const leg = await findLegOfConnection(deps, view, tx, event, source.via);
      if (leg === undefined) return ignored('unknown-connection');
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

/** The leg of a connection: known by its id, or named in its data (the dial's own answer was lost), or a browser that is new to us. */
async function findLegOfConnection(
  deps: Pick<Deps, 'ids'>,
  view: SessionView,
  tx: Tx,
  event: ConnectionEvent,
  via: Source['via'],
): Promise<LegRow | undefined> {
  // Of one that was taken back (take-back-connection.ts) the last.
  const known = view.legs.findLast((leg) => leg.media_connection_id === event.connectionId);
  if (known !== undefined) return known;
  if (event.kind === 'sip-call') return findBridgeOfCall(view, event);
  const data = readConnectionData(event.data);
  if (data === null) return undefined;
  if ('leg' in data) {
    const dialled = view.legs.find(
      (leg) => leg.id === data.leg && leg.kind === 'bridge' && leg.media_connection_id === null,
    );
    if (dialled !== undefined) attachProviderId(dialled, 'media_connection_id', event.connectionId);
    return dialled;
  }
  // Also for a `disconnected` that overtook its `connected`: the leg is then made and closed, and the late one finds it ended.
  return insertBrowser(deps, view, tx, {
    connectionId: event.connectionId,
    participantId: data.participant,
    isConnected: event.kind === 'connected',
    // Of a look-up the time is our own, and says nothing beside the vendor's.
    createdAt: via === 'callback' ? (event.since ?? event.at) : null,
  });
}

/** The vendor's clock may be this far behind ours. */
const MAX_CLOCK_SKEW_MS = 30_000;

/**
 * News of a bridge's call can overtake that of its connection, and the dial's own answer: a session has one bridge at most, so it is of the one whose connection
 * has no name yet; unless it is older than that one's dial, and so of one that was given up.
 */
function findBridgeOfCall(
  { legs }: SessionView,
  { connectionId, at }: Extract<MediaEvent, { kind: 'sip-call' }>,
): LegRow | undefined {
  const bridge = legs.find((leg) => leg.kind === 'bridge' && isUp(leg) && leg.media_connection_id === null);
  if (
    bridge === undefined ||
    bridge.dialled_at === null ||
    at === null ||
    at.getTime() < bridge.dialled_at.getTime() - MAX_CLOCK_SKEW_MS
  )
    return undefined;
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
      // A bridge is in the conference only once its voice side is; a browser is there as soon as it is connected.
      if (leg.kind === 'webrtc') moveLeg(leg, 'joined', now);
      return;
    case 'disconnected': {
      if (leg.media_closed_at !== null) return;
      const how = verdict('success', event.reason);
      await observe('media', 'over', how);
      // The vendor does not say what a connection costs, so the seconds are all there is, and the operator's own rates. One that lists lack is over since the first of them.
      await recordCharge(
        tx,
        leg,
        room.id,
        {
          handle: 'media',
          source,
          since: event.since ?? null,
          until: event.at,
          seenSince: leg.joined_at ?? leg.answered_at,
          seenUntil: leg.media_missing_since ?? now,
          // A browser's row is made when we hear of it, which can be long after it came.
          notBefore: leg.kind === 'webrtc' ? session.created_at : leg.created_at,
        },
        now,
      );
      closeHandle(leg, 'media', how, now);
      return;
    }
    case 'sip-call': {
      if (event.phase === 'ringing') moveLeg(leg, 'ringing', now);
      if (event.phase === 'active') moveLeg(leg, 'answered', now);
      if (event.phase === 'over' && leg.sip_ended_at === null) {
        const how = event.verdict ?? verdict('indeterminate', 'no-reason-given');
        await observe('media', 'sip-over', how);
        // Over because we let go of it before it was picked up: its call may be on its way to the voice side yet, and ring there (design §2).
        // That it comes, or that nothing ever does (hang-up-leg.ts), will tell.
        const mayStillRing = leg.hangup_attempts > 0 && leg.answered_at === null && leg.voice_call_id === null;
        if (!mayStillRing) closeHandle(leg, 'sip', how, now);
      }
      return;
    }
    default:
      return event satisfies never;
  }
}
