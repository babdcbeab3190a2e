/** talk, stream, record: sound towards the caller, and from it (contract §4). */
import { isoTime } from './events.ts';
import type { ActionOf } from './ncco-schema.ts';
import { askForNcco, type Outcome, type Run } from './ncco-step.ts';

/** Longer than any call: a loop of 0 plays until something stops it. */
const ENDLESS_MS = 86_400_000;

/** Tells the person that keys are taken from now on; once per input. */
export function promptOnce(run: Run): void {
  if (run.prompted) return;
  run.prompted = true;
  run.leg.party.note('prompt', { text: run.prompt });
}

async function play(run: Run, text: string, ms: number, bargeIn: boolean): Promise<void> {
  const { world, leg } = run;
  // A key already cut an earlier prompt short: the ones before the input are skipped.
  if (leg.keys.bargeIn && leg.keys.buffer !== '') return;
  if (bargeIn) leg.keys.bargeIn = true; // "sticks until an input is met"
  run.prompt = `${run.prompt} ${text}`.trim();
  leg.party.note('heard', { text });
  if (!leg.keys.bargeIn) return world.clock.delay(ms, run.signal);

  const cut = new AbortController();
  const stop = (): void => cut.abort();
  leg.keys.wake = stop;
  run.signal.addEventListener('abort', stop);
  promptOnce(run);
  if (leg.keys.buffer === '') await world.clock.delay(ms, cut.signal);
  run.signal.removeEventListener('abort', stop);
  leg.keys.wake = undefined;
}

const looped = (ms: number, loop: number): number => (loop === 0 ? ENDLESS_MS : ms * loop);

export async function performTalk(run: Run, action: ActionOf<'talk'>): Promise<Outcome> {
  await play(
    run,
    action.text,
    looped(action.text.length * run.world.config.timings.talkMsPerCharacter, action.loop),
    action.bargeIn,
  );
  return undefined;
}

export async function performStream(run: Run, action: ActionOf<'stream'>): Promise<Outcome> {
  await play(
    run,
    `[${action.streamUrl[0] ?? ''}]`,
    looped(run.world.config.timings.streamMs, action.loop),
    action.bargeIn,
  );
  return undefined;
}

/** Records until endOnKey, its timeOut or the configured length; then posts the recording event (no `status`). */
export async function performRecord(run: Run, action: ActionOf<'record'>): Promise<Outcome> {
  const { world, leg } = run;
  const began = world.clock.now();
  const cut = new AbortController();
  const stop = (): void => cut.abort();
  run.signal.addEventListener('abort', stop);
  leg.keys.listener = (digit) => (digit === action.endOnKey ? stop() : undefined);
  await world.clock.delay(
    action.timeOut === undefined ? world.config.timings.recordMs : action.timeOut * 1000,
    cut.signal,
  );
  run.signal.removeEventListener('abort', stop);
  if (run.signal.aborted) return undefined;
  leg.keys.listener = undefined;
  leg.party.note('recorded');
  const recording = world.newId();
  await askForNcco(run, 'record', action, {
    start_time: isoTime(began),
    end_time: isoTime(world.clock.now()),
    recording_url: `https://api.nexmo.com/v1/files/${recording}`,
    size: world.clock.now() - began,
    recording_uuid: recording,
    conversation_uuid: leg.conversation.uuid,
    timestamp: isoTime(world.clock.now()),
  });
  return undefined;
}
