import type { LegRow } from '@partyline/store/legs/legs';
import type { EndpointRow } from '@partyline/store/endpoints/endpoints';
import type { RoomRow, SessionRow } from '@partyline/store/sessions/session-lock';
import pg from 'pg';
import type { DeliveryAttemptRow, DeliveryRow } from './statements-deliveries.ts';

interface NumberRow {
  readonly e164: string;
  readonly language: string;
  readonly country: string | null;
  readonly toll_free: boolean;
  readonly dedicated_to: string | null;
  readonly account_id: string | null;
  readonly created_at: Date;
}
interface PinRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly room_id: string;
  readonly number: string;
  readonly lookup: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly role: LegRow['role'];
  readonly participant_id: string | null;
  readonly digits: number;
  readonly head: Uint8Array | null;
  readonly created_at: Date;
  readonly quarantined_until: Date | null;
}
interface ParticipantRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly room_id: string;
  readonly kind: string;
  readonly name: string;
  readonly role: LegRow['role'];
  readonly removed_at: Date | null;
  readonly created_at: Date;
}
export interface OutboxRow {
  readonly id: number;
  readonly tenant_id: string;
  readonly room_id: string;
  /** Null: an event about the room itself. */
  readonly session_id: string | null;
  readonly seq: number;
  readonly type: string;
  /** JSON. */
  readonly data: string;
  readonly created_at: Date;
  readonly endpoint_id: null;
}
/** The columns of a call record that the oracle compares with the provider's. */
export interface CdrRow {
  readonly leg_id: string;
  readonly tenant_id: string | null;
  readonly handle: string;
  readonly ended_at: Date;
  readonly seconds: number;
  readonly source: string;
  readonly priced: boolean;
  readonly price_lookups: number;
}

interface HangUpAttemptRow {
  readonly leg_id: string;
  readonly no: number;
  readonly tenant_id: string | null;
  readonly at: Date;
  readonly outcome: string | null;
  readonly reason: string | null;
}
interface ObservationRow {
  readonly tenant_id: string | null;
  readonly leg_id: string;
  readonly handle: string;
  readonly phase: string;
  readonly source: string;
  readonly outcome: string | null;
  readonly reason: string | null;
  readonly provider_at: Date | null;
  readonly stored_at: Date;
}

/** An error of Postgres, as the driver throws it. */
export class DatabaseError extends pg.DatabaseError {
  constructor(code: string, message: string) {
    super(message, message.length, 'error');
    this.code = code;
  }
}
/**
 * The driver's error without a server or connection. Whether the statement took effect is
 * indeterminate.
 */
export class ConnectionError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'ConnectionError';
    this.code = code;
  }
}
const duplicateKey = (constraint: string): DatabaseError =>
  new DatabaseError('23505', `duplicate key value violates unique constraint "${constraint}"`);

/**
 * The changes of a transaction: how to undo them, and the rows as they were before. Maps are
 * created on demand.
 */
export class Change {
  readonly undo: (() => void)[] = [];
  sessions: ReadonlyMap<string, SessionRow | undefined> = NOTHING;
  legs: ReadonlyMap<string, LegRow | undefined> = NOTHING;

  /** Records a row as it was before its first change. */
  session(id: string, before: SessionRow | undefined): void {
    if (this.sessions === NOTHING) this.sessions = new Map([[id, before]]);
    else if (!this.sessions.has(id)) (this.sessions as Map<string, SessionRow | undefined>).set(id, before);
  }

  leg(id: string, before: LegRow | undefined): void {
    if (this.legs === NOTHING) this.legs = new Map([[id, before]]);
    else if (!this.legs.has(id)) (this.legs as Map<string, LegRow | undefined>).set(id, before);
  }
}
const NOTHING: ReadonlyMap<string, never> = new Map<string, never>();

export const bytesKey = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
const isRunning = (row: SessionRow): boolean => row.state === 'open' || row.state === 'live';

/**
 * The tables as Maps of immutable rows, with the indexes that statements and partial unique indexes
 * need. Every write passes through a setter that records how to undo it.
 */
export class Tables {
  readonly rooms = new Map<string, RoomRow>();
  /** Rooms with `expiry_check_at`. */
  readonly roomsWithExpiryCheck = new Map<string, true>();
  readonly sessions = new Map<string, SessionRow>();
  readonly legs = new Map<string, LegRow>();
  readonly pins = new Map<string, PinRow>();
  readonly participants = new Map<string, ParticipantRow>();
  readonly numbers = new Map<string, NumberRow>();
  readonly tokens = new Map<string, Date>();
  readonly rateLimits = new Map<string, { next_slot_at: Date; next_retry_at: Date | null }>();
  readonly leases = new Map<string, { available_at: Date }>();
  readonly orphanCalls = new Map<string, OrphanCallRow>();
  readonly tenants = new Map<string, { unlimited?: boolean; suspended_at?: Date | null }>();
  readonly endpoints = new Map<string, EndpointRow>();
  readonly deliveries = new Map<string, DeliveryRow>();
  readonly deliveryAttempts = new Map<string, DeliveryAttemptRow>();
  readonly hangUpAttempts = new Map<string, HangUpAttemptRow>();
  readonly cdrs = new Map<string, CdrRow>();
  /** Call records without a price, with the time of the next look-up. */
  readonly cdrsWithPriceDue = new Map<string, Date>();
  readonly outbox = new Map<number, OutboxRow>();
  /** By session, or by room for the events about a room itself. */
  readonly outboxOfStream = new Map<string, number[]>();
  readonly observations: ObservationRow[] = [];

