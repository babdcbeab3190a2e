import type { LegRow } from '@partyline/store/legs/legs';
import { isClosed, isUp, LEG_KINDS, type LegKind } from '@partyline/domain/leg';
import { verdict } from '@partyline/domain/verdict';
import { canJoin, END_REASONS } from '@partyline/domain/session';
import { decideEnd, MAX_PRESENCE_CHECK_MS, settleSession } from '@partyline/conference/sessions/settle-session';
import { closeHandle, attachProviderId, moveLeg } from '@partyline/conference/sessions/leg-transitions';
import type { SessionView } from '@partyline/store/sessions/session-lock';
import fc from 'fast-check';
import { DEFAULT_LEG, DEFAULT_SESSION } from '../simulation/database/default-rows.ts';

/** One event of a session or of one of its legs. `leg` selects a leg, modulo the number of legs. */
export type SessionStep =
  | { readonly kind: 'add-leg'; readonly legKind: LegKind }
  | { readonly kind: 'event'; readonly leg: number; readonly event: 'dialSent' | 'ringing' | 'answered' | 'joined' }
  | { readonly kind: 'close'; readonly leg: number; readonly handle: 'media' | 'voice' | 'sip' }
  | { readonly kind: 'attach-id'; readonly leg: number; readonly handle: 'media_connection_id' | 'voice_call_id' }
  | { readonly kind: 'tick'; readonly seconds: number }
  /** The provider was asked who is still connected. */
  | { readonly kind: 'check-presence' }
  | { readonly kind: 'end' }
  | { readonly kind: 'settle' }
  /** The process dies before its commit. Changes since the last commit are lost. */
  | { readonly kind: 'crash' };

const leg = fc.nat({ max: 5 });
export const sessionStep: fc.Arbitrary<SessionStep> = fc.oneof(
  fc.record({ kind: fc.constant('add-leg' as const), legKind: fc.constantFrom(...LEG_KINDS) }),
  fc.record({
    kind: fc.constant('event' as const),
    leg,
    event: fc.constantFrom('dialSent' as const, 'ringing' as const, 'answered' as const, 'joined' as const),
  }),
  fc.record({
    kind: fc.constant('close' as const),
    leg,
    handle: fc.constantFrom('media' as const, 'voice' as const, 'sip' as const),
  }),
  fc.record({
    kind: fc.constant('attach-id' as const),
    leg,
    handle: fc.constantFrom('media_connection_id' as const, 'voice_call_id' as const),
  }),
  fc.record({ kind: fc.constant('tick' as const), seconds: fc.integer({ min: 1, max: 2_000 }) }),
  fc.constant({ kind: 'check-presence' as const }),
  fc.constant({ kind: 'end' as const }),
  fc.constant({ kind: 'settle' as const }),
  fc.constant({ kind: 'crash' as const }),
);

const START_MS = Date.UTC(2026, 0, 1);

/** An open session without legs, with the given clocks. */
export function createView(clocks: {
  empty_s: number | null;
  alone_s: number | null;
  never_used_s: number | null;
}): SessionView {
  const at = new Date(START_MS);
  return {
    now: at,
    session: {
      ...DEFAULT_SESSION,
      id: 'ses',
      tenant_id: 'ten',
      room_id: 'room',
      conversation: 'conv',
      media_session_id: 'media',
      due_at: new Date(START_MS + 3_600_000),
      due_reason: 'max-duration',
      created_at: at,
    },
    room: {
      id: 'room',
      tenant_id: 'ten',
      name: 'Room',
      state: 'active',
      number: '+442079460000',
      bridge: 'auto',
      max_participants: 10,
      max_duration_s: 3_600,
      browsers_left_s: null,
      phones_left_s: null,
      created_at: at,
      ended_at: null,
      host_left_s: null,
      wait_for_host: false,
      pinless: false,
      starts_at: null,
      ends_at: null,
      expires_at: null,
      idle_days: null,
      expiry_check_at: null,
      external_id: null,
      metadata: {},
      version: 1,
      last_seq: 0,
      deleted_at: null,
      end_reason: null,
      ...clocks,
    },
    legs: [],
  };
}

const copyView = (view: SessionView): SessionView => ({
  ...view,
  session: { ...view.session },
  legs: view.legs.map((each) => ({ ...each })),
});
const legStates = (view: SessionView): Map<string, LegRow['state']> =>
  new Map(view.legs.map((each) => [each.id, each.state]));

/**
 * Applies the steps in order and settles the session after each, as changeSession does.
 * @throws BrokenRuleError at the first step that breaks an invariant
 */
export function applySteps(view: SessionView, steps: readonly SessionStep[]): SessionView {
  let current = view;
  let committed = copyView(view);
  for (const step of steps) {
    if (step.kind === 'crash') {
      current = { ...copyView(committed), now: current.now };
      continue;
    }
    const before = copyView(current);
    current = applyStep(current, step);
    settleSession(current, legStates(before));
    checkInvariants(before, current);
    committed = copyView(current);
  }
  return current;
}

