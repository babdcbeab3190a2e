import { maskNumber } from '@partyline/domain/phone';
import { isTenantAccount } from '@partyline/domain/platform-account';
import type { LegRow } from '@partyline/store/legs/legs';
import type { RoomRow, SessionRow } from '@partyline/store/sessions/session-lock';
import { GOODBYE_SECONDS, PIN_ENTRY_SECONDS, MAX_PIN_ATTEMPTS, MAX_SILENT_PROMPTS } from '../../pin-entry.ts';
import { enqueueDeliveries } from './statements-deliveries.ts';
import { addSeconds } from './statement-twin.ts';
import { bytesKey, DatabaseError, type Tables } from './tables.ts';
import { readLimitUse } from './limit-use.ts';
import { accountColumns, DEFAULT_LEG, DEFAULT_SESSION } from './default-rows.ts';

/*
 * Twins of the plpgsql functions of the provider's webhooks (prisma/functions). They leave out
 * spend limits and the PIN guard. They need no row locks: twin.ts runs one transaction at a time.
 */

const isRinging = (state: LegRow['state']): boolean =>
  state === 'requested' || state === 'dialling' || state === 'ringing';
const isEndingOrEnded = (state: LegRow['state'] | undefined): boolean => state === 'ending' || state === 'ended';
/** `answered_state`: the state of a leg that is answered now. */
const answeredState = (state: LegRow['state']): LegRow['state'] => (isRinging(state) ? 'answered' : state);

/** `INSERT ... ON CONFLICT DO NOTHING` of a webhook's token id. */
function consumeToken(tables: Tables, jti: string, expires: Date): boolean {
  if (tables.tokens.has(jti)) return false;
  tables.put(tables.tokens, jti, expires);
  return true;
}

/** `describe_event`. */
export function describeEvent(tables: Tables, roomId: string, text: string): string {
  const data = JSON.parse(text) as { readonly legId?: string; readonly participantId?: string | null };
  const externalId = tables.rooms.get(roomId)?.external_id ?? null;
  return JSON.stringify({ ...data, externalId, ...describePerson(tables, data) });
}

function describePerson(
  tables: Tables,
  { legId, participantId }: { readonly legId?: string; readonly participantId?: string | null },
): object {
  if (legId === undefined) {
    const person = tables.participants.get(participantId ?? '');
    if (person === undefined) return {};
    return { name: person.name, role: person.role, number: toMasked(findConnection(tables, person.id)?.remote) };
  }
  const leg = tables.legs.get(legId);
  if (leg === undefined) return {};
  return {
    name: tables.participants.get(leg.participant_id ?? '')?.name ?? null,
    role: leg.kind === 'bridge' ? null : leg.role,
    number: toMasked(leg.remote),
  };
}

const toMasked = (number: string | null | undefined): string | null =>
  number === null || number === undefined ? null : maskNumber(number);

/** The open connection of a participant, or else the newest. */
const findConnection = (tables: Tables, participantId: string): LegRow | undefined =>
  [...tables.legs.values()]
    .filter((leg) => leg.participant_id === participantId)
    .toSorted(
      (a, b) =>
        Number(a.state === 'ended') - Number(b.state === 'ended') ||
        b.created_at.getTime() - a.created_at.getTime() ||
        (a.id < b.id ? 1 : -1),
    )[0];

/** `emit_leg_answered`. */
function emitLegAnswered(tables: Tables, legId: string, sessionId: string, now: Date): void {
  const session = tables.sessions.get(sessionId)!;
  const { id, kind, participant_id } = tables.legs.get(legId)!;
  const seq = session.last_seq + 1;
  tables.putSession({ ...session, settle_due_at: now, version: session.version + 1, last_seq: seq });
  const event = tables.addOutbox({
    tenant_id: session.tenant_id,
    room_id: session.room_id,
    session_id: sessionId,
    endpoint_id: null,
    seq,
    type: 'leg.answered',
    data: describeEvent(tables, session.room_id, JSON.stringify({ legId: id, kind, participantId: participant_id })),
    created_at: now,
  });
  enqueueDeliveries(tables, event, now);
}

