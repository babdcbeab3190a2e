import type { CallPlan, RejectReason } from '@partyline/provider-contract/voice-provider';
import type { NewIds, AdmittedTo } from '@partyline/store/callers/voice-webhooks';
import { PIN_MAX_LENGTH } from '@partyline/domain/pin';
import type { Deps, WebhookUrls } from '../deps.ts';
import { getPrompt } from '@partyline/domain/prompts';
import { enqueueSessionJob } from '../sessions/enqueue-session-job.ts';

/**
 * Seconds without a key after which the provider sends the keyed digits. The time starts anew with
 * each key; the SQL function pin_entry_time bounds the sum.
 */
export const DIGIT_TIMEOUT_SECONDS = 5;

/**
 * Returns the steps that speak a text and ask for the PIN.
 * @param tryNo number of the prompt, from 1; part of the reply URL, so that a duplicate webhook does
 *   not count as another entry
 * @param bargeIn whether keys are accepted while the text is spoken
 */
export const promptForPin = (
  webhooks: WebhookUrls,
  language: string,
  legId: string,
  tryNo: number,
  text: string,
  bargeIn = true,
): CallPlan => [
  { do: 'say', text, language, bargeIn },
  {
    do: 'ask-digits',
    maxDigits: PIN_MAX_LENGTH,
    timeoutS: DIGIT_TIMEOUT_SECONDS,
    replyUrl: webhooks.digits(legId, tryNo),
  },
];

/** Generates the ids of the rows that an admission may insert. */
export const generateIds = ({ ids }: Pick<Deps, 'ids'>): NewIds => ({
  sessionId: ids.next('ses'),
  conversation: ids.next('conv'),
  participantId: ids.next('part'),
});

/**
 * Returns the steps that move an admitted caller into the conference. A caller who waits for the
 * host hears hold music until the first leg that starts the conference: a host's, or the bridge
 * leg.
 */
export async function joinConference(
  deps: Pick<Deps, 'jobs' | 'report'>,
  webhooks: WebhookUrls,
  legId: string,
  language: string,
  seat: AdmittedTo,
): Promise<CallPlan> {
  await enqueueSessionJob(deps, 'settle-session', seat.tenant_id, seat.session_id);
  return [
    { do: 'say', text: getPrompt(language, seat.waits ? 'waiting' : 'joining'), language },
    {
      do: 'join',
      conversation: seat.conversation,
      eventUrl: webhooks.events(legId),
      startOnEnter: !seat.waits,
      ...(seat.muted === true && { muted: true }),
      deadline: seat.deadline_at,
    },
  ];
}

/** Returns the step that rejects a call, where the provider can before the answer; others speak the text. */
export const rejectCall = (reason: RejectReason, language: string, text: string): CallPlan => [
  { do: 'reject', reason, text, language },
];

/** Returns the steps that speak a text and end the call. */
export const sayAndHangUp = (language: string, text: string): CallPlan => [{ do: 'say', text, language }];
