/** conversation and transfer: legs meet (contract §4). Neither ends before the call does. */
import type { Conversation, Membership } from '../world.ts';
import { joinConversation, moveAll } from './conversations.ts';
import { sendError } from './events.ts';
import type { ActionOf } from './ncco-schema.ts';
import type { Outcome, Run } from './ncco-step.ts';

const over = (run: Run): Promise<void> =>
  new Promise((resolve) => {
    if (run.signal.aborted) return resolve();
    run.signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** "Action only ends when the call is ended, therefore all actions after it are ignored." */
export async function performConversation(run: Run, action: ActionOf<'conversation'>): Promise<Outcome> {
  const membership: Membership = {
    startOnEnter: action.startOnEnter,
    endOnExit: action.endOnExit,
    muted: action.mute,
    canSpeak: action.canSpeak,
    canHear: action.canHear,
    holdMusic: [action.musicOnHoldUrl ?? []].flat()[0],
  };
  if (joinConversation(run.world, run.leg, action.name, membership)) await over(run);
  return undefined;
}

const find = (run: Run, uuid: string): Conversation | undefined =>
  [...run.world.conversations.values()].find((one) => one.uuid === uuid && one.applicationId === run.leg.applicationId);

/** "moves all legs of the current conversation into another existing one; terminal" (contract §4). */
export async function performTransfer(run: Run, action: ActionOf<'transfer'>): Promise<Outcome> {
  const target = find(run, action.conversationId);
  if (target === undefined) {
    sendError(run.world, run.leg, 'Conversation not found');
    return undefined;
  }
  moveAll(run.world, run.left, run.leg, target, {
    startOnEnter: true,
    endOnExit: false,
    muted: action.mute,
    canSpeak: action.canSpeak,
    canHear: action.canHear,
  });
  await over(run);
  return undefined;
}