const NOT_ADMITTED = { tenant_id: null, session_id: null, conversation: null, waits: false, deadline_at: null };
const NOT_ADMITTED_PERSON = { ...NOT_ADMITTED, muted: false };

function waitsForHost(tables: Tables, room: RoomRow, sessionId: string | null, role: string): boolean {
  if (!room.wait_for_host || role === 'host') return false;
  return !(tables.legsOfSession.get(sessionId ?? '') ?? []).some((id) => {
    const leg = tables.legs.get(id)!;
    return leg.role === 'host' && (leg.state === 'answered' || leg.state === 'joined');
  });
}

/**
 * `admit_to_session`. Null is its outcome `no-room`.
 * @param pin the room and role of the PIN; `participantId` is null for a PIN of the room
 * @param newIds the ids of the rows that the admission creates
 */
function admitToSession(
  tables: Tables,
  leg: LegRow,
  pin: { roomId: string; role: LegRow['role']; participantId: string | null },
  newIds: readonly [session: string, conversation: string, participant: string],
  now: Date,
): { outcome: string } | null {
  const [newSession, newConversation, newParticipant] = newIds;
  const room = tables.rooms.get(pin.roomId);
  if (room === undefined || room.state !== 'active' || tables.tenants.get(room.tenant_id)?.suspended_at) return null;
  const tries = leg.tries + 1;
  const version = leg.version + 1;
  let rejection =
    room.starts_at !== null && room.starts_at > now
      ? 'not-open'
      : room.ends_at !== null && room.ends_at <= now
        ? 'over'
        : null;
  let session: SessionRow | undefined;
  let earlier: LegRow | undefined;
  if (rejection === null) {
    if (!tables.currentOfRoom.has(room.id)) {
      const account = tables.numbers.get(room.number)?.account_id ?? null;
      if (account !== leg.account_id) return null;
      // Duplicate ids would make the SQL function loop forever. Generated ids are unique, so no
      // test covers it.
      tables.putSession({
        ...DEFAULT_SESSION,
        id: newSession,
        tenant_id: room.tenant_id,
        room_id: room.id,
        conversation: newConversation,
        ...accountColumns(account),
        media_session_id: null,
        due_at: addSeconds(now, room.max_duration_s),
        due_reason: 'max-duration',
        created_at: now,
      });
    }
    session = tables.sessions.get(tables.currentOfRoom.get(room.id)!)!;
    if (session.account_id !== leg.account_id) return null;
    const legs = (tables.legsOfSession.get(session.id) ?? []).map((id) => tables.legs.get(id)!);
    const ofPerson = legs.filter((other) => pin.participantId !== null && other.participant_id === pin.participantId);
    earlier = ofPerson.toSorted((a, b) => b.created_at.getTime() - a.created_at.getTime() || (a.id < b.id ? 1 : -1))[0];
    const earlierCalls = ofPerson.filter((other) => other.state !== 'ended').length;
    const hasSeat = ({ state, kind }: LegRow): boolean => state !== 'ending' && state !== 'ended' && kind !== 'bridge';
    const seats = legs.filter(hasSeat).length - ofPerson.filter(hasSeat).length;
    if (seats >= room.max_participants) rejection = 'full';
    else {
      const { allowed, used } = readLimitUse(tables, [room.tenant_id, 'live-legs'], now);
      if (used - earlierCalls >= allowed) rejection = 'at-limit';
    }
  }
  if (session === undefined || rejection !== null) {
    tables.putLeg({
      ...leg,
      tries,
      version,
      last_outcome: rejection,
      state: 'ending',
      hangup_requested_at: now,
      hangup_reason: rejection === 'at-limit' ? 'limit-live-legs' : `room-${rejection}`,
      deadline_at: addSeconds(now, GOODBYE_SECONDS),
    });
    return { outcome: rejection!, ...NOT_ADMITTED_PERSON };
  }
  if (pin.participantId === null) {
    if (tables.participants.has(newParticipant)) throw new DatabaseError('23505', 'participant_pkey');
    tables.put(tables.participants, newParticipant, {
      id: newParticipant,
      tenant_id: room.tenant_id,
      room_id: room.id,
      kind: 'caller',
      name: 'Caller',
      role: pin.role,
      removed_at: null,
      created_at: now,
    });
  }
  const deadline = latestEnd(session, room);
  tables.putLeg({
    ...leg,
    tries,
    version,
    last_outcome: 'admitted',
    answered_at: leg.answered_at ?? now,
    state: answeredState(leg.state),
    tenant_id: room.tenant_id,
    session_id: session.id,
    participant_id: pin.participantId ?? newParticipant,
    role: pin.role,
    muted: earlier?.muted ?? false,
    deadline_at: deadline,
  });
  emitLegAnswered(tables, leg.id, session.id, now);
  return {
    outcome: 'admitted',
    tenant_id: room.tenant_id,
    session_id: session.id,
    conversation: session.conversation,
    waits: waitsForHost(tables, room, session.id, pin.role),
    muted: earlier?.muted ?? false,
    deadline_at: deadline,
  } as { outcome: string };
}

