/** The NCCO action `connect`: calls an endpoint and joins it to the leg (contract §4). */
import { exceedsRateLimit } from '../http/limits.ts';
import type { Leg, World } from '../world.ts';
import { createVoiceHook, fetchNcco } from '../webhooks/voice-hook.ts';
import { readMachineDetection } from './machine-detection.ts';
import type { ActionOf } from './ncco-schema.ts';
import { requestNcco, type Replacement, type NccoRun } from './ncco-step.ts';
import { buildCommonFields, sendError } from './events.ts';
import { endLeg, runForLeg } from './legs.ts';
import { placeCall, readEndpoint } from './place-call.ts';

/**
 * Plays the NCCO of the endpoint's `onAnswer` URL to the called party before it joins the caller.
 * Only its `talk` and `stream` actions have an effect.
 */
async function playOnAnswer(world: World, child: Leg, url: string): Promise<void> {
  const data = { ...buildCommonFields(world, child), endpoint_type: child.endpointType };
  const hook = createVoiceHook(world, child.applicationId, 'answer', { url, method: 'GET' }, data);
  const reply = await fetchNcco(world, hook, undefined, (reason) => sendError(world, child, reason));
  if (reply.is !== 'ncco' || child.endedAt !== undefined) return;
  for (const action of reply.ncco) {
    if (action.action === 'talk') child.party.recordEvent('heard', { text: action.text });
    if (action.action === 'stream') child.party.recordEvent('heard', { text: `[${action.streamUrl[0] ?? ''}]` });
  }
  world.changes.notify();
}

/**
 * Calls the endpoint and waits for its end. Returns the NCCO that a synchronous event replied with.
 */
export async function performConnect(run: NccoRun, action: ActionOf<'connect'>): Promise<Replacement> {
  const { world, leg } = run;
  if (exceedsRateLimit(world, leg.applicationId, 'calls')) {
    sendError(world, leg, 'Throttled: over the limit of new calls per second');
    return undefined;
  }
  const [destination] = action.endpoint;
  if (destination === undefined) return undefined;
  const url = action.eventUrl?.[0];
  const child = placeCall(world, {
    applicationId: leg.applicationId,
    from: action.from ?? leg.to,
    ...readEndpoint(destination),
    conversation: leg.conversation,
    ringMs: action.timeout * 1000,
    lengthMs: action.limit * 1000,
    machineDetection: readMachineDetection({
      machine_detection: action.machineDetection,
      ...(action.advancedMachineDetection && {
        advanced_machine_detection: {
          ...action.advancedMachineDetection,
          beep_timeout: action.advancedMachineDetection.beepTimeout,
        },
      }),
    }),
    ...(url === undefined ? {} : { eventHook: { url, method: action.eventMethod } }),
    // The endpoint shares this leg's audio. Only `onAnswer` gives it an NCCO, before that.
    onAnswered: (answered) => {
      if (destination.type === 'phone' && destination.onAnswer !== undefined)
        runForLeg(world, answered, playOnAnswer(world, answered, destination.onAnswer.url));
    },
  });
  const onAbort = (): void =>
    endLeg(world, child, {
      reason: 'connect-ended',
      by: 'platform',
      ...(child.answeredAt === undefined ? { status: 'cancelled' } : {}),
    });
  run.signal.addEventListener('abort', onAbort, { once: true });
  await new Promise<void>((resolve) =>
    child.endController.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  run.signal.removeEventListener('abort', onAbort);
  if (run.signal.aborted || action.eventType !== 'synchronous' || child.answeredAt !== undefined) return undefined;
  return requestNcco(run, 'event', action, {
    ...buildCommonFields(world, child),
    status: child.status,
    direction: 'outbound',
  });
}
