import { planReply, type CallStepMessage, type DigitsWebhook } from '@partyline/provider-janus/wire';

/** What a call plan needs of the call's audio and of the conference. */
export interface PlanPort {
  readonly callId: string;
  /** Aborts when the call is over, or has another plan. */
  readonly signal: AbortSignal;
  /** Speaks a text; resolves at its end, or when `stop` aborts. */
  speak(text: string, language: string, stop: AbortSignal): Promise<void>;
  /** Returns the keys pressed and not yet taken, and empties the list. */
  takeDigits(): string;
  /** Resolves at the next key; rejects when `stop` aborts. */
  nextDigit(stop: AbortSignal): Promise<void>;
  /** Resolves after `ms`, or when `stop` aborts. */
  pause(ms: number, stop: AbortSignal): Promise<void>;
  /** Sends a webhook that returns the next steps. @throws when it gets no usable answer */
  requestPlan(url: string, body: DigitsWebhook): Promise<unknown>;
  /** Enters the conference. Resolves when the call is in it, or waits for it to start. */
  join(step: Extract<CallStepMessage, { do: 'join' }>): Promise<void>;
  /** Reports a reply that cannot be used. */
  onProblem(reason: string): void;
}

/** What the caller hears when no usable plan came. Spoken in English, because no plan names a language. */
export const TECHNICAL_DIFFICULTIES = {
  do: 'say',
  text: 'We are sorry. We have technical difficulties. Please call again later. Goodbye.',
  language: 'en-US',
} as const satisfies CallStepMessage;

/**
 * Executes a call plan.
 * @param reply the reply to the answer webhook
 * @returns `joined` when the call is in its conference; `done` when the plan has no further step and
 *   the call must be hung up, unless `signal` has aborted
 */
export async function runPlan(port: PlanPort, reply: unknown): Promise<'joined' | 'done'> {
  let plan = readPlan(port, reply);
  for (let index = 0; index < plan.steps.length && !port.signal.aborted; index += 1) {
    const step = plan.steps[index]!;
    switch (step.do) {
      case 'say': {
        await say(port, step);
        break;
      }
      // This call is answered.
      case 'reject': {
        await port.speak(step.text, step.language, port.signal);
        return 'done';
      }
      case 'ask-digits': {
        const { digits, timedOut } = await collectDigits(port, step);
        if (port.signal.aborted) return 'done';
        const next = await port
          .requestPlan(step.replyUrl, { callId: port.callId, digits, timedOut })
          .catch(() => undefined);
        if (port.signal.aborted) return 'done';
        plan = readPlan(port, next);
        index = -1;
        break;
      }
      case 'join': {
        await port.join(step);
        return 'joined';
      }
      default:
        step satisfies never;
    }
  }
  return 'done';
}

/** Parses a plan; one that cannot be used becomes an apology, after which the call ends. */
function readPlan(port: PlanPort, reply: unknown) {
  const parsed = planReply.safeParse(reply);
  if (parsed.success) return parsed.data;
  port.onProblem(reply === undefined ? 'no-plan' : 'bad-plan');
  return { steps: [TECHNICAL_DIFFICULTIES] };
}

/** Speaks; a key stops a text that allows it, and stays for the next question. */
async function say(
  port: PlanPort,
  { text, language, bargeIn }: Extract<CallStepMessage, { do: 'say' }>,
): Promise<void> {
  const interrupted = new AbortController();
  const stop = AbortSignal.any([port.signal, interrupted.signal]);
  if (bargeIn === true)
    void port.nextDigit(stop).then(
      () => interrupted.abort(),
      () => undefined,
    );
  await port.speak(text, language, stop);
  interrupted.abort();
}

/**
 * Collects keys until `#`, the maximum, or a time without a key, which starts anew with each key.
 * Keys that were pressed before count.
 */
async function collectDigits(
  port: PlanPort,
  { maxDigits, timeoutS }: Extract<CallStepMessage, { do: 'ask-digits' }>,
): Promise<{ digits: string; timedOut: boolean }> {
  let digits = '';
  for (;;) {
    digits += port.takeDigits();
    const end = digits.indexOf('#');
    if (end !== -1) return { digits: digits.slice(0, Math.min(end, maxDigits)), timedOut: false };
    if (digits.length >= maxDigits) return { digits: digits.slice(0, maxDigits), timedOut: false };
    const waiting = new AbortController();
    const stop = AbortSignal.any([port.signal, waiting.signal]);
    const isKeyed = await Promise.race([
      port.nextDigit(stop).then(
        () => true,
        () => false,
      ),
      port.pause(timeoutS * 1_000, stop).then(() => false),
    ]);
    waiting.abort();
    if (!isKeyed) {
      // A key at the last moment counts.
      const late = port.takeDigits();
      if (late === '' || port.signal.aborted) return { digits, timedOut: true };
      digits += late;
    }
  }
}
