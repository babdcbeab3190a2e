/** Requests the NCCO of an answer URL and applies it to a leg (contract §3, answer webhook). */
import { findApplication } from '../config.ts';
import { createVoiceHook, fetchNcco, type NccoReply } from '../webhooks/voice-hook.ts';
import type { HookTarget, Leg, World } from '../world.ts';
import { sendError } from './events.ts';
import { endLeg } from './legs.ts';
import { startNcco } from './ncco-run.ts';
import { SYNTAX_ERROR } from './ncco-schema.ts';

/**
 * Requests an answer NCCO, then the application's fallback URL. `extra` adds fields to the request.
 */
export function requestAnswer(
  world: World,
  leg: Leg,
  target: HookTarget,
  extra: { [field: string]: unknown } = {},
): Promise<NccoReply> {
  const data = { to: leg.to, from: leg.from, uuid: leg.uuid, conversation_uuid: leg.conversation.uuid, ...extra };
  return fetchNcco(
    world,
    createVoiceHook(world, leg.applicationId, 'answer', target, data),
    findApplication(world.config, leg.applicationId)?.fallbackAnswerUrl,
    (reason) => sendError(world, leg, reason),
  );
}

/** Starts the NCCO of a reply. The call ends when the reply has no valid NCCO. */
export function applyAnswer(world: World, leg: Leg, reply: NccoReply): void {
  if (reply.is === 'ncco') return startNcco(world, leg, reply.ncco);
  if (reply.is === 'none') sendError(world, leg, SYNTAX_ERROR);
  endLeg(world, leg, { reason: `answer-${reply.is}`, by: 'platform' });
}

/** The fields of an answer request for a new call. */
export const buildNewCallFields = (world: World, leg: Leg): { [field: string]: unknown } => ({
  region_url: world.config.behaviour.regionUrl,
  endpoint_type: leg.endpointType,
});
