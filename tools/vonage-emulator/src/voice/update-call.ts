/** The actions of PUT /v1/calls/:uuid on a live leg. */
import type { Leg, World } from '../world.ts';
import { fetchNcco, createVoiceHook } from '../webhooks/voice-hook.ts';
import { startNcco } from './ncco-run.ts';
import { SYNTAX_ERROR, type Ncco } from './ncco-schema.ts';
import { sendError } from './events.ts';
import { endLeg } from './legs.ts';

/** Hangs up a leg in any state. An unanswered outbound leg is cancelled. */
export function hangUpLeg(world: World, leg: Leg): void {
  const cancelled = leg.answeredAt === undefined && leg.direction === 'outbound';
  endLeg(world, leg, {
    reason: 'rest-hangup',
    by: 'platform',
    ...(cancelled ? { status: 'cancelled', sipCode: 487 } : {}),
  });
}

export function applyMuteAction(world: World, leg: Leg, action: 'mute' | 'unmute' | 'earmuff' | 'unearmuff'): void {
  if (action === 'mute' || action === 'unmute') leg.muted = action === 'mute';
  else leg.earmuffed = action === 'earmuff';
  leg.party.recordEvent(
    ({ mute: 'muted', unmute: 'unmuted', earmuff: 'earmuffed', unearmuff: 'unearmuffed' } as const)[action],
  );
  world.changes.notify();
}

/** Replaces the leg's NCCO. */
export const transferToNcco = (world: World, leg: Leg, ncco: Ncco): void => startNcco(world, leg, ncco);

/** Replaces the leg's NCCO with the reply of a URL. The call ends without a valid NCCO. */
export async function transferToUrl(world: World, leg: Leg, url: string): Promise<void> {
  const data = { to: leg.to, from: leg.from, uuid: leg.uuid, conversation_uuid: leg.conversation.uuid };
  const fallback = world.config.applications.find(
    (application) => application.id === leg.applicationId,
  )?.fallbackAnswerUrl;
  const hook = createVoiceHook(world, leg.applicationId, 'answer', { url, method: 'GET' }, data);
  const reply = await fetchNcco(world, hook, fallback, (reason) => sendError(world, leg, reason));
  if (reply.is === 'ncco') return startNcco(world, leg, reply.ncco);
  if (reply.is === 'none') sendError(world, leg, SYNTAX_ERROR);
  endLeg(world, leg, { reason: `answer-${reply.is}`, by: 'platform' });
}
