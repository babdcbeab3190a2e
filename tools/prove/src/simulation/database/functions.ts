import type { LegRow } from '@partyline/store/session-view';
import { bytesKey, DatabaseError, type Tables } from './tables.ts';
import { NEW_LEG, NEW_SESSION } from './new-rows.ts';

/*
 * The plpgsql functions of the webhooks' migration, line by line. Row locks are the caller's business (twin.ts): a function is one
 * statement and sees nobody else's changes while it runs.
 */

const rings = (state: LegRow['state']): boolean => state === 'requested' || state === 'dialling' || state === 'ringing';
const isOver = (state: LegRow['state'] | undefined): boolean => state === 'ending' || state === 'ended';
const seconds = (at: Date, more: number): Date => new Date(at.getTime() + more * 1000);

/** `INSERT … ON CONFLICT DO NOTHING` of a webhook's token id. */
function takeToken(tables: Tables, jti: string, expires: Date): boolean {
  if (tables.tokens.has(jti)) return false;
  tables.put(tables.tokens, jti, expires);
  return true;
}

function noteAnswered(tables: Tables, legId: string, sessionId: string, now: Date): void {
  const session = tables.sessions.get(sessionId)!;
  const { id, kind, participant_id } = tables.legs.get(legId)!;
  const seq = session.last_seq + 1;
  tables.putSession({ ...session, settle_owed_at: now, version: session.version + 1, last_seq: seq });
  const next_try_at = (tables.tenants.get(session.tenant_id)?.events_url ?? null) === null ? null : now;
  tables.addOutbox({
    tenant_id: session.tenant_id, room_id: session.room_id, session_id: sessionId, seq, type: 'leg.answered', data: JSON.stringify({ legId: id, kind, participantId: participant_id }), created_at: now,
    delivered_at: null, attempts: 0, next_try_at, lease_until: null,
  });
}

export function answerCaller(tables: Tables, values: readonly unknown[], now: Date): object {
  const [jti, expires, legId, call, number, remote, keyingS] = values as [string, Date, string, string, string | null, string | null, number];
  if (!takeToken(tables, jti, expires)) return { outcome: 'replayed', leg_id: null, language: null };
  const language = number === null ? undefined : tables.numbers.get(number)?.language;
  if (language === undefined) return { outcome: 'unknown-number', leg_id: null, language: 'en-US' };
  if (!tables.legByCall.has(call)) {
    if (tables.legs.has(legId)) throw new DatabaseError('23505', 'leg_pkey');
    tables.putLeg({ ...NEW_LEG, id: legId, kind: 'inbound', state: 'ringing', number, remote, voice_call_id: call, deadline_at: seconds(now, keyingS), created_at: now });
  }
  const leg = tables.legs.get(tables.legByCall.get(call)!)!;
  return { outcome: isOver(leg.state) ? 'let-go' : 'ask', leg_id: leg.id, language };
}

