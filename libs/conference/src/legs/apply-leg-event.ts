import type { VoiceEvent } from '@partyline/provider-contract/provider-event';
import { storeObservation } from '@partyline/store/legs/observations';
import { findLegOfCall } from '@partyline/store/sessions/find-owner';
import { lockLeg, saveLegs, type LegRow } from '@partyline/store/legs/legs';
import { useToken, type UsedToken } from '@partyline/store/callers/webhook-tokens';
import { EVERY_TENANT, inTransaction, type Tx } from '@partyline/store/database/store';
import { verdict } from '@partyline/domain/verdict';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';
import { completeCharge, recordCharge } from '../billing/record-charge.ts';
import { replayedWebhook } from '../errors.ts';
import { recordHangUpLatency } from '../sessions/record-hang-up-latency.ts';
import { closeHandle, attachProviderId, moveLeg } from '../sessions/leg-transitions.ts';

/** Where an observation came from: a webhook, signed for one account and taken once, or our own look-up at one. */
export type Source =
  | { readonly via: 'callback'; readonly token: UsedToken }
  | { readonly via: 'look-up'; readonly accountId: string | null };

/** Whose word it is: it counts for what is at that account, and for nothing else. */
export const accountOf = (source: Source): string | null =>
  source.via === 'callback' ? source.token.accountId : source.accountId;

/**
 * A voice vendor said something of a call. Applied to its leg, whatever came before it, twice or late; what names no leg of ours, or says
 * nothing new, is ignored and counted. Throws `webhook-replayed` on a used token.
 * @param legId from the event's own address, when it was sent to a leg's
 */
export async function applyLegEvent(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  source: Source,
  event: VoiceEvent,
  legId?: string,
): Promise<'applied' | 'ignored'> {
  const ignored = (why: string): 'ignored' => {
    deps.report.count('webhook_ignored', { why });
    return 'ignored';
  };
  if (event.kind === 'unknown') return ignored('unknown-event');
  if (event.kind === 'problem') {
    deps.report.warn('the carrier reports a problem with our instructions', { reason: event.reason });
    return ignored('problem');
  }
  const found = await findLegOfCall(deps.store, accountOf(source), {
    callId: event.callId,
    ...(legId === undefined ? {} : { legId }),
  });
  if (found === null) return ignored('unknown-call');

  const apply = async (leg: LegRow, roomId: string | null, tx: Tx, now: Date): Promise<void> => {
    if (source.via === 'callback' && !(await useToken(tx, source.token))) throw replayedWebhook();
    // The create's own answer may have been lost; the event names the call.
    attachProviderId(leg, 'voice_call_id', event.callId);
    await applyToLeg(leg, roomId, event, source.via, tx, now);
  };

  if (found.tenant_id !== null && found.session_id !== null) {
    await changeSession(
      deps,
      found.tenant_id,
      found.session_id,
      async (view, tx) => {
        const leg = view.legs.find((each) => each.id === found.id);
        if (leg !== undefined) await apply(leg, view.room.id, tx, view.now);
      },
      { legId: found.id },
    );
    return 'applied';
  }
  const applied = await inTransaction(deps.store, EVERY_TENANT, async (tx) => {
    const locked = await lockLeg(tx, null, found.id);
    if (locked === null) return null;
    const was = locked.leg.state;
    await apply(locked.leg, null, tx, locked.now);
    await saveLegs(tx, null, [locked.leg]);
    return { closed: locked.leg.state === 'ended' && was !== 'ended' ? [locked.leg] : [] };
  });
  // Admitted between our look and our lock: now it has a session, whose lock comes first.
  if (applied === null) return applyLegEvent(deps, source, event, legId);
  recordHangUpLatency(deps, applied.closed);
  return 'applied';
}

async function applyToLeg(
  leg: LegRow,
  roomId: string | null,
  event: Extract<VoiceEvent, { kind: 'call' | 'moved' }>,
  source: Source['via'],
  tx: Tx,
  now: Date,
): Promise<void> {
  if (event.kind === 'moved') {
    // A move before admission is the prompt's own; only a leg that was seated can be in the conference.
    if (leg.session_id !== null) moveLeg(leg, 'joined', now);
    return;
  }
  switch (event.phase) {
    case 'started':
      return;
    case 'ringing':
    case 'answered':
      moveLeg(leg, event.phase, now);
      return;
    case 'over': {
      if (leg.voice_closed_at !== null) {
        if (event.charge !== undefined) await completeCharge(tx, leg, source, event.charge);
        return;
      }
      const how = event.verdict ?? verdict('indeterminate', 'no-reason-given');
      await storeObservation(tx, leg.tenant_id, {
        legId: leg.id,
        handle: 'voice',
        phase: 'over',
        source,
        verdict: how,
        at: event.at,
      });
      await recordCharge(
        tx,
        leg,
        roomId,
        {
          handle: 'voice',
          source,
          charge: event.charge,
          since: null,
          until: event.at,
          seenSince: leg.answered_at,
          seenUntil: now,
          notBefore: leg.created_at,
        },
        now,
      );
      closeHandle(leg, 'voice', how, now);
      return;
    }
    default:
      return event.phase satisfies never;
  }
}
