/** Runs an NCCO on a leg: actions in order; "when all the actions in the NCCO are complete, the Call ends" (contract §4). */
import type { Leg, World } from '../world.ts';
import { fetchNcco, voiceHook } from '../webhooks/voice-hook.ts';
import { performConnect } from './ncco-connect.ts';
import { performConversation, performTransfer } from './ncco-conversation.ts';
import { performInput } from './ncco-input.ts';
import type { Action, Ncco } from './ncco-schema.ts';
import { performRecord, performStream, performTalk } from './ncco-speak.ts';
import { leaveConversation, privateConversation } from './conversations.ts';
import { common, eventTarget, isoTime, sendError } from './events.ts';
import { endLeg } from './legs.ts';

/** One running NCCO. */
export interface Run {
  world: World;
  leg: Leg;
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
export async function askForNcco(run: Run, kind: 'input' | 'notify' | 'event' | 'record', action: { eventUrl?: string[]; eventMethod: 'GET' | 'POST' }, data: { [field: string]: unknown }): Promise<Outcome> {
  const { world, leg } = run;
  const url = action.eventUrl?.[0];
  const target = url === undefined ? eventTarget(world, leg) : { url, method: action.eventMethod };
  if (target === undefined) return undefined;
  const fallback = world.config.applications.find((application) => application.id === leg.applicationId)?.fallbackAnswerUrl;
  const reply = await fetchNcco(world, voiceHook(world, leg.applicationId, kind, target, data), fallback, (reason) => sendError(world, leg, reason));
  return reply.is === 'ncco' ? reply.ncco : undefined; // else "continue the call flow" (contract §3)
}

async function perform(run: Run, action: Action): Promise<Outcome> {
  const { world, leg } = run;
  switch (action.action) {
    case 'talk': return performTalk(run, action);
    case 'stream': return performStream(run, action);
    case 'record': return performRecord(run, action);
    case 'input': return performInput(run, action);
    case 'conversation': return performConversation(run, action);
    case 'transfer': return performTransfer(run, action);
    case 'connect': return performConnect(run, action);
    case 'notify':
      return askForNcco(run, 'notify', action, { ...common(world, leg), payload: action.payload, timestamp: isoTime(world.clock.now()) });
    case 'wait':
      await world.clock.delay(action.timeout * 1000, run.signal);
      return undefined;
    case 'pay': return undefined; // card capture is not emulated
  }
}

/** Starts an NCCO on an answered leg, in place of whatever ran before. */
export function startNcco(world: World, leg: Leg, ncco: Ncco): void {
  if (leg.endedAt !== undefined) return;
  leg.run?.abort();
  if (leaveConversation(world, leg) !== undefined) leg.conversation = privateConversation(world, leg.applicationId);
  const control = new AbortController();
  leg.run = control;
  leg.keys.listener = undefined;
  const run: Run = { world, leg, signal: control.signal, rest: ncco, prompt: '', prompted: false };
  void runAll(run);
}

async function runAll(run: Run): Promise<void> {
  for (let action = run.rest[0]; action !== undefined; action = run.rest[0]) {
    run.rest = run.rest.slice(1);
    const replacement = await perform(run, action);
    if (run.signal.aborted) return;
    if (replacement !== undefined) {
      run.rest = replacement;
      run.leg.keys.buffer = '';
      run.leg.keys.bargeIn = false;
      run.prompted = false;
      run.prompt = '';
    }
  }
  endLeg(run.world, run.leg, { reason: 'ncco-complete', by: 'platform' });
}
