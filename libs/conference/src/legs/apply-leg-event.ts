import type { VoiceEvent } from '@partyline/provider-contract/provider-event';
import { storeObservation } from '@partyline/store/legs/observations';
import { findLegOfCall } from '@partyline/store/sessions/find-owner';
import type { LegRow } from '@partyline/store/legs/legs';
import { consumeToken, type WebhookToken } from '@partyline/store/callers/webhook-tokens';
import type { Tx } from '@partyline/store/database/store';
import { verdict } from '@partyline/domain/verdict';
import { changeLeg } from '../sessions/change-leg.ts';
import { accountOwner, type Deps } from '../deps.ts';
import { completeCharge, recordCharge } from '../billing/record-charge.ts';
import { replayedWebhook } from '../errors.ts';
import { closeHandle, attachProviderId, moveLeg } from '../sessions/leg-transitions.ts';

/**
 * The origin of an observation: a webhook, signed for one account and accepted once, or a look-up.
 */
export type Source =
  | { readonly via: 'callback'; readonly token: WebhookToken }
  | { readonly via: 'look-up'; readonly accountId: string | null };

/** Returns the account that an observation comes from. It applies to legs at that account only. */
export const accountOf = (source: Source): string | null =>
  source.via === 'callback' ? source.token.accountId : source.accountId;

/**
 * Applies an event of a voice provider to its leg. Events may be duplicated, late or out of order;
 * an event that matches no leg is ignored and counted. Throws `webhook-replayed` for a used token.
 * @param legId from the URL that the event was sent to, if it was the URL of a leg
 */
export async function applyLegEvent(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  source: Source,
  event: VoiceEvent,
  legId?: string,
): Promise<'applied' | 'ignored'> {
  const ignored = (why: string): 'ignored' => {
    deps.report.count('webhook_ignored', { reason: why, owner: accountOwner(accountOf(source)) });
    return 'ignored';
  };
  if (event.kind === 'unknown') return ignored('unknown-event');
  if (event.kind === 'problem') {
    deps.report.warn('the provider reports a problem with our instructions', { reason: event.reason });
    return ignored('problem');
  }
  const found = await findLegOfCall(deps.store, accountOf(source), {
    callId: event.callId,
    ...(legId === undefined ? {} : { legId }),
  });
  if (found === null) return ignored('unknown-call');

  const isChanged = await changeLeg(deps, found, async (leg, { roomId, now }, tx) => {
    if (source.via === 'callback' && !(await consumeToken(tx, source.token))) throw replayedWebhook();
    // The reply to the dial request may have been lost; the event carries the call id.
    attachProviderId(leg, 'voice_call_id', event.callId);
    await applyToLeg(leg, roomId, event, source.via, tx, now);
  });
  return isChanged ? 'applied' : applyLegEvent(deps, source, event, legId);
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
    // A move before admission belongs to the prompt; only an admitted leg can be in the conference.
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
        await completeCharge(tx, leg, source, event.charge);
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
          observedSince: leg.answered_at,
          observedUntil: now,
          // The leg of a reopened call is younger than the call (reopen-call.ts).
          notBefore: earliest(leg.created_at, leg.dialled_at, leg.answered_at),
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

const earliest = (first: Date, ...others: readonly (Date | null)[]): Date =>
  others.reduce<Date>((found, time) => (time !== null && time < found ? time : found), first);
