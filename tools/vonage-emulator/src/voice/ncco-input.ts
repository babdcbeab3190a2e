/** The NCCO action `input`: collects digits and posts them (contract §3 input callback, §4). */
import { buildCommonFields } from './events.ts';
import type { ActionOf } from './ncco-schema.ts';
import { requestNcco, type Replacement, type NccoRun } from './ncco-step.ts';
import { recordPromptOnce } from './ncco-speak.ts';

interface CollectedDigits {
  digits: string;
  timedOut: boolean;
}

interface InputLimits {
  timeOut: number;
  maxDigits: number;
  submitOnHash: boolean;
}

const readLimits = (action: ActionOf<'input'>): InputLimits => ({
  timeOut: action.timeOut ?? action.dtmf.timeOut,
  maxDigits: action.maxDigits ?? action.dtmf.maxDigits,
  submitOnHash: action.submitOnHash ?? action.dtmf.submitOnHash,
});

/** Collects digits until maxDigits, "#", or `timeOut` seconds after the last digit. */
function collectDigits(run: NccoRun, limits: InputLimits): Promise<CollectedDigits> {
  const { world, leg } = run;
  return new Promise((resolve) => {
    let digits = '';
    let stopTimer = (): void => undefined;
    const finish = (timedOut: boolean): void => {
      stopTimer();
      run.signal.removeEventListener('abort', abort);
      if (leg.keys.listener === acceptDigit) leg.keys.listener = undefined;
      resolve({ digits, timedOut });
    };
    const abort = (): void => finish(false);
    const rearm = (): void => {
      stopTimer();
      stopTimer = world.clock.after(limits.timeOut * 1000, () => finish(true));
    };
    const acceptDigit = (digit: string): void => {
      if (limits.submitOnHash && digit === '#') return finish(false);
      digits += digit;
      if (digits.length >= limits.maxDigits) return finish(false);
      rearm();
    };
    run.signal.addEventListener('abort', abort);
    const bufferedDigits = leg.keys.buffer;
    leg.keys.buffer = '';
    leg.keys.bargeIn = false;
    leg.keys.listener = acceptDigit;
    rearm();
    for (const digit of bufferedDigits) if (leg.keys.listener === acceptDigit) acceptDigit(digit);
    if (leg.keys.listener === acceptDigit) recordPromptOnce(run);
  });
}

/**
 * An input without `type` gets the legacy body: `dtmf` is a string and `timed_out` a sibling
 * (contract §3).
 */
function buildInputPayload(
  run: NccoRun,
  action: ActionOf<'input'>,
  collected: CollectedDigits,
): { [field: string]: unknown } {
  const { world, leg } = run;
  const { dtmfForm } = world.faults.current().switches;
  const isLegacy = dtmfForm === 'legacy' || (dtmfForm === 'by-type' && action.type === undefined);
  if (isLegacy) {
    const { uuid, conversation_uuid, timestamp } = buildCommonFields(world, leg);
    return {
      uuid,
      conversation_uuid: String(conversation_uuid).replace(/^CON-/, ''),
      timed_out: collected.timedOut,
      dtmf: collected.digits,
      timestamp,
    };
  }
  return {
    speech: { results: [] },
    dtmf: { digits: collected.digits, timed_out: collected.timedOut },
    ...buildCommonFields(world, leg),
  };
}

export async function performInput(run: NccoRun, action: ActionOf<'input'>): Promise<Replacement> {
  const url = action.eventUrl?.[0];
  if (action.mode === 'asynchronous') {
    // Asynchronous digits are sent one at a time while the rest of the NCCO runs.
    if (url !== undefined) run.leg.digitHook = { url, method: action.eventMethod };
    return undefined;
  }
  const isSpeechOnly = action.type !== undefined && !action.type.includes('dtmf');
  const limits = isSpeechOnly
    ? { timeOut: action.speech.startTimeout, maxDigits: Number.POSITIVE_INFINITY, submitOnHash: false }
    : readLimits(action);
  const collected = await collectDigits(run, limits);
  if (run.signal.aborted) return undefined;
  const { leg } = run;
  run.isPrompted = false;
  run.prompt = '';
  const replacement = await requestNcco(
    run,
    'input',
    action,
    isSpeechOnly
      ? { speech: { timeout_reason: 'start_timeout', results: [] }, ...buildCommonFields(run.world, leg) }
      : buildInputPayload(run, action, collected),
  );
  return replacement;
}
