/** The NCCO action `connect`: calls an endpoint and joins it to the leg (contract §4). */
import { toDigits } from '../world.ts';
import { exceedsRateLimit } from '../http/limits.ts';
import type { ActionOf } from './ncco-schema.ts';
import { requestNcco, type Replacement, type NccoRun } from './ncco-step.ts';
import { buildCommonFields, sendError } from './events.ts';
import { endLeg } from './legs.ts';
import { placeCall } from './place-call.ts';

function readDestination(action: ActionOf<'connect'>): { number: string; type: 'phone' | 'sip' } {
  const [endpoint] = action.endpoint;
  if (endpoint?.type === 'phone') return { number: toDigits(endpoint.number), type: 'phone' };
  if (endpoint?.type === 'sip') return { number: endpoint.uri, type: 'sip' };
  // app, websocket and vbc endpoints behave like a phone with their own name.
  return {
    number:
      endpoint?.type === 'app' ? endpoint.user : endpoint?.type === 'vbc' ? endpoint.extension : (endpoint?.uri ?? ''),
    type: 'sip',
  };
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
  const { number, type } = readDestination(action);
  const url = action.eventUrl?.[0];
  const child = placeCall(world, {
    applicationId: leg.applicationId,
    from: action.from ?? leg.to,
    to: number,
    endpointType: type,
    conversation: leg.conversation,
    ringMs: action.timeout * 1000,
    lengthMs: action.limit * 1000,
    machineDetection: action.machineDetection,
    ...(url === undefined ? {} : { eventHook: { url, method: action.eventMethod } }),
    onAnswered: () => undefined, // the endpoint shares this leg's audio and has no NCCO
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