/**
 * `answer_caller` for a number without the PIN guard, and without the limit of an account
 * (`is_account_busy`). Tests of libs/store and libs/conference cover these.
 */
export function answerCaller(tables: Tables, values: readonly unknown[], now: Date): object {
  const [jti, expires, legId, call, number, remote, newSession, conversation, participant, account] = values as [
    string,
    Date,
    string,
    string,
    string | null,
    string | null,
    string,
    string,
    string,
    string | null,
  ];
  const dialled = tables.numbers.get(number ?? '');
  if (dialled === undefined || dialled.account_id !== account)
    return { outcome: 'unknown-number', leg_id: null, language: 'en-US', ...NOT_ADMITTED };
  const { language } = dialled;
  if (tables.tenants.get(dialled.dedicated_to ?? '')?.suspended_at)
    return { outcome: 'suspended', leg_id: null, language, ...NOT_ADMITTED };
  if (!consumeToken(tables, jti, expires)) return { outcome: 'replayed', leg_id: null, language, ...NOT_ADMITTED };
  if (!tables.legByCall.has(call)) {
    if (tables.legs.has(legId)) throw new DatabaseError('23505', 'leg_pkey');
    tables.putLeg({
      ...DEFAULT_LEG,
      id: legId,
      tenant_id: isTenantAccount(account) ? dialled.dedicated_to : null,
      kind: 'inbound',
      state: 'ringing',
      number,
      remote,
      voice_call_id: call,
      deadline_at: addSeconds(now, PIN_ENTRY_SECONDS),
      created_at: now,
      ...accountColumns(account),
    });
  }
  const leg = tables.legs.get(tables.legByCall.get(call)!)!;
  if (leg.account_id !== account) return { outcome: 'unknown-number', leg_id: null, language, ...NOT_ADMITTED };
  const room =
    dialled.dedicated_to === null
      ? undefined
      : [...tables.rooms.values()].find(
          (each) =>
            each.number === number &&
            each.tenant_id === dialled.dedicated_to &&
            each.state === 'active' &&
            each.pinless,
        );
  if (room !== undefined && leg.last_outcome !== null) {
    const session = tables.sessions.get(leg.session_id ?? '');
    const over =
      isEndingOrEnded(leg.state) || session === undefined || (session.state !== 'open' && session.state !== 'live');
    const outcome = leg.last_outcome === 'admitted' && over ? 'hang-up' : leg.last_outcome;
    return {
      outcome,
      leg_id: leg.id,
      language,
      tenant_id: leg.tenant_id,
      session_id: leg.session_id,
      conversation: session?.conversation ?? null,
      waits: waitsForHost(tables, room, leg.session_id, leg.role),
      deadline_at: session === undefined ? null : latestEnd(session, tables.rooms.get(session.room_id)!),
    };
  }
  if (isEndingOrEnded(leg.state)) return { outcome: 'hang-up', leg_id: leg.id, language, ...NOT_ADMITTED };
  const admits = room !== undefined && leg.session_id === null;
  const admission = !admits
    ? null
    : admitToSession(
        tables,
        leg,
        { roomId: room.id, role: 'participant', participantId: null },
        [newSession, conversation, participant],
        now,
      );
  if (admits && admission === null) {
    tables.putLeg({
      ...leg,
      version: leg.version + 1,
      last_outcome: 'over',
      state: 'ending',
      hangup_requested_at: now,
      hangup_reason: 'room-over',
      deadline_at: addSeconds(now, GOODBYE_SECONDS),
    });
    return { outcome: 'over', leg_id: leg.id, language, ...NOT_ADMITTED };
  }
  if (admission === null) return { outcome: 'ask', leg_id: leg.id, language, ...NOT_ADMITTED };
  const { muted: _muted, ...row } = admission as { outcome: string; muted: boolean };
  return mergeAdmission(row, { leg_id: leg.id, language });
}

