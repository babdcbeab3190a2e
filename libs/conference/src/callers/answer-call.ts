import { createHash } from 'node:crypto';
import type { VoiceAnswer } from '@partyline/provider-contract/provider-event';
import type { CallPlan } from '@partyline/provider-contract/voice-provider';
import {
  answerCaller,
  answerOwnLeg,
  type FreshIds,
  type Seat,
  type UsedToken,
} from '@partyline/store/callers/voice-webhooks';
import { PIN_MAX_LENGTH } from '@partyline/domain/pin';
import type { Deps, WebhookUrls } from '../deps.ts';
import { phrase } from '../prompts.ts';
import { replayedWebhook } from '../errors.ts';
import { sendSettle } from '../sessions/enqueue-settle.ts';

/** The header in which a bridge leg shows its one-time token. The vendor adds headers of its own; those prove nothing and are not read. */
export const BRIDGE_HEADER = 'X-Partyline-Leg';

/** Seconds without a key after which what was keyed is taken. */
const KEY_TIMEOUT_S = 5;

export const bridgeTokenHash = (token: string): Buffer => createHash('sha256').update(token).digest();

/** Asks for the PIN, while the text is spoken or (without `bargeIn`) after it; `tryNo` goes into the reply's address, so that a repeated webhook is told from another try. */
export const askForPin = (
  webhooks: WebhookUrls,
  language: string,
  legId: string,
  tryNo: number,
  text: string,
  bargeIn = true,
): CallPlan => [
  { do: 'say', text, language, bargeIn },
  { do: 'ask-digits', maxDigits: PIN_MAX_LENGTH, timeoutS: KEY_TIMEOUT_S, replyUrl: webhooks.digits(legId, tryNo) },
];

/** Ids for what seating a caller may have to make. */
export const freshIds = ({ ids }: Pick<Deps, 'ids'>): FreshIds => ({
  sessionId: ids.next('ses'),
  conversation: ids.next('conv'),
  participantId: ids.next('part'),
});

/** Into the conference. Who is held there is told to wait, hears the operator's music, and gets in with the first who is not held: a host, or the bridge to one. */
export async function takeSeat(
  deps: Pick<Deps, 'jobs' | 'report'>,
  webhooks: WebhookUrls,
  legId: string,
  language: string,
  seat: Seat,
): Promise<CallPlan> {
  await sendSettle(deps, seat.tenant_id, seat.session_id);
  return [
    { do: 'say', text: phrase(language, seat.waits ? 'waiting' : 'joining'), language },
    { do: 'join', conversation: seat.conversation, eventUrl: webhooks.events(legId), startOnEnter: !seat.waits },
  ];
}

export const sayAndLetGo = (language: string, text: string): CallPlan => [{ do: 'say', text, language }];

/**
 * A call came in and asks what to do: a caller is asked for a PIN, or joins the room that the number leads to; our own bridge leg joins its conference. One round trip to Postgres;
 * one to Redis for the bridge. A repeated webhook gets the same plan. Throws `webhook-replayed` on a used token.
 */
export async function answerCall(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'webhooks' | 'report'>,
  token: UsedToken,
  call: VoiceAnswer,
): Promise<CallPlan> {
  const shown = call.viaSip ? call.headers[BRIDGE_HEADER.toLowerCase()] : undefined;
  if (shown !== undefined) {
    const plan = await joinOwnLeg(deps, token, { tokenHash: bridgeTokenHash(shown) }, call.callId);
    if (plan !== null) return plan;
    // A token that is none of ours: let go. It was taken as used, so it can't be tried again under the same signature.
    deps.report.count('webhook_ignored', { why: 'unknown-bridge' });
    return [];
  }
  const webhooks = deps.webhooks(token.accountId);
  const answered = await answerCaller(
    deps.store,
    token,
    { legId: deps.ids.next('leg'), callId: call.callId, number: call.to, remote: call.from },
    freshIds(deps),
  );
  switch (answered.outcome) {
    case 'replayed':
      throw replayedWebhook();
    case 'unknown-number':
      return sayAndLetGo(answered.language, phrase(answered.language, 'not-in-service'));
    case 'busy':
    case 'later':
      deps.report.count('caller_refused', { why: answered.outcome });
      return sayAndLetGo(answered.language, phrase(answered.language, answered.outcome));
    case 'hang-up':
      return [];
    case 'ask':
      return askForPin(webhooks, answered.language, answered.leg_id, 1, phrase(answered.language, 'welcome'));
    case 'ask-slowly':
      deps.report.count('caller_slowed');
      return askForPin(
        webhooks,
        answered.language,
        answered.leg_id,
        1,
        phrase(answered.language, 'welcome-slowly'),
        false,
      );
    case 'admitted':
      return takeSeat(deps, webhooks, answered.leg_id, answered.language, answered);
    case 'full':
    case 'at-limit':
    case 'not-open':
    case 'over':
    case 'spent':
      return sayAndLetGo(answered.language, phrase(answered.language, answered.outcome));
    default:
      return answered satisfies never;
  }
}

/** Somebody we rang picked up. Same costs, same errors. */
export async function answerRung(
  deps: Pick<Deps, 'store' | 'jobs' | 'webhooks' | 'report'>,
  token: UsedToken,
  legId: string,
  call: VoiceAnswer,
): Promise<CallPlan> {
  return (await joinOwnLeg(deps, token, { legId }, call.callId)) ?? [];
}

async function joinOwnLeg(
  deps: Pick<Deps, 'store' | 'jobs' | 'webhooks' | 'report'>,
  token: UsedToken,
  by: { tokenHash: Buffer } | { legId: string },
  callId: string,
): Promise<CallPlan | null> {
  const answered = await answerOwnLeg(deps.store, token, by, callId);
  if (answered.outcome === 'replayed') throw replayedWebhook();
  if (answered.outcome === 'unknown-leg') return null;
  if (answered.outcome !== 'join') return [];
  await sendSettle(deps, answered.tenant_id, answered.session_id);
  return [
    {
      do: 'join',
      conversation: answered.conversation,
      eventUrl: deps.webhooks(token.accountId).events(answered.leg_id),
      startOnEnter: !answered.waits,
    },
  ];
}
