/** An inbound leg: a caller, or the video platform's SIP gateway, reaches a linked number; the answer webhook decides. */
import type { Leg, Party, World } from '../world.ts';
import { digitsOf } from '../world.ts';
import { fetchNcco, voiceHook } from '../webhooks/voice-hook.ts';
import { SYNTAX_ERROR } from './ncco-schema.ts';
import { startNcco } from './ncco-run.ts';
import { sendError } from './events.ts';
import { answerLeg, createLeg, endLeg, legTimer, ringLeg } from './legs.ts';

interface InboundCall {
  kind: 'voice-inbound' | 'voice-sip';
  endpointType: 'phone' | 'sip';
  from: string;
  to: string;
  party: Party;
  /** Written on the answer webhook as SipHeader_…; X-Nexmo* is never forwarded (contract §3). */
  sipHeaders?: Record<string, string>;
}

/** The application a number is linked to. */
export const applicationOf = (world: World, number: string): string | undefined =>
  world.config.numbers.find((linked) => digitsOf(linked.e164) === digitsOf(number))?.applicationId;

const forwarded = (headers: Record<string, string> = {}): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => /^X-/i.test(name) && !/^X-Nexmo/i.test(name))
      .map(([name, value]) => [`SipHeader_${name}`, value]),
  );

/** Makes the leg and rings; the answer webhook goes out on `ring`. Undefined when the number is not linked. */
export function receiveCall(world: World, call: InboundCall): { leg: Leg; ring: () => void } | undefined {
  const applicationId = applicationOf(world, call.to);
  if (applicationId === undefined) return undefined;
  const leg = createLeg(world, {
    kind: call.kind,
    endpointType: call.endpointType,
    applicationId,
    direction: 'inbound',
    from: call.from,
    to: digitsOf(call.to),
    party: call.party,
    lengthMs: world.config.timings.inboundMaxMs,
  });
  legTimer(world, leg, world.config.timings.inboundRingingMs, () =>
    endLeg(world, leg, { reason: 'ringing-timer', by: 'platform', status: 'timeout' }),
  );
  return {
    leg,
    ring: () => {
      ringLeg(world, leg);
      void answer(world, leg, forwarded(call.sipHeaders));
    },
  };
}

async function answer(world: World, leg: Leg, headers: Record<string, string>): Promise<void> {
  const application = world.config.applications.find((candidate) => candidate.id === leg.applicationId);
  if (application?.answerUrl === undefined)
    return endLeg(world, leg, { reason: 'no-answer-url', by: 'platform', status: 'failed', sipCode: 480 });
  const data = {
    to: leg.to,
    from: leg.from,
    uuid: leg.uuid,
    conversation_uuid: leg.conversation.uuid,
    region_url: world.config.behaviour.regionUrl,
    endpoint_type: leg.endpointType,
    ...headers,
  };
  const hook = voiceHook(
    world,
    leg.applicationId,
    'answer',
    { url: application.answerUrl, method: application.answerMethod },
    data,
  );
  const reply = await fetchNcco(world, hook, application.fallbackAnswerUrl, (reason) => sendError(world, leg, reason));
  // Nobody is there to take the answer: the call goes on ringing until its timer (design §2, two handles).
  if (leg.endedAt !== undefined || leg.orphaned) return;
  if (reply.is === 'ncco') {
    answerLeg(world, leg);
    return startNcco(world, leg, reply.ncco);
  }
  if (reply.is === 'none') sendError(world, leg, SYNTAX_ERROR);
  endLeg(world, leg, { reason: `answer-${reply.is}`, by: 'platform' });
}
