/** Outbound legs to simulated phones. */
import type { z } from 'zod';
import { toDigits, type Conversation, type EndpointType, type HookTarget, type Leg, type World } from '../world.ts';
import type { PhoneBehaviour } from '../views.ts';
import { createPerson } from '../people/persons.ts';
import { answerLeg, createLeg, endLeg, startLegTimer, ringLeg } from './legs.ts';
import { detectMachine, type MachineDetection } from './machine-detection.ts';
import type { endpoint } from './ncco-schema.ts';

interface OutboundCall {
  applicationId: string;
  from: string;
  to: string;
  endpointType: EndpointType;
  ringMs: number;
  lengthMs: number;
  eventHook?: HookTarget;
  conversation?: Conversation;
  machineDetection?: MachineDetection;
  onAnswered: (leg: Leg) => void;
}

type Endpoint = z.output<typeof endpoint>;

/** Returns the address of an endpoint: a number, a URI, an extension or a user. */
export function readEndpoint(to: Endpoint): { to: string; endpointType: EndpointType } {
  switch (to.type) {
    case 'phone':
      return { to: toDigits(to.number), endpointType: 'phone' };
    case 'sip':
      return { to: to.uri ?? `sip:${to.user}@${to.domain}`, endpointType: 'sip' };
    case 'websocket':
      return { to: to.uri, endpointType: 'websocket' };
    case 'vbc':
      return { to: to.extension, endpointType: 'vbc' };
    case 'app':
      return { to: to.user, endpointType: 'app' };
    default:
      throw new TypeError(`Unknown endpoint: ${String(to satisfies never)}`);
  }
}

/** Final status of a call to a phone that does not answer (contract §3, event webhook table). */
const UNANSWERED_OUTCOMES: Partial<
  Record<PhoneBehaviour['mode'], { status: string; detail?: string; sipCode: number }>
> = {
  busy: { status: 'busy', sipCode: 486 },
  reject: { status: 'rejected', detail: 'declined', sipCode: 603 },
  unavailable: { status: 'unanswered', detail: 'unavailable', sipCode: 480 },
  failed: { status: 'failed', detail: 'cannot_route', sipCode: 404 },
};

function pickUp(world: World, leg: Leg, behaviour: PhoneBehaviour, call: OutboundCall): void {
  answerLeg(world, leg);
  if (behaviour.hangUpAfterMs !== undefined)
    startLegTimer(world, leg, behaviour.hangUpAfterMs, () => endLeg(world, leg, { reason: 'hung-up', by: 'user' }));
  if (call.machineDetection === undefined || detectMachine(world, leg, call.machineDetection, behaviour))
    call.onAnswered(leg);
}

/** Calls a number and returns its leg at once. The phone's behaviour decides what follows. */
export function placeCall(world: World, call: OutboundCall): Leg {
  const behaviour = world.phones.get(call.to) ?? { mode: 'answer' };
  const { person, party } = createPerson(world, 'phone', call.from, call.to);
  const leg = createLeg(world, { ...call, kind: 'voice-outbound', direction: 'outbound', party });
  person.leg = leg;
  person.callId = leg.uuid;
  person.pickUp = () => pickUp(world, leg, behaviour, call);
  const afterMs = behaviour.afterMs ?? world.config.timings.phoneAnswerMs;
  const unanswered = UNANSWERED_OUTCOMES[behaviour.mode];
  if (behaviour.mode !== 'failed') startLegTimer(world, leg, 0, () => ringLeg(world, leg));
  if (unanswered !== undefined) {
    const detail = behaviour.detail ?? unanswered.detail;
    startLegTimer(world, leg, afterMs, () =>
      endLeg(world, leg, { ...unanswered, ...(detail && { detail }), reason: unanswered.status, by: 'user' }),
    );
  } else if (behaviour.mode !== 'no-answer') {
    startLegTimer(world, leg, afterMs, () => pickUp(world, leg, behaviour, call));
  }
  const status = world.config.behaviour.ringTimeoutStatus;
  startLegTimer(world, leg, call.ringMs, () =>
    endLeg(world, leg, {
      reason: 'ringing-timer',
      by: 'platform',
      status,
      ...(status === 'unanswered' ? { detail: 'timeout', sipCode: 480 } : {}),
    }),
  );
  return leg;
}