  readonly sessionByConversation = new Map<string, string>();
  readonly sessionByMedia = new Map<string, string>();
  readonly sessionsOfRoom = new Map<string, string[]>();
  readonly currentOfRoom = new Map<string, string>();
  readonly legByCall = new Map<string, string>();
  readonly legByToken = new Map<string, string>();
  readonly legsOfSession = new Map<string, string[]>();
  readonly bridgeOfSession = new Map<string, string>();
  readonly pinByLookup = new Map<string, string>();
  /** Sessions with a video session, without those long past. */
  readonly sessionsWithMedia = new Set<string>();

  /** Pending deliveries, oldest first. */
  readonly pendingDeliveries = new Set<string>();
  #outboxId = 0;

  /** Partial indexes. */
  readonly runningSessions = new Set<string>();
  readonly endingSessions = new Set<string>();
  readonly settleDue = new Set<string>();
  readonly bridgeDue = new Set<string>();
  readonly unadmittedLegs = new Set<string>();
  readonly endingLegs = new Set<string>();
  readonly legsToDial = new Set<string>();
  readonly diallingLegs = new Set<string>();
  readonly liveLegs = new Set<string>();
  /** Dial-outs without a call id that are live or ended as unobserved. */
  readonly dialsWithoutCall = new Set<string>();

  change = new Change();

