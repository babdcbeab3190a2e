/** The actions of PUT /v1/calls/:uuid on a live leg. */
import type { Leg, World } from '../world.ts';
import { applyAnswer, requestAnswer } from './answer-url.ts';
import { startNcco } from './ncco-run.ts';
import type { Ncco } from './ncco-schema.ts';
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
  if (action === 'mute' || action === 'unmute') {
    leg.muted = action === 'mute';
    // Also the `mute` of the NCCO action by which it joined.
    for (const { members } of world.conversations.values()) {
      const membership = members.get(leg);
      if (membership !== undefined) membership.muted = leg.muted;
    }
  } else leg.earmuffed = action === 'earmuff';
  leg.party.recordEvent(
    ({ mute: 'muted', unmute: 'unmuted', earmuff: 'earmuffed', unearmuff: 'unearmuffed' } as const)[action],
  );
  world.changes.notify();
}

/** Replaces the leg's NCCO. */
export const transferToNcco = (world: World, leg: Leg, ncco: Ncco): void => startNcco(world, leg, ncco);

/** Replaces the leg's NCCO with the reply of a URL. The call ends without a valid NCCO. */
export async function transferToUrl(world: World, leg: Leg, url: string): Promise<void> {
  applyAnswer(world, leg, await requestAnswer(world, leg, { url, method: 'GET' }));
}
