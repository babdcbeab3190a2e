/** The life of a voice leg: made, answered, ended. One way in and one way out. */
import type { HookTarget, Leg, Party, World } from '../world.ts';
import { leaveConversation, privateConversation } from './conversations.ts';
import { closing, isoTime, money, sendStatus } from './events.ts';
import { voiceRate } from '../ledger/meter.ts';

interface NewLeg {
  kind: Leg['kind'];
  applicationId: string;
  direction: Leg['direction'];
  endpointType: Leg['endpointType'];
  from: string;
  to: string;
  party: Party;
  eventHook?: HookTarget;
  lengthMs?: number;
  conversation?: Leg['conversation'];
}

/** Makes a leg and says `started`. */
export function createLeg(world: World, input: NewLeg): Leg {
  const id = world.newId();
  const leg: Leg = {
    ...input,
    uuid: world.faults.current().switches.uuidForm === 'undashed' ? id.replaceAll('-', '') : id,
    conversation: input.conversation ?? privateConversation(world, input.applicationId),
    status: 'started',
    createdAt: world.clock.now(),
    orphaned: false,
    muted: false,
    earmuffed: false,
    keys: { buffer: '', bargeIn: false },
    timers: new Set(),
    over: new AbortController(),
    eventChain: Promise.resolve(),
  };
  world.legs.set(leg.uuid, leg);
  sendStatus(world, leg, 'started');
  world.board.changed();
  return leg;
}

/** A timer that dies with the leg. */
export function legTimer(world: World, leg: Leg, ms: number, task: () => void): void {
  const cancel = world.clock.after(ms, () => {
    leg.timers.delete(cancel);
    if (leg.endedAt === undefined) task();
  });
  leg.timers.add(cancel);
}

/** The far end is being rung. */
export function ringLeg(world: World, leg: Leg): void {
  if (leg.status !== 'started') return;
  leg.status = 'ringing';
  leg.party.note('ringing');
  sendStatus(world, leg, 'ringing');
  world.board.changed();
}

/** The call is up: the meter runs from here, and so does `length_timer`. */
export function answerLeg(world: World, leg: Leg): void {
  for (const cancel of leg.timers) cancel();
  leg.timers.clear();
  leg.status = 'answered';
  leg.answeredAt = world.clock.now();
  sendStatus(world, leg, 'answered', {
    start_time: isoTime(leg.answeredAt),
    rate: money(voiceRate(world, leg)),
    network: '',
  });
  if (leg.lengthMs !== undefined)
    legTimer(world, leg, leg.lengthMs, () => endLeg(world, leg, { reason: 'length-timer', by: 'platform' }));
  leg.party.note('answered');
  world.board.changed();
}

interface End {
  reason: string;
  by: 'user' | 'platform';
  /** What happened to a call that was never answered (busy, rejected, timeout …). */
  status?: string;
  detail?: string;
  sipCode?: number;
}

/** Ends a leg once; later causes find it ended. Applies endOnExit to the others (contract §4). */
export function endLeg(world: World, leg: Leg, end: End): void {
  if (leg.endedAt !== undefined) return;
  leg.endedAt = world.clock.now();
  leg.endReason = end.reason;
  leg.status = end.status ?? 'completed';
  leg.run?.abort();
  leg.over.abort();
  for (const cancel of leg.timers) cancel();
  leg.timers.clear();
  const left = leaveConversation(world, leg);
  leg.party.note('ended', { reason: end.reason });
  if (leg.status !== 'completed')
    sendStatus(world, leg, leg.status, {
      ...(end.detail && { detail: end.detail }),
      ...(end.sipCode && { sip_code: end.sipCode }),
    });
  // "Every call gets `completed` at the end unless it was `rejected`" (contract §3).
  if (leg.status === 'completed' || (world.config.behaviour.completedAfterFailure && leg.status !== 'rejected')) {
    sendStatus(world, leg, 'completed', {
      ...closing(world, leg),
      disconnected_by: end.by,
      sip_code: end.sipCode ?? 200,
    });
  }
  if (left?.membership.endOnExit === true) {
    for (const other of left.others) endLeg(world, other, { reason: 'conversation-ended', by: 'platform' });
  }
  world.board.changed();
}
