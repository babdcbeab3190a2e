import { VerdictError } from '@partyline/domain/verdict';
import type { CallPlan, CallStep } from '@partyline/provider-contract/voice-provider';

/** Vendor limits (contract section 4). */
const MAX_TALK_CHARACTERS = 1_500;
const MAX_DIGITS = 20;
const MAX_DIGIT_TIMEOUT_S = 10;

/** One instruction, as it goes over the wire. */
type NccoAction = { readonly action: string; readonly [option: string]: unknown };

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, Math.round(value)));

/** Cuts a text that is too long for one talk action, between words where there are any. */
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

const say = (step: Step<'say'>, keysFollow: boolean): NccoAction[] =>
  // barging in needs a later input (contract section 4); without one the flag makes the whole NCCO invalid
  splitText(step.text).map((text) => ({
    action: 'talk',
    text,
    language: step.language,
    bargeIn: step.bargeIn === true && keysFollow,
  }));

const askDigits = (step: Step<'ask-digits'>): NccoAction => ({
  action: 'input',
  // without `type` the vendor may answer in its form of before 2020 (contract section 0.12)
  type: ['dtmf'],
  dtmf: {
    timeOut: clamp(step.timeoutS, 1, MAX_DIGIT_TIMEOUT_S),
    maxDigits: clamp(step.maxDigits, 1, MAX_DIGITS),
    submitOnHash: true,
  },
  eventUrl: [step.replyUrl],
  eventMethod: 'POST',
});

function join(step: Step<'join'>, holdMusicUrl: string | undefined): NccoAction {
  // a conversation without a name is invalid and drops the call (contract section 4)
  if (step.conversation === '')
    throw new VerdictError('server', 'nameless-conversation', 'A call cannot join a conversation that has no name.');
  return {
    action: 'conversation',
    name: step.conversation,
    startOnEnter: step.startOnEnter ?? true,
    endOnExit: step.endOnExit ?? false,
    ...(step.startOnEnter === false && holdMusicUrl !== undefined && { musicOnHoldUrl: [holdMusicUrl] }),
    eventUrl: [step.eventUrl],
    eventMethod: 'POST',
  };
}

function actions(step: CallStep, keysFollow: boolean, holdMusicUrl: string | undefined): NccoAction[] {
  if (step.do === 'say') return say(step, keysFollow);
  return [step.do === 'join' ? join(step, holdMusicUrl) : askDigits(step)];
}

/** Ends the call: when all actions are done, the call ends. An NCCO must have one action at least (contract section 4). */
const END_CALL: NccoAction = { action: 'wait', timeout: 0.1 };

/**
 * A plan as an NCCO of plain objects: the helper classes of `@vonage/voice` drop false and 0, so that `startOnEnter: false` would turn
 * into the default, true (contract section 0.7).
 * @param holdMusicUrl what those hear who wait for the conference to begin; absent: nothing
 */
export function toNcco(plan: CallPlan, holdMusicUrl?: string): NccoAction[] {
  const lastInput = plan.findLastIndex((step) => step.do === 'ask-digits');
  const ncco = plan.flatMap((step, index) => actions(step, index < lastInput, holdMusicUrl));
  return ncco.length === 0 ? [END_CALL] : ncco;
}