/** The result row of a function, in the order of its columns. */
const mergeAdmission = ({ outcome, ...admission }: { outcome: string }, columns: object): object => ({
  outcome,
  ...columns,
  ...admission,
});

/** `admit_caller`. */
export function admitCaller(tables: Tables, values: readonly unknown[], now: Date): object {
  const [jti, expires, legId, call, tryNo, lookups, newSession, conversation, participant, account, isSilent] =
    values as [
      string,
      Date,
      string,
      string,
      number,
      readonly Uint8Array[] | null,
      string,
      string,
      string,
      string | null,
      boolean,
    ];
  if (!consumeToken(tables, jti, expires))
    return { outcome: 'replayed', language: 'en-US', prompts: 0, ...NOT_ADMITTED_PERSON };
  const leg = tables.legs.get(legId);
  if (leg === undefined || leg.voice_call_id !== call || leg.kind !== 'inbound' || leg.account_id !== account)
    return { outcome: 'unknown-call', language: 'en-US', prompts: 0, ...NOT_ADMITTED_PERSON };
  const language = tables.numbers.get(leg.number ?? '')?.language ?? 'en-US';

  const answered = leg.tries + leg.silences;

  if (tryNo <= answered) {
    const session = leg.session_id === null ? undefined : tables.sessions.get(leg.session_id);
    const room = tables.rooms.get(session?.room_id ?? '');
    // In SQL, `NULL NOT IN (...)` is not true: without a session only the state of the leg counts.
    const over =
      isEndingOrEnded(leg.state) || (session !== undefined && session.state !== 'open' && session.state !== 'live');
    const outcome = leg.last_outcome === 'admitted' && over ? 'hang-up' : leg.last_outcome;
    return {
      outcome,
      language,
      prompts: answered,
      tenant_id: leg.tenant_id,
      session_id: leg.session_id,
      conversation: session?.conversation ?? null,
      waits: room !== undefined && waitsForHost(tables, room, leg.session_id, leg.role),
      muted: leg.muted,
      deadline_at: session === undefined ? null : latestEnd(session, room!),
    };
  }
  if (leg.session_id !== null || isEndingOrEnded(leg.state))
    return { outcome: 'hang-up', language, prompts: answered, ...NOT_ADMITTED_PERSON };

  const prompts = answered + 1;
  const pin = (lookups ?? [])
    .map((lookup) => tables.pins.get(tables.pinByLookup.get(`${leg.number ?? ''} ${bytesKey(lookup)}`) ?? ''))
    .find((each) => each?.quarantined_until === null);
  const admission =
    pin === undefined
      ? null
      : admitToSession(
          tables,
          leg,
          { roomId: pin.room_id, role: pin.role, participantId: pin.participant_id },
          [newSession, conversation, participant],
          now,
        );
  if (admission !== null) return mergeAdmission(admission, { language, prompts });

  const tries = leg.tries + (isSilent ? 0 : 1);
  const silences = leg.silences + (isSilent ? 1 : 0);
  const isRejected = isSilent ? silences >= MAX_SILENT_PROMPTS : tries >= MAX_PIN_ATTEMPTS;
  const outcome = isSilent ? (isRejected ? 'silent' : 'no-digits') : isRejected ? 'refused' : 'wrong-pin';
  tables.putLeg({
    // pin_guess_odds stays 0 on a number without the PIN guard.
    ...leg,
    tries,
    silences,
    last_wrong_pin_at: lookups === null ? leg.last_wrong_pin_at : now,
    version: leg.version + 1,
    last_outcome: outcome,
    state: isRejected ? 'ending' : answeredState(leg.state),
    answered_at: leg.answered_at ?? now,
    hangup_requested_at: isRejected ? now : null,
    hangup_reason: isRejected ? (isSilent ? 'no-digits' : 'too-many-tries') : null,
    deadline_at: addSeconds(now, isRejected ? GOODBYE_SECONDS : PIN_ENTRY_SECONDS),
  });
  return { outcome, language, prompts, ...NOT_ADMITTED_PERSON };
}