function applyStep(view: SessionView, step: Exclude<SessionStep, { kind: 'crash' }>): SessionView {
  const target = 'leg' in step ? view.legs[step.leg % Math.max(1, view.legs.length)] : undefined;
  switch (step.kind) {
    case 'add-leg':
      // The unique index rejects a second live bridge leg.
      if (
        view.legs.length < 6 &&
        !(step.legKind === 'bridge' && view.legs.some((other) => other.kind === 'bridge' && isUp(other)))
      ) {
        view.legs.push({
          ...DEFAULT_LEG,
          id: `leg${view.legs.length}`,
          kind: step.legKind,
          state: 'requested',
          tenant_id: 'ten',
          session_id: 'ses',
          deadline_at: new Date(START_MS + 3_600_000),
          created_at: view.now,
        });
      }
      return view;
    case 'event':
      if (target !== undefined) moveLeg(target, step.event, view.now);
      return view;
    case 'close':
      // A handle without a provider id cannot close: the event that closes it carries the id.
      if (target !== undefined && target[step.handle === 'voice' ? 'voice_call_id' : 'media_connection_id'] !== null)
        closeHandle(target, step.handle, verdict('success', 'completed'), view.now);
      return view;
    case 'attach-id':
      if (target !== undefined) attachProviderId(target, step.handle, `${step.handle} of ${target.id}`);
      return view;
    case 'tick':
      return { ...view, now: new Date(view.now.getTime() + step.seconds * 1000) };
    case 'check-presence':
      view.session.presence_checked_at = view.now;
      return view;
    case 'end':
      decideEnd(view, END_REASONS[0]);
      return view;
    case 'settle':
      return view;
    default:
      return step satisfies never;
  }
}

/**
 * A deadline that follows from a departure waits until the provider was asked, for a limited time.
 */
const isWaitingForPresenceCheck = ({ session, now }: SessionView): boolean =>
  now.getTime() - session.due_at.getTime() <= MAX_PRESENCE_CHECK_MS &&
  [
    session.browsers_left_at,
    session.phones_left_at,
    session.alone_since,
    session.empty_since,
    session.host_left_at,
  ].some((at) => at !== null && (session.presence_checked_at === null || session.presence_checked_at < at));

class BrokenRuleError extends Error {}
const assertRule = (isMet: boolean, violation: string): void => {
  if (!isMet) throw new BrokenRuleError(violation);
};
const STATE_ORDER = { open: 0, live: 1, ending: 2, ended: 3 } as const;

/** Throws if `after` breaks an invariant. `before` is the session before the step. */
function checkInvariants(before: SessionView, after: SessionView): void {
  const { session, legs, now } = after;
  assertRule(
    STATE_ORDER[session.state] >= STATE_ORDER[before.session.state],
    `the session went from ${before.session.state} back to ${session.state}`,
  );
  assertRule(
    session.state !== 'ended' || !legs.some(isUp) || before.session.state === 'ended',
    'the session ended with a live leg',
  );
  assertRule(
    !canJoin(session.state) || session.due_at > now || isWaitingForPresenceCheck(after),
    'the session still runs after its deadline',
  );
  assertRule(
    canJoin(session.state) || legs.every((each) => !isUp(each) || each.state === 'ending'),
    'the session is over and a live leg of it has no hang-up request',
  );
  assertRule(
    before.session.end_reason === null || session.end_reason === before.session.end_reason,
    'the end reason changed',
  );
  for (const each of legs) {
    const old = before.legs.find((other) => other.id === each.id);
    assertRule(old?.state !== 'ended' || each.state === 'ended', `${each.id} left the state ended`);
    assertRule(
      old?.state !== 'ending' || each.state === 'ending' || each.state === 'ended',
      `${each.id} left the state ending without ending`,
    );
    assertRule(
      each.state !== 'ending' || (each.hangup_requested_at !== null && each.hangup_reason !== null),
      `${each.id} is ending without a request time or reason`,
    );
    const wasNeverDialled = each.kind === 'outbound' && each.dialled_at === null && each.voice_call_id === null;
    assertRule(
      each.state !== 'ended' || old?.state === 'ended' || isClosed(each, each.sip_ended_at !== null) || wasNeverDialled,
      `${each.id} ended with a handle that is not observed closed`,
    );
  }
}

/** The state of a leg of `kind` after the given facts, in any order and with duplicates. */
export function finalState(kind: LegKind, facts: readonly SessionStep[]): LegRow['state'] {
  const view = createView({ empty_s: null, alone_s: null, never_used_s: null });
  applySteps(view, [{ kind: 'add-leg', legKind: kind }]);
  return applySteps(view, facts).legs[0]!.state;
}
