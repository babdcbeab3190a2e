/** Shared by the actions of a running NCCO. */
import { findApplication } from '../config.ts';
import type { Conversation, Leg, World } from '../world.ts';
import { fetchNcco, createVoiceHook } from '../webhooks/voice-hook.ts';
import { findEventTarget, sendError } from './events.ts';
import type { Ncco } from './ncco-schema.ts';

export interface NccoRun {
  world: World;
  leg: Leg;
  /** The leg's conversation before this NCCO started. */
  previousConversation: Conversation;
  /** Aborts when the NCCO is replaced or the leg ends. */
  signal: AbortSignal;
  /** The actions after the current one. */
  rest: Ncco;
  /** The prompt text since the last input. */
  prompt: string;
  isPrompted: boolean;
}

/** An action's result: an NCCO that replaces the remaining actions, or undefined. */
export type Replacement = Ncco | undefined;

/** Posts to an action's eventUrl, or to the leg's. Returns the NCCO of the reply. */
export async function requestNcco(
  run: NccoRun,
  kind: 'input' | 'notify' | 'event' | 'record',
  action: { eventUrl?: string[]; eventMethod: 'GET' | 'POST' },
  data: { [field: string]: unknown },
): Promise<Replacement> {
  const { world, leg } = run;
  const url = action.eventUrl?.[0];
  const target = url === undefined ? findEventTarget(world, leg) : { url, method: action.eventMethod };
  if (target === undefined) return undefined;
  const fallback = findApplication(world.config, leg.applicationId)?.fallbackAnswerUrl;
  const reply = await fetchNcco(
    world,
    createVoiceHook(world, leg.applicationId, kind, target, data),
    fallback,
    (reason) => sendError(world, leg, reason),
  );
  return reply.is === 'ncco' ? reply.ncco : undefined; // otherwise "continue the call flow" (contract §3)
}
