/** The NCCO actions `conversation` and `transfer` (contract §4). They last until the call ends. */
import type { Conversation, Membership } from '../world.ts';
import { joinConversation, moveConversation } from './conversations.ts';
import { sendError } from './events.ts';
import { recordConversation } from './ncco-record.ts';
import type { ActionOf } from './ncco-schema.ts';
import type { Replacement, NccoRun } from './ncco-step.ts';

const waitForEnd = (run: NccoRun): Promise<void> =>
  new Promise((resolve) => {
    if (run.signal.aborted) return resolve();
    run.signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** "Action only ends when the call is ended, therefore all actions after it are ignored." */
export async function performConversation(run: NccoRun, action: ActionOf<'conversation'>): Promise<Replacement> {
  const membership: Membership = {
    startOnEnter: action.startOnEnter,
    endOnExit: action.endOnExit,
    muted: action.mute,
    canSpeak: action.canSpeak,
    canHear: action.canHear,
    holdMusic: [action.musicOnHoldUrl ?? []].flat()[0],
  };
  if (!joinConversation(run.world, run.leg, action.name, membership, run.previousConversation.uuid)) return undefined;
  const finish = action.record ? recordConversation(run, action) : undefined;
  await waitForEnd(run);
  finish?.();
  return undefined;
}

const findConversation = (run: NccoRun, uuid: string): Conversation | undefined =>
  [...run.world.conversations.values()].find((one) => one.uuid === uuid && one.applicationId === run.leg.applicationId);

/**
 * "moves all legs of the current conversation into another existing one; terminal" (contract §4).
 */
export async function performTransfer(run: NccoRun, action: ActionOf<'transfer'>): Promise<Replacement> {
  const target = findConversation(run, action.conversationId);
  if (target === undefined) {
    sendError(run.world, run.leg, 'Conversation not found');
    return undefined;
  }
  moveConversation(run.world, run.previousConversation, run.leg, target, {
    startOnEnter: true,
    endOnExit: false,
    muted: action.mute,
    canSpeak: action.canSpeak,
    canHear: action.canHear,
  });
  await waitForEnd(run);
  return undefined;
}
