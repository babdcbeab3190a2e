import type { CallPlan } from '@partyline/provider-contract/voice-provider';
import type { FreshIds, Seat } from '@partyline/store/callers/voice-webhooks';
import { PIN_MAX_LENGTH } from '@partyline/domain/pin';
import type { Deps, WebhookUrls } from '../deps.ts';
import { phrase } from '../prompts.ts';
import { sendSettle } from '../sessions/enqueue-settle.ts';

/** Seconds without a key after which what was keyed is taken. */
const KEY_TIMEOUT_S = 5;

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
