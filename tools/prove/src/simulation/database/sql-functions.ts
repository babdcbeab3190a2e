import type { LegRow } from '@partyline/store/legs/legs';
import type { RoomRow, SessionRow } from '@partyline/store/sessions/session-lock';
import { GOODBYE_SECONDS, PIN_ENTRY_SECONDS, MAX_PIN_ATTEMPTS } from '../../pin-entry.ts';
import { enqueueDeliveries } from './statements-deliveries.ts';
import { bytesKey, DatabaseError, type Tables } from './tables.ts';
import { readLimitUse } from './limit-use.ts';
import { DEFAULT_LEG, DEFAULT_SESSION } from './default-rows.ts';

/*
 * The plpgsql functions of the carrier's webhooks, line by line. Row locks are the caller's business (twin.ts): a function is one
 * statement and sees nobody else's changes while it runs.
 */

const isRinging = (state: LegRow['state']): boolean => state === 'requested' || state === 'dialling' || state === 'ringing';
const isEndingOrEnded = (state: LegRow['state'] | undefined): boolean => state === 'ending' || state === 'ended';
const seconds = (at: Date, more: number): Date => new Date(at.getTime() + more * 1000);

/** `INSERT … ON CONFLICT DO NOTHING` of a webhook's token id. */
function consumeToken(tables: Tables, jti: string, expires: Date): boolean {
  if (tables.tokens.has(jti)) return false;
  tables.put(tables.tokens, jti, expires);
  return true;
}

function emitLegAnswered(tables: Tables, legId: string, sessionId: string, now: Date): void {
  const session = tables.sessions.get(sessionId)!;
  const { id, kind, participant_id } = tables.legs.get(legId)!;
  const seq = session.last_seq + 1;
  tables.putSession({ ...session, settle_due_at: now, version: session.version + 1, last_seq: seq });
  const told = tables.addOutbox({
    tenant_id: session.tenant_id,
    room_id: session.room_id,
    session_id: sessionId,
    endpoint_id: null,
    seq,
    type: 'leg.answered',
    data: JSON.stringify({ legId: id, kind, participantId: participant_id }),
    created_at: now,
  });
  enqueueDeliveries(tables, told, now);
}

const NOT_ADMITTED = { tenant_id: null, session_id: null, conversation: null, waits: false };

function waitsForHost(tables: Tables, room: RoomRow, sessionId: string | null, role: string): boolean {
  if (!room.wait_for_host || role === 'host') return false;
  return !(tables.legsOfSession.get(sessionId ?? '') ?? []).some((id) => {
    const leg = tables.legs.get(id)!;
    return leg.role === 'host' && (leg.state === 'answered' || leg.state === 'joined');
  });
}

/** `null`: no room. */
function admitToSession(
  tables: Tables,
  leg: LegRow,
  of: { roomId: string; role: LegRow['role']; person: string | null },
  fresh: readonly [session: string, conversation: string, participant: string],
  now: Date,
): { outcome: string } | null {
  const [freshSession, freshConversation, freshParticipant] = fresh;
  const room = tables.rooms.get(of.roomId);
  if (room === undefined || room.state !== 'active' || tables.tenants.get(room.tenant_id)?.suspended_at) return null;
  const tries = leg.tries + 1;
  const version = leg.version + 1;
  let refusal =
    room.starts_at !== null && room.starts_at > now
      ? 'not-open'
      : room.ends_at !== null && room.ends_at <= now
        ? 'over'
        : null;
  let session: SessionRow | undefined;
  if (refusal === null) {
    if (!tables.currentOfRoom.has(room.id)) {
      // A clash of the fresh ids: the INSERT does nothing, for ever; ids do not clash, so the test does not go there.
      tables.putSession({
        ...DEFAULT_SESSION,
        id: freshSession,
        tenant_id: room.tenant_id,
        room_id: room.id,
        conversation: freshConversation,
        account_id: tables.numbers.get(room.number)?.account_id ?? null,
        media_session_id: null,
        due_at: seconds(now, room.max_duration_s),
        due_reason: 'max-duration',
        created_at: now,
      });
    }
    session = tables.sessions.get(tables.currentOfRoom.get(room.id)!)!;
    if (session.account_id !== leg.account_id) return null;
    const seated = (tables.legsOfSession.get(session.id) ?? []).filter((id) => {
      const other = tables.legs.get(id)!;
      return other.state !== 'ended' && other.kind !== 'bridge';
    }).length;
    if (seated >= room.max_participants) refusal = 'full';
    else {
      const { allowed, used } = readLimitUse(tables, [room.tenant_id, 'live-legs'], now);
      if (used >= allowed) refusal = 'at-limit';
    }
  }
  if (session === undefined || refusal !== null) {
    tables.putLeg({
      ...leg,
      tries,
      version,
      last_outcome: refusal,
      state: 'ending',
      hangup_requested_at: now,
      hangup_reason: refusal === 'at-limit' ? 'limit-live-legs' : `room-${refusal}`,
      deadline_at: seconds(now, GOODBYE_SECONDS),
    });
    return { outcome: refusal!, ...NOT_ADMITTED };
  }
  if (of.person === null) {
    if (tables.participants.has(freshParticipant)) throw new DatabaseError('23505', 'participant_pkey');
    tables.put(tables.participants, freshParticipant, {
      id: freshParticipant,
      tenant_id: room.tenant_id,
      room_id: room.id,
      kind: 'caller',
      name: 'Caller',
      role: of.role,
      removed_at: null,
      created_at: now,
    });
  }
  const until = seconds(session.created_at, room.max_duration_s);
  tables.putLeg({
    ...leg,
    tries,
    version,
    last_outcome: 'admitted',
    answered_at: leg.answered_at ?? now,
    state: isRinging(leg.state) ? 'answered' : leg.state,
    tenant_id: room.tenant_id,
    session_id: session.id,
    participant_id: of.person ?? freshParticipant,
    role: of.role,
    deadline_at: room.ends_at !== null && room.ends_at < until ? room.ends_at : until,
  });
  emitLegAnswered(tables, leg.id, session.id, now);
  return {
    outcome: 'admitted',
    tenant_id: room.tenant_id,
    session_id: session.id,
    conversation: session.conversation,
    waits: waitsForHost(tables, room, session.id, of.role),
  } as { outcome: string };
}

