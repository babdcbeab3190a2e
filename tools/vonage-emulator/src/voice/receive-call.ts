/** Inbound legs: a caller, or the video platform's SIP gateway, calls a linked number. */
import { findApplication } from '../config.ts';
import { toDigits, type Leg, type Party, type World } from '../world.ts';
import { applyAnswer, buildNewCallFields, requestAnswer } from './answer-url.ts';
import { answerLeg, createLeg, endLeg, ringLeg, runForLeg, startLegTimer } from './legs.ts';

interface InboundCall {
  kind: 'voice-inbound' | 'voice-sip';
  endpointType: 'phone' | 'sip';
  from: string;
  to: string;
  /** The application of an own SIP domain. Default: that of the number. */
  applicationId?: string;
  party: Party;
  /** Forwarded in the answer webhook as `SipHeader_<name>`, except X-Nexmo* (contract §3). */
  sipHeaders?: Record<string, string>;
}

/** Returns the id of the application that a number is linked to. */
export const findApplicationId = (world: World, number: string): string | undefined =>
  world.config.numbers.find((linked) => toDigits(linked.e164) === toDigits(number))?.applicationId;

const buildSipHeaderFields = (headers: Record<string, string> = {}): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => /^X-/i.test(name) && !/^X-Nexmo/i.test(name))
      .map(([name, value]) => [`SipHeader_${name}`, value]),
  );

/** Creates an inbound leg; `ring` sends the answer webhook. Undefined for an unlinked number. */
export function receiveCall(world: World, call: InboundCall): { leg: Leg; ring: () => void } | undefined {
  const applicationId = call.applicationId ?? findApplicationId(world, call.to);
  if (applicationId === undefined) return undefined;
  const leg = createLeg(world, {
    kind: call.kind,
    endpointType: call.endpointType,
    applicationId,
    direction: 'inbound',
    from: call.from,
    to: toDigits(call.to),
    party: call.party,
    lengthMs: world.config.timings.inboundMaxMs,
  });
  startLegTimer(world, leg, world.config.timings.inboundRingingMs, () =>
    endLeg(world, leg, { reason: 'ringing-timer', by: 'platform', status: 'timeout' }),
  );
  return {
    leg,
    ring: () => {
      ringLeg(world, leg);
      runForLeg(world, leg, runAnswerWebhook(world, leg, buildSipHeaderFields(call.sipHeaders)));
    },
  };
}

async function runAnswerWebhook(world: World, leg: Leg, headers: Record<string, string>): Promise<void> {
  const application = findApplication(world.config, leg.applicationId);
  if (application?.answerUrl === undefined)
    return endLeg(world, leg, { reason: 'no-answer-url', by: 'platform', status: 'failed', sipCode: 480 });
  const target = { url: application.answerUrl, method: application.answerMethod };
  const reply = await requestAnswer(world, leg, target, { ...buildNewCallFields(world, leg), ...headers });
  // An abandoned call continues to ring until its timer.
  if (leg.endedAt !== undefined || leg.isAbandoned) return;
  if (reply.is === 'ncco') answerLeg(world, leg);
  applyAnswer(world, leg, reply);
}
