/** input: collects digits and posts them; the reply may replace the NCCO (contract §3 input callback, §4). */
import { common } from './events.ts';
import type { ActionOf } from './ncco-schema.ts';
import { askForNcco, type Outcome, type Run } from './ncco-step.ts';
import { promptOnce } from './ncco-speak.ts';

interface Collected {
  digits: string;
  timedOut: boolean;
}

interface Limits {
  timeOut: number;
  maxDigits: number;
  submitOnHash: boolean;
}

const limitsOf = (action: ActionOf<'input'>): Limits => ({
  timeOut: action.timeOut ?? action.dtmf.timeOut,
  maxDigits: action.maxDigits ?? action.dtmf.maxDigits,
  submitOnHash: action.submitOnHash ?? action.dtmf.submitOnHash,
});

/** Collects until maxDigits, "#", or `timeOut` seconds after the last thing keyed. */
function collect(run: Run, limits: Limits): Promise<Collected> {
  const { world, leg } = run;
  return new Promise((resolve) => {
    let digits = '';
    let stopTimer = (): void => undefined;
    const finish = (timedOut: boolean): void => {
      stopTimer();
      run.signal.removeEventListener('abort', abort);
      if (leg.keys.listener === take) leg.keys.listener = undefined;
      resolve({ digits, timedOut });
    };
    const abort = (): void => finish(false);
    const rearm = (): void => {
      stopTimer();
      stopTimer = world.clock.after(limits.timeOut * 1000, () => finish(true));
    };
    const take = (digit: string): void => {
      if (limits.submitOnHash && digit === '#') return finish(false);
      digits += digit;
      if (digits.length >= limits.maxDigits) return finish(false);
      rearm();
    };
    run.signal.addEventListener('abort', abort);
    const early = leg.keys.buffer;
    leg.keys.buffer = '';
    leg.keys.bargeIn = false;
    leg.keys.listener = take;
    rearm();
    for (const digit of early) if (leg.keys.listener === take) take(digit);
    if (leg.keys.listener === take) promptOnce(run);
  });
}

/** Legacy: digits as a string and `timed_out` beside it, when the input named no `type` (contract §3). */
function payload(run: Run, action: ActionOf<'input'>, got: Collected): { [field: string]: unknown } {
  const { world, leg } = run;
  const { dtmfForm } = world.faults.current().switches;
  const legacy = dtmfForm === 'legacy' || (dtmfForm === 'by-type' && action.type === undefined);
  if (legacy) {
    const { uuid, conversation_uuid, timestamp } = common(world, leg);
    return {
      uuid,
      conversation_uuid: String(conversation_uuid).replace(/^CON-/, ''),
      timed_out: got.timedOut,
      dtmf: got.digits,
      timestamp,
    };
  }
  return { speech: { results: [] }, dtmf: { digits: got.digits, timed_out: got.timedOut }, ...common(world, leg) };
}

export async function performInput(run: Run, action: ActionOf<'input'>): Promise<Outcome> {
  const url = action.eventUrl?.[0];
  if (action.mode === 'asynchronous') {
    // Digits go out one at a time while the rest of the NCCO runs on.
    if (url !== undefined) run.leg.digitHook = { url, method: action.eventMethod };
    return undefined;
  }
  const speechOnly = action.type !== undefined && !action.type.includes('dtmf');
  const limits = speechOnly
    ? { timeOut: action.speech.startTimeout, maxDigits: Number.POSITIVE_INFINITY, submitOnHash: false }
    : limitsOf(action);
  const got = await collect(run, limits);
  if (run.signal.aborted) return undefined;
  const { leg } = run;
  run.prompted = false;
  run.prompt = '';
  const replacement = await askForNcco(
    run,
    'input',
    action,
    speechOnly
      ? { speech: { timeout_reason: 'start_timeout', results: [] }, ...common(run.world, leg) }
      : payload(run, action, got),
  );
  return replacement;
}
