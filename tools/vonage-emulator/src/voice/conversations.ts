/** Voice conversations: named per application, moderated by startOnEnter and endOnExit (contract §4). */
import type { ConversationView } from '../views.ts';
import type { Conversation, Leg, Membership, World } from '../world.ts';
import { isoTime, queueHook, sendError } from './events.ts';

/** The conversation each leg has of its own until it enters a named one. */
export const privateConversation = (world: World, applicationId: string): Conversation => ({
  uuid: `CON-${world.newId()}`,
  applicationId,
  members: new Map(),
});

const keyOf = (applicationId: string, name: string): string => `${applicationId}:${name}`;

/** True once a leg with startOnEnter is in. */
const isStarted = (conversation: Conversation): boolean =>
  [...conversation.members.values()].some((member) => member.startOnEnter);

function announce(conversation: Conversation, leg: Leg, wasStarted: boolean): void {
  const started = isStarted(conversation);
  const music = conversation.members.get(leg)?.holdMusic;
  leg.party.note(started ? 'joined' : 'waiting', {
    conversation: conversation.name,
    ...(!started && music !== undefined && { text: music }),
  });
  if (started && !wasStarted) {
    for (const other of conversation.members.keys())
      if (other !== leg) other.party.note('joined', { conversation: conversation.name });
  }
}

/** Puts a leg into the named conversation of its application. False when it is full ("up to 50 people"). */
export function joinConversation(world: World, leg: Leg, name: string, membership: Membership): boolean {
  const key = keyOf(leg.applicationId, name);
  const conversation = world.conversations.get(key) ?? { ...privateConversation(world, leg.applicationId), name };
  if (conversation.members.size >= world.config.behaviour.maxParticipants) {
    sendError(world, leg, 'Conversation is full');
    return false;
  }
  world.conversations.set(key, conversation);
  const from = leg.conversation.uuid;
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
      timestamp: isoTime(world.clock.now()),
      type: 'transfer',
    },
    { event: 'transfer' },
  );
  announce(conversation, leg, wasStarted);
  world.board.changed();
  return true;
}

/** Moves every leg of a conversation into another one (the NCCO `transfer` action). */
export function moveAll(world: World, from: Conversation, leg: Leg, to: Conversation, membership: Membership): Leg[] {
  const movers = [...new Set([...from.members.keys(), leg])];
  for (const mover of movers) {
    leaveConversation(world, mover);
    if (to.name !== undefined) joinConversation(world, mover, to.name, membership);
  }
  return movers;
}

/** Takes a leg out of its named conversation. Gives its membership, so that the caller may act on endOnExit. */
export function leaveConversation(world: World, leg: Leg): { membership: Membership; others: Leg[] } | undefined {
  const conversation = leg.conversation;
  const membership = conversation.members.get(leg);
  if (membership === undefined) return undefined;
  conversation.members.delete(leg);
  leg.party.note('left', { conversation: conversation.name });
  // "ends only when the last remaining participant hangs up": the name is free again.
  if (conversation.members.size === 0 && conversation.name !== undefined)
    world.conversations.delete(keyOf(leg.applicationId, conversation.name));
  world.board.changed();
  return { membership, others: [...conversation.members.keys()] };
}

/** Who is together with whom. */
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
