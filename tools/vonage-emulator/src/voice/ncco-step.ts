/** What the actions of a running NCCO share. */
import type { Conversation, Leg, World } from '../world.ts';
import { fetchNcco, voiceHook } from '../webhooks/voice-hook.ts';
import { eventTarget, sendError } from './events.ts';
import type { Ncco } from './ncco-schema.ts';

/** One running NCCO. */
export interface Run {
  world: World;
  leg: Leg;
  /** The conversation that it was in before. */
  left: Conversation;
  /** Aborts when the NCCO is replaced or the leg ends. */
  signal: AbortSignal;
  /** What comes after the action that runs now. */
  rest: Ncco;
  /** The last prompt text, for the person who is to key. */
  prompt: string;
  prompted: boolean;
}

/** An action's result: another NCCO in place of the rest, or nothing. */
export type Outcome = Ncco | undefined;

/** Posts to an action's eventUrl (or the leg's) and reads the reply; an NCCO in it replaces the rest. */
export async function askForNcco(
  run: Run,
  kind: 'input' | 'notify' | 'event' | 'record',
  action: { eventUrl?: string[]; eventMethod: 'GET' | 'POST' },
  data: { [field: string]: unknown },
): Promise<Outcome> {
  const { world, leg } = run;
  const url = action.eventUrl?.[0];
  const target = url === undefined ? eventTarget(world, leg) : { url, method: action.eventMethod };
  if (target === undefined) return undefined;
  const fallback = world.config.applications.find(
    (application) => application.id === leg.applicationId,
  )?.fallbackAnswerUrl;
  const reply = await fetchNcco(world, voiceHook(world, leg.applicationId, kind, target, data), fallback, (reason) =>
    sendError(world, leg, reason),
  );
  return reply.is === 'ncco' ? reply.ncco : undefined; // else "continue the call flow" (contract §3)
}
