/** The life cycle of a voice leg. All legs are created by `createLeg` and ended by `endLeg`. */
import { inspect } from 'node:util';
import type { HookTarget, Leg, Party, World } from '../world.ts';
import { leaveConversation, createPrivateConversation } from './conversations.ts';
import { buildEndFields, formatIsoTime, formatMoney, sendError, sendStatus } from './events.ts';
import { SYNTAX_ERROR } from './ncco-schema.ts';
import { getVoiceRateMicros } from '../ledger/meter.ts';

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

/** Creates a leg and sends `started`. */
export function createLeg(world: World, input: NewLeg): Leg {
  const id = world.newId();
  const leg: Leg = {
    ...input,
    uuid: world.faults.current().switches.uuidForm === 'undashed' ? id.replaceAll('-', '') : id,
    conversation: input.conversation ?? createPrivateConversation(world, input.applicationId),
    status: 'started',
    createdAt: world.clock.now(),
    isAbandoned: false,
    muted: false,
    earmuffed: false,
    keys: { buffer: '', bargeIn: false },
    timers: new Set(),
    endController: new AbortController(),
    eventQueue: Promise.resolve(),
    recordings: new Set(),
  };
  world.legs.set(leg.uuid, leg);
  sendStatus(world, leg, 'started');
  world.changes.notify();
  return leg;
}

/** Starts a timer that is cancelled when the leg is answered or ends. */
export function startLegTimer(world: World, leg: Leg, ms: number, task: () => void): void {
  const cancel = world.clock.after(ms, () => {
    leg.timers.delete(cancel);
    if (leg.endedAt === undefined) task();
  });
  leg.timers.add(cancel);
}

/** Sets a started leg to `ringing` and sends the event. */
export function ringLeg(world: World, leg: Leg): void {
  if (leg.status !== 'started') return;
  leg.status = 'ringing';
  leg.party.recordEvent('ringing');
  sendStatus(world, leg, 'ringing');
  world.changes.notify();
}

/** Sets a leg to `answered`. The charge and `length_timer` start here. */
export function answerLeg(world: World, leg: Leg): void {
  for (const cancel of leg.timers) cancel();
  leg.timers.clear();
  leg.status = 'answered';
  leg.answeredAt = world.clock.now();
  sendStatus(world, leg, 'answered', {
    start_time: formatIsoTime(leg.answeredAt),
    rate: formatMoney(world, getVoiceRateMicros(world, leg)),
    network: '',
  });
  if (leg.lengthMs !== undefined)
    startLegTimer(world, leg, leg.lengthMs, () => endLeg(world, leg, { reason: 'length-timer', by: 'platform' }));
  leg.party.recordEvent('answered');
  world.changes.notify();
}

interface LegEnd {
  reason: string;
  by: 'user' | 'platform';
  /** Final status of a call that was not answered: busy, rejected, timeout and so on. */
  status?: string;
  detail?: string;
  sipCode?: number;
}

/** Ends a leg once: a later call has no effect. Applies endOnExit to the others (contract §4). */
export function endLeg(world: World, leg: Leg, end: LegEnd): void {
  if (leg.endedAt !== undefined) return;
  leg.endedAt = world.clock.now();
  leg.endReason = end.reason;
  leg.status = end.status ?? 'completed';
  leg.nccoController?.abort();
  leg.endController.abort();
  for (const cancel of leg.timers) cancel();
  leg.timers.clear();
  const left = leaveConversation(world, leg);
  leg.party.recordEvent('ended', { reason: end.reason });
  for (const finish of leg.recordings) finish();
  if (leg.status !== 'completed')
    sendStatus(world, leg, leg.status, {
      ...(end.detail && { detail: end.detail }),
      ...(end.sipCode && { sip_code: end.sipCode }),
    });
  // "Every call gets `completed` at the end unless it was `rejected`" (contract §3).
  if (leg.status === 'completed' || (world.config.behaviour.completedAfterFailure && leg.status !== 'rejected')) {
    sendStatus(world, leg, 'completed', {
      ...buildEndFields(world, leg),
      disconnected_by: end.by,
      sip_code: end.sipCode ?? 200,
    });
  }
  if (left?.membership.endOnExit === true) {
    for (const other of left.others) endLeg(world, other, { reason: 'conversation-ended', by: 'platform' });
  }
  world.changes.notify();
}

/** Waits for a task of a leg. Its error ends this call as a bad NCCO does, not the process. */
export function runForLeg(world: World, leg: Leg, task: Promise<void>): void {
  task.catch((error: unknown) => {
    process.stderr.write(`vonage-emulator: call ${leg.uuid} failed: ${inspect(error)}\n`);
    sendError(world, leg, SYNTAX_ERROR);
    endLeg(world, leg, { reason: 'emulator-error', by: 'platform' });
  });
}
