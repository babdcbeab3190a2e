/** connect: the platform rings someone else and joins the two (contract §4). */
import { digitsOf } from '../world.ts';
import { overLimit } from '../http/limits.ts';
import type { ActionOf } from './ncco-schema.ts';
import { askForNcco, type Outcome, type Run } from './ncco-step.ts';
import { common, sendError } from './events.ts';
import { endLeg } from './legs.ts';
import { placeCall } from './place-call.ts';

function destination(action: ActionOf<'connect'>): { number: string; type: 'phone' | 'sip' } {
  const [endpoint] = action.endpoint;
  if (endpoint?.type === 'phone') return { number: digitsOf(endpoint.number), type: 'phone' };
  if (endpoint?.type === 'sip') return { number: endpoint.uri, type: 'sip' };
  // app, websocket and vbc are rung like a phone under their own name.
  return {
    number:
      endpoint?.type === 'app' ? endpoint.user : endpoint?.type === 'vbc' ? endpoint.extension : (endpoint?.uri ?? ''),
    type: 'sip',
  };
}

/** Rings the endpoint; goes on when that leg has ended, or with the NCCO a synchronous event answered with. */
export async function performConnect(run: Run, action: ActionOf<'connect'>): Promise<Outcome> {
  const { world, leg } = run;
  if (overLimit(world, leg.applicationId, 'calls')) {
    sendError(world, leg, 'Throttled: over the limit of new calls per second');
    return undefined;
  }
  const { number, type } = destination(action);
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
    onAnswered: () => undefined, // its audio is this leg's: no NCCO of its own
  });
  // The far side goes when this side goes.
  const onAbort = (): void =>
    endLeg(world, child, {
      reason: 'connect-ended',
      by: 'platform',
      ...(child.answeredAt === undefined ? { status: 'cancelled' } : {}),
    });
  run.signal.addEventListener('abort', onAbort, { once: true });
  await new Promise<void>((resolve) => child.over.signal.addEventListener('abort', () => resolve(), { once: true }));
  run.signal.removeEventListener('abort', onAbort);
  if (run.signal.aborted || action.eventType !== 'synchronous' || child.answeredAt !== undefined) return undefined;
  return askForNcco(run, 'event', action, { ...common(world, child), status: child.status, direction: 'outbound' });
}
