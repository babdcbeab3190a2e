import type { LegRow } from '@partyline/store/legs/legs';
import { isClosed, isUp, LEG_KINDS, type LegKind } from '@partyline/domain/leg';
import { verdict } from '@partyline/domain/verdict';
import { canJoin, END_REASONS } from '@partyline/domain/session';
import { decideEnd, settleSession } from '@partyline/conference/sessions/settle-session';
import { closeHandle, attachProviderId, moveLeg } from '@partyline/conference/sessions/leg-transitions';
import type { SessionView } from '@partyline/store/sessions/session-lock';
import fc from 'fast-check';
import { NEW_LEG, NEW_SESSION } from '../simulation/database/default-rows.ts';

/** One thing that happens to a session or a leg of it. `leg` picks among those there are. */
export type Happening =
  | { readonly kind: 'leg'; readonly of: LegKind }
  | { readonly kind: 'event'; readonly leg: number; readonly event: 'dialSent' | 'ringing' | 'answered' | 'joined' }
  | { readonly kind: 'over'; readonly leg: number; readonly handle: 'media' | 'voice' | 'sip' }
  | { readonly kind: 'learn'; readonly leg: number; readonly handle: 'media_connection_id' | 'voice_call_id' }
  | { readonly kind: 'tick'; readonly seconds: number }
  | { readonly kind: 'end' }
  | { readonly kind: 'settle' }
  /** The process dies before its commit: what it did since the last one is gone. */
  | { readonly kind: 'crash' };

const leg = fc.nat({ max: 5 });
export const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ kind: fc.constant('leg' as const), of: fc.constantFrom(...LEG_KINDS) }),
  fc.record({
    kind: fc.constant('event' as const),
    leg,
    event: fc.constantFrom('dialSent' as const, 'ringing' as const, 'answered' as const, 'joined' as const),
  }),
  fc.record({
    kind: fc.constant('over' as const),
    leg,
    handle: fc.constantFrom('media' as const, 'voice' as const, 'sip' as const),
  }),
  fc.record({
    kind: fc.constant('learn' as const),
    leg,
    handle: fc.constantFrom('media_connection_id' as const, 'voice_call_id' as const),
  }),
  fc.record({ kind: fc.constant('tick' as const), seconds: fc.integer({ min: 1, max: 2_000 }) }),
  fc.constant({ kind: 'end' as const }),
  fc.constant({ kind: 'settle' as const }),
  fc.constant({ kind: 'crash' as const }),
);

const START = Date.UTC(2026, 0, 1);

/** A session with no legs yet, its clocks as given. */
export function newView(clocks: {
  empty_s: number | null;
  alone_s: number | null;
  never_used_s: number | null;
}): SessionView {
  const at = new Date(START);
  return {
    now: at,
    session: {
      ...NEW_SESSION,
      id: 'ses',
      tenant_id: 'ten',
      room_id: 'room',
      conversation: 'conv',
      media_session_id: 'media',
      due_at: new Date(START + 3_600_000),
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
      deleted_at: null,
      end_reason: null,
      ...clocks,
    },
    legs: [],
  };
}

const copy = (view: SessionView): SessionView => ({
  ...view,
  session: { ...view.session },
  legs: view.legs.map((each) => ({ ...each })),
});
const states = (view: SessionView): Map<string, LegRow['state']> =>
  new Map(view.legs.map((each) => [each.id, each.state]));

/** Lets things happen one after the other, each followed by a settling as in changeSession; throws at the first rule that is broken. */
export function play(view: SessionView, happenings: readonly Happening[]): SessionView {
  let now = view;
  let committed = copy(view);
  for (const each of happenings) {
    if (each.kind === 'crash') {
      now = { ...copy(committed), now: now.now };
      continue;
    }
    const before = copy(now);
    now = apply(now, each);
    settleSession(now, states(before));
    check(before, now);
    committed = copy(now);
  }
  return now;
}

function apply(view: SessionView, each: Exclude<Happening, { kind: 'crash' }>): SessionView {
  const target = 'leg' in each ? view.legs[each.leg % Math.max(1, view.legs.length)] : undefined;
  switch (each.kind) {
    case 'leg':
      // A second live bridge is what the unique index refuses.
      if (
        view.legs.length < 6 &&
        !(each.of === 'bridge' && view.legs.some((other) => other.kind === 'bridge' && isUp(other)))
      ) {
        view.legs.push({
          ...NEW_LEG,
          id: `leg${view.legs.length}`,
          kind: each.of,
          state: 'requested',
          tenant_id: 'ten',
          session_id: 'ses',
          deadline_at: new Date(START + 3_600_000),
          created_at: view.now,
        });
      }
      return view;
    case 'event':
      if (target !== undefined) moveLeg(target, each.event, view.now);
      return view;
    case 'over':
      // A side that nobody has named yet cannot be reported over: the event that names it comes with it.
      if (target !== undefined && target[each.handle === 'voice' ? 'voice_call_id' : 'media_connection_id'] !== null)
        closeHandle(target, each.handle, verdict('success', 'completed'), view.now);
      return view;
    case 'learn':
      if (target !== undefined) attachProviderId(target, each.handle, `${each.handle} of ${target.id}`);
      return view;
    case 'tick':
      return { ...view, now: new Date(view.now.getTime() + each.seconds * 1000) };
    case 'end':
      decideEnd(view, END_REASONS[0]);
      return view;
    case 'settle':
      return view;
    default:
      return each satisfies never;
  }
}

class Broken extends Error {}
const must = (holds: boolean, rule: string): void => {
  if (!holds) throw new Broken(rule);
};
const ORDER = { open: 0, live: 1, ending: 2, ended: 3 } as const;

/** What holds after every step. */
function check(before: SessionView, after: SessionView): void {
  const { session, legs, now } = after;
  must(
    ORDER[session.state] >= ORDER[before.session.state],
    `a session went from ${before.session.state} back to ${session.state}`,
  );
  must(
    session.state !== 'ended' || !legs.some(isUp) || before.session.state === 'ended',
    'a session ended with a leg up',
  );
  must(!canJoin(session.state) || session.due_at > now, 'a running session is past its deadline after settling');
  must(
    canJoin(session.state) || legs.every((each) => !isUp(each) || each.state === 'ending'),
    'a session is over and a leg of it is not owed its hang-up',
  );
  must(
    before.session.end_reason === null || session.end_reason === before.session.end_reason,
    'the first reason did not stand',
  );
  for (const each of legs) {
    const was = before.legs.find((other) => other.id === each.id);
    must(was?.state !== 'ended' || each.state === 'ended', `${each.id} came back from its end`);
    must(was?.state !== 'ending' || each.state === 'ending' || each.state === 'ended', `${each.id} is owed no more`);
    must(
      each.state !== 'ending' || (each.hangup_requested_at !== null && each.hangup_reason !== null),
      `${each.id} is ending and nobody knows since when`,
    );
    const neverMade = each.kind === 'outbound' && each.dialled_at === null && each.voice_call_id === null;
    must(
      each.state !== 'ended' || was?.state === 'ended' || isClosed(each, each.sip_ended_at !== null) || neverMade,
      `${each.id} ended with a side that was not seen closed`,
    );
  }
}

/** Facts about one leg, in any order, doubled and mixed: once it was seen over, the end is the same. */
export function terminalState(kind: LegKind, facts: readonly Happening[]): LegRow['state'] {
  const view = newView({ empty_s: null, alone_s: null, never_used_s: null });
  play(view, [{ kind: 'leg', of: kind }]);
  return play(view, facts).legs[0]!.state;
}