export function admitCaller(tables: Tables, values: readonly unknown[], now: Date): object {
  const [jti, expires, legId, call, tryNo, maxTries, lookup, freshSession, freshConversation, freshParticipant] = values as [string, Date, string, string, number, number, Uint8Array | null, string, string, string];
  const nobody = { tenant_id: null, session_id: null, conversation: null };
  if (!takeToken(tables, jti, expires)) return { outcome: 'replayed', language: 'en-US', tries: 0, ...nobody };
  const leg = tables.legs.get(legId);
  if (leg === undefined || leg.voice_call_id !== call || leg.kind !== 'inbound') return { outcome: 'unknown-call', language: 'en-US', tries: 0, ...nobody };
  const language = tables.numbers.get(leg.number ?? '')?.language ?? 'en-US';

  if (tryNo <= leg.tries) {
    const session = leg.session_id === null ? undefined : tables.sessions.get(leg.session_id);
    // In SQL `NULL NOT IN (…)` is null, hence not true: without a session only the leg's own state counts.
    const over = isOver(leg.state) || (session !== undefined && session.state !== 'open' && session.state !== 'live');
    const outcome = leg.last_outcome === 'admitted' && over ? 'let-go' : leg.last_outcome;
    return { outcome, language, tries: leg.tries, tenant_id: leg.tenant_id, session_id: leg.session_id, conversation: session?.conversation ?? null };
  }
  if (leg.session_id !== null || isOver(leg.state)) return { outcome: 'let-go', language, tries: leg.tries, ...nobody };

  const pin = lookup === null ? undefined : tables.pins.get(tables.pinByLookup.get(`${leg.number ?? ''} ${bytesKey(lookup)}`) ?? '');
  const found = pin === undefined || pin.free_at !== null ? undefined : tables.rooms.get(pin.room_id);
  const room = found?.state === 'active' ? found : undefined;
  const tries = leg.tries + 1;
  const version = leg.version + 1;

  if (room === undefined) {
    const refused = tries >= maxTries;
    const outcome = refused ? 'refused' : 'wrong-pin';
    tables.putLeg({
      ...leg, tries, version, last_outcome: outcome, state: refused ? 'ending' : rings(leg.state) ? 'answered' : leg.state, answered_at: leg.answered_at ?? now,
      owed_at: refused ? now : null, owed_reason: refused ? 'too-many-tries' : null, deadline_at: refused ? seconds(now, 15) : leg.deadline_at,
    });
    return { outcome, language, tries, ...nobody };
  }
  let current = tables.currentOfRoom.get(room.id);
  if (current === undefined) {
    // A clash of the fresh ids: the INSERT does nothing, for ever; ids do not clash, so the test does not go there.
    tables.putSession({ ...NEW_SESSION, id: freshSession, tenant_id: room.tenant_id, room_id: room.id, conversation: freshConversation, media_session_id: null, due_at: seconds(now, room.max_duration_s), due_reason: 'max-duration', created_at: now });
    current = freshSession;
  }
  const session = tables.sessions.get(current)!;
  const seated = (tables.legsOfSession.get(session.id) ?? []).filter((id) => {
    const other = tables.legs.get(id)!;
    return other.state !== 'ended' && other.kind !== 'bridge';
  }).length;
  if (seated >= room.max_participants) {
    tables.putLeg({ ...leg, tries, version, last_outcome: 'full', state: 'ending', owed_at: now, owed_reason: 'room-full', deadline_at: seconds(now, 15) });
    return { outcome: 'full', language, tries, ...nobody };
  }
  if (tables.participants.has(freshParticipant)) throw new DatabaseError('23505', 'participant_pkey');
  tables.put(tables.participants, freshParticipant, { id: freshParticipant, tenant_id: room.tenant_id, room_id: room.id, kind: 'caller', name: 'Caller', created_at: now });
  tables.putLeg({
    ...leg, tries, version, last_outcome: 'admitted', answered_at: leg.answered_at ?? now, state: rings(leg.state) ? 'answered' : leg.state, tenant_id: room.tenant_id, session_id: session.id,
    participant_id: freshParticipant, deadline_at: seconds(session.created_at, room.max_duration_s),
  });
  noteAnswered(tables, legId, session.id, now);
  return { outcome: 'admitted', language, tries, tenant_id: room.tenant_id, session_id: session.id, conversation: session.conversation };
}

export function answerOwnLeg(tables: Tables, values: readonly unknown[], now: Date): object {
  const [jti, expires, legId, tokenHash, call] = values as [string, Date, string | null, Uint8Array | null, string];
  const nobody = { tenant_id: null, session_id: null, conversation: null, leg_id: null, kind: null };
  if (!takeToken(tables, jti, expires)) return { outcome: 'replayed', ...nobody };
  const named = tables.legs.get((tokenHash === null ? legId : tables.legByToken.get(bytesKey(tokenHash))) ?? '');
  const leg = named?.kind === (tokenHash === null ? 'outbound' : 'bridge') ? named : undefined;
  const session = leg === undefined ? undefined : tables.sessions.get(leg.session_id ?? '');
  if (leg === undefined || session === undefined || (leg.voice_call_id !== null && leg.voice_call_id !== call)) return { outcome: 'unknown-leg', ...nobody };

  const its = { tenant_id: leg.tenant_id, session_id: leg.session_id, leg_id: leg.id, kind: leg.kind };
  if (isOver(leg.state) || (session.state !== 'open' && session.state !== 'live')) {
    if (leg.voice_call_id === null) tables.putLeg({ ...leg, voice_call_id: call, version: leg.version + 1, asked_at: null });
    return { outcome: 'let-go', conversation: null, ...its };
  }
  tables.putLeg({ ...leg, voice_call_id: call, version: leg.version + 1, answered_at: leg.answered_at ?? now, state: rings(leg.state) ? 'answered' : leg.state });
  if (rings(leg.state)) noteAnswered(tables, leg.id, session.id, now);
  else tables.putSession({ ...session, settle_owed_at: now, version: session.version + 1 });
  return { outcome: 'join', conversation: session.conversation, ...its };
}
