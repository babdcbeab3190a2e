/** Recordings: the NCCO action `record`, and `record` of a conversation (contract §4). */
import type { HookTarget, Leg, Recording, World } from '../world.ts';
import { findEventTarget, formatIsoTime, queueHook } from './events.ts';
import type { ActionOf } from './ncco-schema.ts';
import type { NccoRun, Replacement } from './ncco-step.ts';

/** Stores a recording from `startedAtMs` until now, and sends its event, which has no `status`. */
function finishRecording(
  world: World,
  leg: Leg,
  format: Recording['format'],
  startedAtMs: number,
  target: HookTarget | undefined,
  conversationUuid: string,
): void {
  const id = world.newId();
  const now = world.clock.now();
  world.recordings.set(id, { applicationId: leg.applicationId, format, size: now - startedAtMs });
  leg.party.recordEvent('recorded');
  if (target === undefined) return;
  queueHook(
    world,
    leg,
    'record',
    {
      start_time: formatIsoTime(startedAtMs),
      end_time: formatIsoTime(now),
      recording_url: `${world.baseUrl}/v1/files/${id}`,
      size: now - startedAtMs,
      recording_uuid: id,
      conversation_uuid: conversationUuid,
      timestamp: formatIsoTime(now),
    },
    { target },
  );
}

/** Starts a recording. It ends once: with the returned function, or with the leg. */
function startRecording(
  world: World,
  leg: Leg,
  format: Recording['format'],
  target: HookTarget | undefined,
): () => void {
  const startedAtMs = world.clock.now();
  const { uuid } = leg.conversation;
  const finish = (): void => {
    if (leg.recordings.delete(finish)) finishRecording(world, leg, format, startedAtMs, target, uuid);
  };
  leg.recordings.add(finish);
  return finish;
}

const findTarget = (world: World, leg: Leg, action: ActionOf<'record' | 'conversation'>): HookTarget | undefined =>
  action.eventUrl?.[0] === undefined
    ? findEventTarget(world, leg)
    : { url: action.eventUrl[0], method: action.eventMethod };

/**
 * Records until endOnKey, endOnSilence or timeOut. Without any of them the recording is
 * asynchronous: the next action runs at once, and the recording ends with the call.
 */
export async function performRecord(run: NccoRun, action: ActionOf<'record'>): Promise<Replacement> {
  const { world, leg } = run;
  const finish = startRecording(world, leg, action.format, findTarget(world, leg, action));
  const { endOnKey, endOnSilence, timeOut } = action;
  if (endOnKey === undefined && endOnSilence === undefined && timeOut === undefined) return undefined;
  const cut = new AbortController();
  const stop = (): void => cut.abort();
  run.signal.addEventListener('abort', stop);
  leg.keys.listener = (digit) => (digit === endOnKey ? stop() : undefined);
  // Nobody speaks here: silence begins with the recording.
  const limits = [endOnSilence, timeOut].flatMap((seconds) => (seconds === undefined ? [] : [seconds * 1000]));
  await world.clock.delay(limits.length === 0 ? world.config.timings.recordMs : Math.min(...limits), cut.signal);
  run.signal.removeEventListener('abort', stop);
  finish();
  if (!run.signal.aborted) leg.keys.listener = undefined;
  return undefined;
}

/** Records a conversation from the leg that asked for it, until that leg leaves. */
export const recordConversation = (run: NccoRun, action: ActionOf<'conversation'>): (() => void) =>
  startRecording(run.world, run.leg, 'mp3', findTarget(run.world, run.leg, action));