/** On a number without its guard; with it, callers are held back by what libs/store's own tests show. */
export function answerCaller(tables: Tables, values: readonly unknown[], now: Date): object {
  const [jti, expires, legId, call, number, remote, freshSession, conversation, participant, account] = values as [
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
  if (!consumeToken(tables, jti, expires)) return { outcome: 'replayed', leg_id: null, language: null, ...NOT_ADMITTED };
  const dialled = tables.numbers.get(number ?? '');
  if (dialled === undefined || dialled.account_id !== account)
    return { outcome: 'unknown-number', leg_id: null, language: 'en-US', ...NOT_ADMITTED };
  const { language } = dialled;
  if (!tables.legByCall.has(call)) {
    if (tables.legs.has(legId)) throw new DatabaseError('23505', 'leg_pkey');
    tables.putLeg({
      ...DEFAULT_LEG,
      id: legId,
      kind: 'inbound',
      state: 'ringing',
      number,
      remote,
      voice_call_id: call,
      deadline_at: seconds(now, PIN_ENTRY_SECONDS),
      created_at: now,
      account_id: account,
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
            each.pinless &&
            !tables.tenants.get(each.tenant_id)?.suspended_at,
        );
  if (room !== undefined && leg.last_outcome !== null) {
    const session = tables.sessions.get(leg.session_id ?? '');
    const over = isEndingOrEnded(leg.state) || session === undefined || (session.state !== 'open' && session.state !== 'live');
    const outcome = leg.last_outcome === 'admitted' && over ? 'hang-up' : leg.last_outcome;
    return {
      outcome,
      leg_id: leg.id,
      language,
      tenant_id: leg.tenant_id,
      session_id: leg.session_id,
      conversation: session?.conversation ?? null,
      waits: waitsForHost(tables, room, leg.session_id, leg.role),
    };
  }
  if (isEndingOrEnded(leg.state)) return { outcome: 'hang-up', leg_id: leg.id, language, ...NOT_ADMITTED };
  const seats = room !== undefined && leg.session_id === null;
  const seat = !seats
    ? null
    : admitToSession(
        tables,
        leg,
        { roomId: room.id, role: 'participant', person: null },
        [freshSession, conversation, participant],
        now,
      );
  if (seats && seat === null) {
    tables.putLeg({
      ...leg,
      version: leg.version + 1,
      last_outcome: 'over',
      state: 'ending',
      hangup_requested_at: now,
      hangup_reason: 'room-over',
      deadline_at: seconds(now, GOODBYE_SECONDS),
    });
    return { outcome: 'over', leg_id: leg.id, language, ...NOT_ADMITTED };
  }
  if (seat === null) return { outcome: 'ask', leg_id: leg.id, language, ...NOT_ADMITTED };
  return mergeAdmission(seat, { leg_id: leg.id, language });
}

/** In the order of the function's columns. */
const mergeAdmission = ({ outcome, ...seat }: { outcome: string }, before: object): object => ({
  outcome,
  ...before,
  ...seat,
});

export function admitCaller(tables: Tables, values: readonly unknown[], now: Date): object {
  const [jti, expires, legId, call, tryNo, lookup, freshSession, conversation, participant, account] = values as [
    string,
    Date,
    string,
    string,
    number,
    Uint8Array | null,
    string,
    string,
    string,
    string | null,
  ];
  if (!consumeToken(tables, jti, expires)) return { outcome: 'replayed', language: 'en-US', tries: 0, ...NOT_ADMITTED };
  const leg = tables.legs.get(legId);
  if (leg === undefined || leg.voice_call_id !== call || leg.kind !== 'inbound' || leg.account_id !== account)
    return { outcome: 'unknown-call', language: 'en-US', tries: 0, ...NOT_ADMITTED };
  const language = tables.numbers.get(leg.number ?? '')?.language ?? 'en-US';

  if (tryNo <= leg.tries) {
    const session = leg.session_id === null ? undefined : tables.sessions.get(leg.session_id);
    const room = tables.rooms.get(session?.room_id ?? '');
    // In SQL `NULL NOT IN (…)` is null, hence not true: without a session only the leg's own state counts.
    const over = isEndingOrEnded(leg.state) || (session !== undefined && session.state !== 'open' && session.state !== 'live');
    const outcome = leg.last_outcome === 'admitted' && over ? 'hang-up' : leg.last_outcome;
    return {
      outcome,
      language,
      tries: leg.tries,
      tenant_id: leg.tenant_id,
      session_id: leg.session_id,
      conversation: session?.conversation ?? null,
      waits: room !== undefined && waitsForHost(tables, room, leg.session_id, leg.role),
    };
  }
  if (leg.session_id !== null || isEndingOrEnded(leg.state))
    return { outcome: 'hang-up', language, tries: leg.tries, ...NOT_ADMITTED };

  const tries = leg.tries + 1;
  const pin =
    lookup === null
      ? undefined
      : tables.pins.get(tables.pinByLookup.get(`${leg.number ?? ''} ${bytesKey(lookup)}`) ?? '');
  const seat =
    pin === undefined || pin.quarantined_until !== null
      ? null
      : admitToSession(
          tables,
          leg,
          { roomId: pin.room_id, role: pin.role, person: pin.participant_id },
          [freshSession, conversation, participant],
          now,
        );
  if (seat !== null) return mergeAdmission(seat, { language, tries });

  const refused = tries >= MAX_PIN_ATTEMPTS;
  const outcome = refused ? 'refused' : 'wrong-pin';
  tables.putLeg({
    // Where nobody is guarded against, a guess has no odds.
    ...leg,
    tries,
    last_wrong_pin_at: lookup === null ? leg.last_wrong_pin_at : now,
    version: leg.version + 1,
    last_outcome: outcome,
    state: refused ? 'ending' : isRinging(leg.state) ? 'answered' : leg.state,
    answered_at: leg.answered_at ?? now,
    hangup_requested_at: refused ? now : null,
    hangup_reason: refused ? 'too-many-tries' : null,
    deadline_at: seconds(now, refused ? GOODBYE_SECONDS : PIN_ENTRY_SECONDS),
  });
  return { outcome, language, tries, ...NOT_ADMITTED };
}

export function answerOwnLeg(tables: Tables, values: readonly unknown[], now: Date): object {
  const [jti, expires, legId, tokenHash, call, account] = values as [
    string,
    Date,
    string | null,
    Uint8Array | null,
    string,
    string | null,
  ];
  const nobody = { tenant_id: null, session_id: null, conversation: null, leg_id: null, kind: null, waits: false };
  if (!consumeToken(tables, jti, expires)) return { outcome: 'replayed', ...nobody };
  const named = tables.legs.get((tokenHash === null ? legId : tables.legByToken.get(bytesKey(tokenHash))) ?? '');
  const leg =
    named?.kind === (tokenHash === null ? 'outbound' : 'bridge') && named.account_id === account ? named : undefined;
  const session = leg === undefined ? undefined : tables.sessions.get(leg.session_id ?? '');
  if (leg === undefined || session === undefined || (leg.voice_call_id !== null && leg.voice_call_id !== call))
    return { outcome: 'unknown-leg', ...nobody };

  const its = { tenant_id: leg.tenant_id, session_id: leg.session_id, leg_id: leg.id, kind: leg.kind };
  if (isEndingOrEnded(leg.state) || (session.state !== 'open' && session.state !== 'live')) {
    if (leg.voice_call_id === null)
      tables.putLeg({ ...leg, voice_call_id: call, version: leg.version + 1, hangup_attempted_at: null });
    return { outcome: 'hang-up', conversation: null, ...its, waits: false };
  }
  tables.putLeg({
    ...leg,
    voice_call_id: call,
    version: leg.version + 1,
    answered_at: leg.answered_at ?? now,
    state: isRinging(leg.state) ? 'answered' : leg.state,
  });
  if (isRinging(leg.state)) emitLegAnswered(tables, leg.id, session.id, now);
  else tables.putSession({ ...session, settle_due_at: now, version: session.version + 1 });
  return {
    outcome: 'join',
    conversation: session.conversation,
    ...its,
    waits: leg.kind === 'outbound' && waitsForHost(tables, tables.rooms.get(session.room_id)!, session.id, leg.role),
  };
}