  /** Sets or deletes a key of one of the plain maps. */
  put<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
    const before = map.get(key);
    this.change.undo.push(() => (before === undefined ? map.delete(key) : map.set(key, before)));
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }

  putSession(row: SessionRow): void {
    const before = this.sessions.get(row.id);
    this.change.session(row.id, before);
    const clash = (map: Map<string, string>, key: string | null): boolean =>
      key !== null && (map.get(key) ?? row.id) !== row.id;
    if (clash(this.sessionByConversation, row.conversation)) throw duplicateKey('session_conversation_key');
    if (clash(this.sessionByMedia, row.media_session_id)) throw duplicateKey('session_media_session_id_key');
    if (isRunning(row) && clash(this.currentOfRoom, row.room_id)) throw duplicateKey('session_one_current');
    this.#setSession(row.id, before, row);
    this.change.undo.push(() => this.#setSession(row.id, row, before));
  }

  #setSession(id: string, before: SessionRow | undefined, after: SessionRow | undefined): void {
    if (after === undefined) this.sessions.delete(id);
    else this.sessions.set(id, after);
    if (before === undefined) {
      this.sessionByConversation.set(after!.conversation, id);
      const siblings = this.sessionsOfRoom.get(after!.room_id);
      if (siblings === undefined) this.sessionsOfRoom.set(after!.room_id, [id]);
      else siblings.push(id);
    } else if (after === undefined) {
      this.sessionByConversation.delete(before.conversation);
      this.sessionsOfRoom.set(
        before.room_id,
        this.sessionsOfRoom.get(before.room_id)!.filter((each) => each !== id),
      );
    }
    const mediaBefore = before?.media_session_id ?? null;
    const mediaAfter = after?.media_session_id ?? null;
    if (mediaBefore !== mediaAfter) {
      if (mediaBefore !== null) this.sessionByMedia.delete(mediaBefore);
      if (mediaAfter !== null) {
        this.sessionByMedia.set(mediaAfter, id);
        this.sessionsWithMedia.add(id);
      }
    }
    const isCurrent = after !== undefined && isRunning(after);
    if (isCurrent) this.currentOfRoom.set(after.room_id, id);
    else if (before !== undefined && isRunning(before)) this.currentOfRoom.delete(before.room_id);
    setMembership(this.runningSessions, id, isCurrent);
    setMembership(this.endingSessions, id, after?.state === 'ending');
    setMembership(this.settleDue, id, after !== undefined && after.settle_due_at !== null);
    setMembership(this.bridgeDue, id, after !== undefined && after.bridge_due_at !== null);
  }

  putLeg(row: LegRow): void {
    const before = this.legs.get(row.id);
    this.change.leg(row.id, before);
    if (row.voice_call_id !== null && (this.legByCall.get(row.voice_call_id) ?? row.id) !== row.id)
      throw duplicateKey('leg_voice_call_id_key');
    if (isLiveBridge(row) && (this.bridgeOfSession.get(row.session_id!) ?? row.id) !== row.id)
      throw duplicateKey('leg_one_bridge');
    this.#setLeg(row.id, before, row);
    this.change.undo.push(() => this.#setLeg(row.id, row, before));
  }

  #setLeg(id: string, before: LegRow | undefined, after: LegRow | undefined): void {
    if (after === undefined) this.legs.delete(id);
    else this.legs.set(id, after);
    const callBefore = before?.voice_call_id ?? null;
    const callAfter = after?.voice_call_id ?? null;
    if (callBefore !== callAfter) {
      if (callBefore !== null) this.legByCall.delete(callBefore);
      if (callAfter !== null) this.legByCall.set(callAfter, id);
    }
    if (before === undefined && after !== undefined && after.token_hash !== null)
      this.legByToken.set(bytesKey(after.token_hash), id);
    if (after === undefined && before !== undefined && before.token_hash !== null)
      this.legByToken.delete(bytesKey(before.token_hash));
    const sessionBefore = before?.session_id ?? null;
    const sessionAfter = after?.session_id ?? null;
    if (sessionBefore !== sessionAfter) {
      if (sessionBefore !== null)
        this.legsOfSession.set(
          sessionBefore,
          this.legsOfSession.get(sessionBefore)!.filter((each) => each !== id),
        );
      if (sessionAfter !== null) this.#addToSession(sessionAfter, id);
    }
    if (after !== undefined && isLiveBridge(after)) this.bridgeOfSession.set(after.session_id!, id);
    else if (before !== undefined && isLiveBridge(before)) this.bridgeOfSession.delete(before.session_id!);
    const up = after !== undefined && after.state !== 'ended';
    setMembership(this.liveLegs, id, up);
    setMembership(
      this.dialsWithoutCall,
      id,
      after?.kind === 'outbound' &&
        after.voice_call_id === null &&
        after.remote !== null &&
        (up || after.reason === 'unobserved'),
    );
    setMembership(this.unadmittedLegs, id, up && after.session_id === null);
    setMembership(this.endingLegs, id, after?.state === 'ending');
    setMembership(
      this.diallingLegs,
      id,
      after?.state === 'dialling' ||
        (after?.state === 'ringing' && after.kind === 'bridge' && after.voice_call_id === null),
    );
    setMembership(this.legsToDial, id, after?.state === 'requested' && after.kind === 'outbound');
  }

  /** Inserts the leg into its session's list, which is ordered by creation and id. */
  #addToSession(sessionId: string, id: string): void {
    const list = this.legsOfSession.get(sessionId);
    if (list === undefined) {
      this.legsOfSession.set(sessionId, [id]);
      return;
    }
    const row = this.legs.get(id)!;
    let at = list.length;
    for (; at > 0; at--) {
      const other = this.legs.get(list[at - 1]!)!;
      const before = other.created_at.getTime() - row.created_at.getTime();
      if (before < 0 || (before === 0 && other.id < id)) break;
    }
    list.splice(at, 0, id);
  }

  addOutbox(values: Omit<OutboxRow, 'id'>): OutboxRow {
    const stream = values.session_id ?? values.room_id;
    let ids = this.outboxOfStream.get(stream);
    if (ids === undefined) this.outboxOfStream.set(stream, (ids = []));
    if (ids.some((each) => this.outbox.get(each)!.seq === values.seq))
      throw duplicateKey(values.session_id === null ? 'outbox_of_room' : 'outbox_session_id_seq_key');
    const row: OutboxRow = { ...values, id: (this.#outboxId += 1) };
    const list = ids;
    list.push(row.id);
    this.put(this.outbox, row.id, row);
    this.change.undo.push(() => void list.splice(list.indexOf(row.id), 1));
    return row;
  }

  putDelivery(row: DeliveryRow): void {
    const before = this.deliveries.get(row.id);
    this.#setDelivery(row.id, row);
    this.change.undo.push(() => this.#setDelivery(row.id, before));
  }

  #setDelivery(id: string, row: DeliveryRow | undefined): void {
    if (row === undefined) this.deliveries.delete(id);
    else this.deliveries.set(id, row);
    if (row !== undefined && row.next_try_at !== null) this.pendingDeliveries.add(id);
    else this.pendingDeliveries.delete(id);
  }

  addObservation(row: ObservationRow): void {
    this.observations.push(row);
    this.change.undo.push(() => void this.observations.splice(this.observations.lastIndexOf(row), 1));
  }
}

interface OrphanCallRow {
  readonly id: string;
  readonly first_seen_at: Date;
  readonly last_seen_at: Date;
  readonly sweeps: number;
  readonly hangup_attempted_at: Date | null;
  readonly false_kill_at: Date | null;
  readonly account_id: string | null;
  readonly tenant_account_id: string | null;
}

const setMembership = (set: Set<string>, id: string, isMember: boolean): void => {
  if (isMember) set.add(id);
  else set.delete(id);
};
const isLiveBridge = (row: LegRow): boolean =>
  row.kind === 'bridge' && row.state !== 'ended' && row.session_id !== null;
