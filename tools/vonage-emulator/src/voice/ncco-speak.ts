/** The NCCO actions `talk` and `stream` (contract §4). */
import type { ActionOf } from './ncco-schema.ts';
import type { Replacement, NccoRun } from './ncco-step.ts';

/** Longer than any call: a loop of 0 plays until it is interrupted. */
const ENDLESS_LOOP_MS = 86_400_000;

/** Records, once per input, that digits are accepted from now on. */
export function recordPromptOnce(run: NccoRun): void {
  if (run.isPrompted) return;
  run.isPrompted = true;
  run.leg.party.recordEvent('prompt', { text: run.prompt });
}

async function play(run: NccoRun, text: string, ms: number, bargeIn: boolean): Promise<void> {
  const { world, leg } = run;
  // A digit interrupted an earlier prompt: later prompts before the input are skipped.
  if (leg.keys.bargeIn && leg.keys.buffer !== '') return;
  if (bargeIn) leg.keys.bargeIn = true; // "sticks until an input is met"
  run.prompt = `${run.prompt} ${text}`.trim();
  leg.party.recordEvent('heard', { text });
  if (!leg.keys.bargeIn) return world.clock.delay(ms, run.signal);

  const cut = new AbortController();
  const stop = (): void => cut.abort();
  leg.keys.onKey = stop;
  run.signal.addEventListener('abort', stop);
  recordPromptOnce(run);
  if (leg.keys.buffer === '') await world.clock.delay(ms, cut.signal);
  run.signal.removeEventListener('abort', stop);
  leg.keys.onKey = undefined;
}

const computeLoopMs = (ms: number, loop: number): number => (loop === 0 ? ENDLESS_LOOP_MS : ms * loop);

export async function performTalk(run: NccoRun, action: ActionOf<'talk'>): Promise<Replacement> {
  await play(
    run,
    action.text,
    computeLoopMs(action.text.length * run.world.config.timings.talkMsPerCharacter, action.loop),
    action.bargeIn,
  );
  return undefined;
}

export async function performStream(run: NccoRun, action: ActionOf<'stream'>): Promise<Replacement> {
  await play(
    run,
    `[${action.streamUrl[0] ?? ''}]`,
    computeLoopMs(run.world.config.timings.streamMs, action.loop),
    action.bargeIn,
  );
  return undefined;
}
