/** Named voice conversations per application, with startOnEnter and endOnExit (contract §4). */
import type { ConversationView } from '../views.ts';
import type { Conversation, Leg, Membership, World } from '../world.ts';
import { formatIsoTime, queueHook, sendError } from './events.ts';

/** Creates the unnamed conversation of one leg, used until the leg joins a named one. */
export const createPrivateConversation = (world: World, applicationId: string): Conversation => ({
  uuid: `CON-${world.newId()}`,
  applicationId,
  members: new Map(),
});

const buildConversationKey = (applicationId: string, name: string): string => `${applicationId}:${name}`;

/** True when a member has startOnEnter. */
const isStarted = (conversation: Conversation): boolean =>
  [...conversation.members.values()].some((member) => member.startOnEnter);

function recordJoin(conversation: Conversation, leg: Leg, wasStarted: boolean): void {
  const started = isStarted(conversation);
  const music = conversation.members.get(leg)?.holdMusic;
  leg.party.recordEvent(started ? 'joined' : 'waiting', {
    conversation: conversation.name,
    ...(!started && music !== undefined && { text: music }),
  });
  if (started && !wasStarted) {
    for (const other of conversation.members.keys())
      if (other !== leg) other.party.recordEvent('joined', { conversation: conversation.name });
  }
}

/**
 * Adds a leg to a named conversation of its application. Returns false when it is full.
 * @param from uuid of the conversation that the leg was in before
 */
export function joinConversation(world: World, leg: Leg, name: string, membership: Membership, from: string): boolean {
  const key = buildConversationKey(leg.applicationId, name);
  const conversation = world.conversations.get(key) ?? { ...createPrivateConversation(world, leg.applicationId), name };
  if (conversation.members.size >= world.config.behaviour.maxParticipants) {
    sendError(world, leg, 'Conversation is full');
    return false;
  }
  world.conversations.set(key, conversation);
  const wasStarted = isStarted(conversation);
  conversation.members.set(leg, membership);
  leg.conversation = conversation;
  queueHook(
    world,
    leg,
    'transfer',
    {
      conversation_uuid_from: from,
      conversation_uuid_to: conversation.uuid,
      uuid: leg.uuid,
      timestamp: formatIsoTime(world.clock.now()),
      type: 'transfer',
    },
    { event: 'transfer' },
  );
  recordJoin(conversation, leg, wasStarted);
  world.changes.notify();
  return true;
}

/** Moves every leg of a conversation to another one (the NCCO `transfer` action). Returns them. */
export function moveConversation(
  world: World,
  from: Conversation,
  leg: Leg,
  to: Conversation,
  membership: Membership,
): Leg[] {
  const movedLegs = [...new Set([...from.members.keys(), leg])];
  for (const mover of movedLegs) {
    leaveConversation(world, mover);
    if (to.name !== undefined) joinConversation(world, mover, to.name, membership, from.uuid);
  }
  return movedLegs;
}

/**
 * Removes a leg from its conversation. Returns its membership and the other members, for endOnExit.
 */
export function leaveConversation(world: World, leg: Leg): { membership: Membership; others: Leg[] } | undefined {
  const conversation = leg.conversation;
  const membership = conversation.members.get(leg);
  if (membership === undefined) return undefined;
  conversation.members.delete(leg);
  leg.party.recordEvent('left', { conversation: conversation.name });
  // "ends only when the last remaining participant hangs up": the name can be used again.
  if (conversation.members.size === 0 && conversation.name !== undefined)
    world.conversations.delete(buildConversationKey(leg.applicationId, conversation.name));
  world.changes.notify();
  return { membership, others: [...conversation.members.keys()] };
}

/** Returns the conversations with their members. */
export function viewConversations(world: World): ConversationView[] {
  return [...world.conversations.values()].map((conversation) => ({
    uuid: conversation.uuid,
    applicationId: conversation.applicationId,
    name: conversation.name,
    started: isStarted(conversation),
    members: [...conversation.members].map(([leg, membership]) => ({
      callId: leg.uuid,
      personId: leg.party.personId,
      from: leg.from,
      to: leg.to,
      muted: leg.muted || membership.muted,
      earmuffed: leg.earmuffed,
      startOnEnter: membership.startOnEnter,
      endOnExit: membership.endOnExit,
      canSpeak: membership.canSpeak,
      canHear: membership.canHear,
      bridgedSessionId: leg.party.sessionId,
    })),
  }));
}
