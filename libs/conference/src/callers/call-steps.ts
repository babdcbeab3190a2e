import type { CallPlan } from '@partyline/provider-contract/voice-provider';
import type { FreshIds, Seat } from '@partyline/store/callers/voice-webhooks';
import { PIN_MAX_LENGTH } from '@partyline/domain/pin';
import type { Deps, WebhookUrls } from '../deps.ts';
import { getPrompt } from '../prompts.ts';
import { enqueueSettle } from '../sessions/enqueue-settle.ts';

/** Seconds without a key after which what was keyed is taken. */
const DIGIT_TIMEOUT_SECONDS = 5;

/** Asks for the PIN, while the text is spoken or (without `bargeIn`) after it; `tryNo` goes into the reply's address, so that a repeated webhook is told from another try. */
export const promptForPin = (
  webhooks: WebhookUrls,
  language: string,
  legId: string,
  tryNo: number,
  text: string,
  bargeIn = true,
): CallPlan => [
  { do: 'say', text, language, bargeIn },
  { do: 'ask-digits', maxDigits: PIN_MAX_LENGTH, timeoutS: DIGIT_TIMEOUT_SECONDS, replyUrl: webhooks.digits(legId, tryNo) },
];

/** Ids for what seating a caller may have to make. */
export const generateIds = ({ ids }: Pick<Deps, 'ids'>): FreshIds => ({
  sessionId: ids.next('ses'),
  conversation: ids.next('conv'),
  participantId: ids.next('part'),
});

/** Into the conference. Who is held there is told to wait, hears the operator's music, and gets in with the first who is not held: a host, or the bridge to one. */
export async function joinConference(
  deps: Pick<Deps, 'jobs' | 'report'>,
  webhooks: WebhookUrls,
  legId: string,
  language: string,
  seat: Seat,
): Promise<CallPlan> {
  await enqueueSettle(deps, seat.tenant_id, seat.session_id);
  return [
    { do: 'say', text: getPrompt(language, seat.waits ? 'waiting' : 'joining'), language },
    { do: 'join', conversation: seat.conversation, eventUrl: webhooks.events(legId), startOnEnter: !seat.waits },
  ];
}

export const sayAndHangUp = (language: string, text: string): CallPlan => [{ do: 'say', text, language }];