/** `answer_own_leg`. */
export function answerOwnLeg(tables: Tables, values: readonly unknown[], now: Date): object {
  const [jti, expires, legId, tokenHash, call, account] = values as [
    string,
    Date,
    string | null,
    Uint8Array | null,
    string,
    string | null,
  ];
  const unknown = {
    tenant_id: null,
    session_id: null,
    conversation: null,
    leg_id: null,
    kind: null,
    waits: false,
    deadline_at: null,
  };
  if (!consumeToken(tables, jti, expires)) return { outcome: 'replayed', ...unknown };
  const identified = tables.legs.get((tokenHash === null ? legId : tables.legByToken.get(bytesKey(tokenHash))) ?? '');
  const named =
    identified?.kind === (tokenHash === null ? 'outbound' : 'bridge') && identified.account_id === account
      ? identified
      : undefined;
  const ofCall = tables.legs.get(tables.legByCall.get(call) ?? '') ?? named;
  const isReopened =
    ofCall?.session_id === named?.session_id &&
    ofCall?.kind === 'outbound' &&
    named?.kind === 'outbound' &&
    named.voice_call_id === null;
  const leg = named === undefined || (ofCall !== named && !isReopened) ? undefined : ofCall;
  const session = leg === undefined ? undefined : tables.sessions.get(leg.session_id ?? '');
  if (leg === undefined || session === undefined || (leg.voice_call_id !== null && leg.voice_call_id !== call))
    return { outcome: 'unknown-leg', ...unknown };

  const found = { tenant_id: leg.tenant_id, session_id: leg.session_id, leg_id: leg.id, kind: leg.kind };
  if (isEndingOrEnded(leg.state) || (session.state !== 'open' && session.state !== 'live')) {
    if (leg.voice_call_id === null)
      tables.putLeg({ ...leg, voice_call_id: call, version: leg.version + 1, hangup_attempted_at: null });
    return { outcome: 'hang-up', conversation: null, ...found, waits: false, deadline_at: null };
  }
  tables.putLeg({
    ...leg,
    voice_call_id: call,
    version: leg.version + 1,
    answered_at: leg.answered_at ?? now,
    state: answeredState(leg.state),
  });
  if (isRinging(leg.state)) emitLegAnswered(tables, leg.id, session.id, now);
  else tables.putSession({ ...session, settle_due_at: now, version: session.version + 1 });
  const room = tables.rooms.get(session.room_id)!;
  return {
    outcome: 'join',
    conversation: session.conversation,
    deadline_at: latestEnd(session, room),
    ...found,
    waits: leg.kind === 'outbound' && waitsForHost(tables, room, session.id, leg.role),
  };
}

/** Returns when a session ends at the latest. */
export function latestEnd(
  session: { readonly created_at: Date },
  room: { readonly ends_at: Date | null; readonly max_duration_s: number },
): Date {
  const longest = addSeconds(session.created_at, room.max_duration_s);
  return room.ends_at !== null && room.ends_at < longest ? room.ends_at : longest;
}
