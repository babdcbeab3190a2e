import { VerdictError } from '@partyline/domain/verdict';
import type { CallPlan, CallStep } from '@partyline/provider-contract/voice-provider';

/** Limits of Vonage (contract section 4). */
const MAX_TALK_CHARACTERS = 1_500;
const MAX_DIGITS = 20;
const MAX_DIGIT_TIMEOUT_S = 10;

/** One action of an NCCO, as sent. */
type NccoAction = { readonly action: string; readonly [option: string]: unknown };

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, Math.round(value)));

/** Splits a text that is too long for one talk action, between words if possible. */
function splitText(text: string): string[] {
  const found: string[] = [];
  let rest = text.trim();
  while (rest.length > MAX_TALK_CHARACTERS) {
    const space = rest.lastIndexOf(' ', MAX_TALK_CHARACTERS);
    const end = space > 0 ? space : MAX_TALK_CHARACTERS;
    found.push(rest.slice(0, end));
    rest = rest.slice(end).trim();
  }
  if (rest !== '') found.push(rest);
  return found;
}

type Step<Do extends CallStep['do']> = Extract<CallStep, { do: Do }>;

const renderSay = (step: Pick<Step<'say'>, 'text' | 'language' | 'bargeIn'>, isInputNext: boolean): NccoAction[] =>
  // bargeIn needs a later input action (contract section 4); without one the whole NCCO is invalid.
  splitText(step.text).map((text) => ({
    action: 'talk',
    text,
    language: step.language,
    bargeIn: step.bargeIn === true && isInputNext,
  }));

const renderAskDigits = (step: Step<'ask-digits'>): NccoAction => ({
  action: 'input',
  // Without `type`, Vonage can answer in the form used before 2020 (contract section 0.12).
  type: ['dtmf'],
  dtmf: {
    timeOut: clamp(step.timeoutS, 1, MAX_DIGIT_TIMEOUT_S),
    maxDigits: clamp(step.maxDigits, 1, MAX_DIGITS),
    submitOnHash: true,
  },
  eventUrl: [step.replyUrl],
  eventMethod: 'POST',
});

function renderJoin(step: Step<'join'>, holdMusicUrl: string | undefined): NccoAction {
  // A conversation without a name is invalid and ends the call (contract section 4).
  if (step.conversation === '')
    throw new VerdictError('server', 'nameless-conversation', 'A call cannot join a conversation without a name.');
  return {
    action: 'conversation',
    name: step.conversation,
    startOnEnter: step.startOnEnter ?? true,
    endOnExit: step.endOnExit ?? false,
    ...(step.muted === true && { mute: true }),
    ...(step.startOnEnter === false && holdMusicUrl !== undefined && { musicOnHoldUrl: [holdMusicUrl] }),
    eventUrl: [step.eventUrl],
    eventMethod: 'POST',
  };
}

function renderStep(step: CallStep, isInputNext: boolean, holdMusicUrl: string | undefined): NccoAction[] {
  // Vonage answers a call to learn its plan.
  if (step.do === 'reject') return renderSay(step, false);
  if (step.do === 'say') return renderSay(step, isInputNext);
  return [step.do === 'join' ? renderJoin(step, holdMusicUrl) : renderAskDigits(step)];
}

/**
 * A short action for an empty plan: the call ends after the last action, and an NCCO needs at least
 * one (contract section 4).
 */
const END_CALL: NccoAction = { action: 'wait', timeout: 0.1 };

/**
 * Converts a plan to an NCCO of plain objects. The helper classes of `@vonage/voice` drop false and
 * 0, so that `startOnEnter: false` would become the default, true (contract section 0.7).
 * @param holdMusicUrl music for callers that wait for the conference to start; absent: silence
 */
export function toNcco(plan: CallPlan, holdMusicUrl?: string): NccoAction[] {
  const lastInput = plan.findLastIndex((step) => step.do === 'ask-digits');
  const ncco = plan.flatMap((step, index) => renderStep(step, index < lastInput, holdMusicUrl));
  return ncco.length === 0 ? [END_CALL] : ncco;
}
