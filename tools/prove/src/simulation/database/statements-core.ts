import { LEG_COLUMNS, type LegRow } from '@partyline/store/legs/legs';
import { MAX_COUNTED_PINS } from '@partyline/domain/pin';
import type { RoomRow, SessionRow } from '@partyline/store/sessions/session-lock';
import { enqueueDeliveries } from './statements-deliveries.ts';
import { returnRows, returnCount, returnRow, addSeconds, type StatementTwin } from './statement-twin.ts';
import { accountColumns, DEFAULT_LEG, DEFAULT_SESSION } from './default-rows.ts';
import { bytesKey, DatabaseError, type Tables } from './tables.ts';
import { admitCaller, answerCaller, answerOwnLeg, describeEvent } from './sql-functions.ts';
import { readLimitUse } from './limit-use.ts';

/** The columns of the parameters, by statement text. */
const columnsByText = new Map<string, readonly string[]>();

/** The columns of `SET a = $3, b = $4`, in order. */
function parseSetColumns(text: string): readonly string[] {
  let columns = columnsByText.get(text);
  if (columns === undefined) {
    columns = [...text.matchAll(/(\w+) = \$(\d+)/g)]
      .filter(([, column]) => column !== 'id' && column !== 'version' && column !== 'tenant_id')
      .map(([, column]) => column!);
    columnsByText.set(text, columns);
  }
  return columns;
}

/** The columns of `INSERT INTO t (a, b) VALUES`, in order. */
function parseInsertColumns(text: string): readonly string[] {
  let columns = columnsByText.get(text);
  if (columns === undefined) {
    columns = /\(([^)]+)\)\s*VALUES/.exec(text)![1]!.split(/,\s*/);
    columnsByText.set(text, columns);
  }
  return columns;
}

function findNewestSession(tables: Tables, room: string, tenant: string): SessionRow | undefined {
  return (tables.sessionsOfRoom.get(room) ?? [])
    .map((id) => tables.sessions.get(id)!)
    .filter((row) => row.tenant_id === tenant)
    .reduce<SessionRow | undefined>(
      (best, row) => (best === undefined || row.created_at >= best.created_at ? row : best),
      undefined,
    );
}

/** The order of Postgres: null comes last. */
const compareNullsLast = (a: string | null, b: string | null): number =>
  a === b ? 0 : a === null ? 1 : b === null ? -1 : a < b ? -1 : 1;

/** The columns that `saveLegs` writes: times, and others. */
const SAVED_TIMES = LEG_COLUMNS.filter((column) => /_(at|since|until)$/.test(column));
const SAVED_OTHERS = LEG_COLUMNS.filter((column) => !SAVED_TIMES.includes(column));

/** A leg as `saveLegs` sends it: without the columns that are null, and with times as text. */
type SavedLeg = Pick<LegRow, 'id' | 'version'> & Readonly<Record<string, unknown>>;

/**
 * Writes the columns of a saved leg to its row. Written for speed: an unchanged time keeps its
 * object, of which the text is cached (runtime/cache-date-text.ts).
 */
function mergeLeg(before: LegRow, saved: SavedLeg): LegRow {
  const row: Record<string, unknown> = { ...before };
  for (const column of SAVED_OTHERS) row[column] = saved[column] ?? null;
  for (const column of SAVED_TIMES) {
    const text = (saved[column] as string | undefined) ?? null;
    const time = before[column] as Date | null;
    if (text === null) row[column] = null;
    else if (time === null || time.toJSON() !== text) row[column] = new Date(text);
  }
  row['version'] = saved.version + 1;
  return row as unknown as LegRow;
}

/** The statements of use-cases about rooms, sessions, legs, PINs, callers and limits. */
export const CORE_TWINS: Readonly<Record<string, StatementTwin>> = {
  'use-webhook-token': (tables, [jti, expires]) => {
    if (tables.tokens.has(jti as string)) return returnCount(0);
    tables.put(tables.tokens, jti as string, expires as Date);
    return returnCount(1);
  },
  'owner-of-media': (tables, [media, account]) => {
    const id = tables.sessionByMedia.get(media as string);
    return returnRow(
      id === undefined || tables.sessions.get(id)!.account_id !== account
        ? undefined
        : { tenant_id: tables.sessions.get(id)!.tenant_id, session_id: id },
    );
  },
  // Without the limits of an account, which tests of libs/conference cover.
  'guard-connection': (tables, [tenant]) =>
    returnRow({ suspended: Boolean(tables.tenants.get(tenant as string)?.suspended_at), busy: false }),
  'leg-there': (tables, [tenant, participant]) => {
    if (tables.participants.get(participant as string)?.tenant_id !== tenant) return returnCount(0);
    const leg = [...tables.liveLegs]
      .map((id) => tables.legs.get(id)!)
      .filter(
        (each) =>
          each.participant_id === participant &&
          each.tenant_id === tenant &&
          (each.state === 'answered' || each.state === 'joined') &&
          (each.voice_call_id !== null || each.media_connection_id !== null),
      )
      .reduce<LegRow | undefined>(
        (best, each) => (best === undefined || each.created_at > best.created_at ? each : best),
        undefined,
      );
    return returnRow({
      id: leg?.id ?? null,
      session_id: leg?.session_id ?? null,
      account_id: leg?.account_id ?? null,
      voice_call_id: leg?.voice_call_id ?? null,
      media_connection_id: leg?.media_connection_id ?? null,
      media_session_id: tables.sessions.get(leg?.session_id ?? '')?.media_session_id ?? null,
    });
  },
  'leg-of-call': (tables, [call, legId, account]) => {
    const find = (id: string | undefined): LegRow | undefined =>
      [tables.legs.get(id ?? '')].find((leg) => leg?.account_id === account);
    const byId = find((legId as string | null) ?? undefined);
    const leg = find(tables.legByCall.get(call as string)) ?? (byId?.voice_call_id === null ? byId : undefined);
    return returnRow(leg && { id: leg.id, tenant_id: leg.tenant_id, session_id: leg.session_id });
  },
  'session-of-leg': (tables, [id, tenant]) => {
    const leg = tables.legs.get(id as string);
    return returnRow(leg?.tenant_id === tenant ? { session_id: leg!.session_id } : undefined);
  },
  'media-of-session': (tables, [id, tenant]) => {
    const session = tables.sessions.get(String(id));
    return returnRow(
      session?.tenant_id === tenant
        ? {
            account_id: session!.account_id,
            media_session_id: session!.media_session_id,
            conversation: session!.conversation,
          }
        : undefined,
    );
  },
  'running-session': (tables, [id, tenant]) => {
    const session = tables.sessions.get(String(id));
    const runs = session?.tenant_id === tenant && (session?.state === 'open' || session?.state === 'live');
    return returnRow(runs ? { id } : undefined);
  },
  'media-of-leg': (tables, [id, tenant]) => {
    const leg = tables.legs.get(id as string);
    const session = leg?.tenant_id === tenant ? tables.sessions.get(leg?.session_id ?? '') : undefined;
    return returnRow(session && { media_session_id: session.media_session_id });
  },
  'store-observation': (tables, [tenant, leg, handle, phase, source, outcome, reason, at], { now }) => {
    tables.addObservation({
      tenant_id: tenant as string | null,
      leg_id: leg as string,
      handle: handle as string,
      phase: phase as string,
      source: source as string,
      outcome: outcome as string | null,
      reason: reason as string | null,
      provider_at: at as Date | null,
      stored_at: now,
    });
    return returnCount(1);
  },
  'append-events': (tables, [tenant, room, session, first, types, data], { now, clock }) => {
    const list = types as readonly string[];
    list.forEach((type, i) => {
      const event = tables.addOutbox({
        tenant_id: tenant as string,
        room_id: room as string,
        session_id: session as string,
        endpoint_id: null,
        seq: Number(first) + i,
        type,
        data: describeEvent(tables, room as string, (data as readonly string[])[i]!),
        created_at: clock,
      });
      enqueueDeliveries(tables, event, now);
    });
    return returnCount(list.length);
  },
  'append-room-event': (tables, [tenant, id, type, data], { now, clock }) => {
    const room = tables.rooms.get(id as string);
    if (room === undefined || room.tenant_id !== tenant) return returnCount(0);
    const seq = room.last_seq + 1;
    tables.put(tables.rooms, room.id, Object.freeze({ ...room, last_seq: seq }));
    const event = tables.addOutbox({
      tenant_id: room.tenant_id,
      room_id: room.id,
      session_id: null,
      endpoint_id: null,
      seq,
      type: type as string,
      data: describeEvent(tables, room.id, data as string),
      created_at: clock,
    });
    enqueueDeliveries(tables, event, now);
    return returnCount(1);
  },
  'insert-room': (tables, values, { now }, text) => {
    const row: Record<string, unknown> = {
      state: 'active',
      version: 1,
      last_seq: 0,
      created_at: now,
      ended_at: null,
      end_reason: null,
      deleted_at: null,
      max_spend_micro: null,
    };
    parseInsertColumns(text).forEach((column, i) => (row[column] = values[i]));
    if (tables.rooms.has(row['id'] as string)) throw new DatabaseError('23505', 'room_pkey');
    if (
      row['pinless'] === true &&
      [...tables.rooms.values()].some(
        (room) => room.state === 'active' && room.pinless && room.number === row['number'],
      )
    )
      throw new DatabaseError('23505', 'room_pinless');
    tables.put(tables.rooms, row['id'] as string, Object.freeze(row as RoomRow));
    if (row['expiry_check_at'] !== null) tables.put(tables.roomsWithExpiryCheck, row['id'] as string, true);
    return returnRow({ ...row });
  },
  'insert-session': (tables, [id, tenant, room, conversation, media, seconds, reason, ends, account], { now }) => {
    if (tables.sessions.has(id as string)) throw new DatabaseError('23505', 'session_pkey');
    const due = addSeconds(now, Number(seconds));
    const scheduled = ends !== null && (ends as Date) < due;
    const due_at = scheduled ? (ends as Date) : due;
    const due_reason = scheduled ? 'schedule-ended' : (reason as SessionRow['due_reason']);
    tables.putSession({
      ...DEFAULT_SESSION,
      id: id as string,
      tenant_id: tenant as string,
      room_id: room as string,
      conversation: conversation as string,
      media_session_id: media as string | null,
      due_at,
      due_reason,
      created_at: now,
      ...accountColumns(account as string | null),
    });
    return returnRow({ due_at });
  },
  'insert-participant': (tables, [id, tenant, room, kind, name, role], { now }) => {
    if (tables.participants.has(id as string)) throw new DatabaseError('23505', 'participant_pkey');
    tables.put(tables.participants, id as string, {
      id: id as string,
      tenant_id: tenant as string,
      room_id: room as string,
      kind: kind as string,
      name: name as string,
      role: role as LegRow['role'],
      removed_at: null,
      created_at: now,
    });
    return returnCount(1);
  },
  'claim-pin': (tables, [id, tenant, room, number, lookups, encrypted, role, participant, digits, heads], { now }) => {
    const keyOf = (bytes: Uint8Array): string => `${number as string} ${bytesKey(bytes)}`;
    const [begins, keys] = [(heads as Uint8Array[]).map(keyOf), (lookups as Uint8Array[]).map(keyOf)];
    for (const other of tables.pins.values())
      if (other.digits !== digits && other.head !== null && begins.includes(`${other.number} ${bytesKey(other.head)}`))
        return returnCount(0);
    if (keys.some((key) => tables.pinByLookup.has(key))) return returnCount(0);
    if (tables.pins.has(id as string)) throw new DatabaseError('23505', 'pin_pkey');
    tables.put(tables.pins, id as string, {
      id: id as string,
      tenant_id: tenant as string,
      room_id: room as string,
      number: number as string,
      lookup: (lookups as Uint8Array[])[0]!,
      ciphertext: encrypted as Uint8Array,
      role: role as LegRow['role'],
      participant_id: participant as string | null,
      digits: digits as number,
      head: (heads as Uint8Array[])[0]!,
      created_at: now,
      quarantined_until: null,
    });
    tables.put(tables.pinByLookup, keys[0]!, id as string);
    return returnCount(1);
  },
  'count-pins': (tables, [number]) => {
    let n = 0;
    for (const pin of tables.pins.values()) if (pin.number === number && pin.quarantined_until === null) n += 1;
    return returnRow({ n: Math.min(MAX_COUNTED_PINS, n) });
  },
  'lock-room': (tables, [id, tenant], { clock }) => {
    const room = tables.rooms.get(id as string);
    return returnRow(
      room?.tenant_id === tenant
        ? { ...room, now: clock, account_id: tables.numbers.get(room!.number)?.account_id ?? null }
        : undefined,
    );
  },
  'close-room': (tables, [id, tenant, reason], { now }) => {
    const room = tables.rooms.get(id as string);
    if (room === undefined || room.tenant_id !== tenant || room.state !== 'active') return returnCount(0);
    tables.put(
      tables.rooms,
      room.id,
      Object.freeze({
        ...room,
        state: 'ended',
        ended_at: now,
        end_reason: reason as RoomRow['end_reason'],
        version: room.version + 1,
      }),
    );
    return returnCount(1);
  },
  'last-use-of-room': (tables, [room, tenant]) => {
    const newest = findNewestSession(tables, room as string, tenant as string);
    return returnRow(newest && { state: newest.state, ended_at: newest.ended_at });
  },
  'save-room': (tables, [id, tenant, ...values], _time, text) => {
    const room = tables.rooms.get(id as string);
    if (room === undefined || room.tenant_id !== tenant) return returnCount(0);
    const row = { ...room, version: room.version + 1 } as RoomRow & Record<string, unknown>;
    parseSetColumns(text).forEach((column, i) => ((row as Record<string, unknown>)[column] = values[i]));
    tables.put(tables.rooms, room.id, Object.freeze(row));
    tables.put(tables.roomsWithExpiryCheck, room.id, row.expiry_check_at === null ? undefined : true);
    return returnRow({ ...row });
  },
  'schedule-room-settle': (tables, [room, tenant], { now }) => {
    const session = tables.sessions.get(tables.currentOfRoom.get(room as string) ?? '');
    if (session === undefined || session.tenant_id !== tenant) return returnCount(0);
    tables.putSession({ ...session, settle_due_at: now, version: session.version + 1 });
    return returnCount(1);
  },
  'release-pins': (tables, [room, tenant, seconds], { now }) => {
    const active = [...tables.pins.values()].filter(
      (pin) => pin.room_id === room && pin.tenant_id === tenant && pin.quarantined_until === null,
    );
    for (const pin of active)
      tables.put(tables.pins, pin.id, { ...pin, quarantined_until: addSeconds(now, Number(seconds)) });
    return returnCount(active.length);
  },
  'newest-session': (tables, [room, tenant]) => {
    const newest = findNewestSession(tables, room as string, tenant as string);
    return returnRow(newest && { id: newest.id, state: newest.state });
  },
  'find-number': (tables, [tenant, number, country, language, tollFree, kind], { now }) => {
    const matching = [...tables.numbers.values()].flatMap((row) => {
      const dedicated = row.dedicated_to !== null;
      const bound =
        dedicated &&
        [...tables.rooms.values()].some((room) => room.number === row.e164 && room.state === 'active' && room.pinless);
      const isMatching =
        (!dedicated || row.dedicated_to === tenant) &&
        (number === null || row.e164 === number) &&
        (country === null || row.country === country) &&
        (language === null || row.language === language || row.language.startsWith(`${language as string}-`)) &&
        (tollFree === null || row.toll_free === tollFree) &&
        (kind === null || dedicated === (kind === 'dedicated')) &&
        (number !== null || !bound);
      return isMatching ? [{ row, dedicated, bound }] : [];
    });
    const first = matching.toSorted(
      (a, b) =>
        Number(a.dedicated) - Number(b.dedicated) ||
        a.row.created_at.getTime() - b.row.created_at.getTime() ||
        (a.row.e164 < b.row.e164 ? -1 : 1),
    )[0];
    return returnRow(
      first && {
        e164: first.row.e164,
        language: first.row.language,
        dedicated: first.dedicated,
        bound: first.bound,
        account_id: first.row.account_id,
        now,
      },
    );
  },
  'lock-number-for-room': (tables, [tenant, e164]) => {
    const row = tables.numbers.get(e164 as string);
    return returnRow(
      row !== undefined && (row.dedicated_to === null || row.dedicated_to === tenant)
        ? { dedicated: row.dedicated_to !== null, account_id: row.account_id }
        : undefined,
    );
  },
  'find-participant': (tables, [tenant, id]) => {
    const participant = tables.participants.get(id as string);
    return returnRow(
      participant?.tenant_id === tenant ? { role: participant!.role, removed_at: participant!.removed_at } : undefined,
    );
  },
  'lock-session': (tables, [id, tenant], { clock }) => {
    const session = tables.sessions.get(id as string);
    return returnRow(session?.tenant_id === tenant ? { ...session, now: clock } : undefined);
  },
  // Not copied: no use-case changes this row, and the copy was the largest cost of a leg.
  'room-of-session': (tables, [id]) => returnRow(tables.rooms.get(id as string)),
  'legs-of-session': (tables, [id, legId, connection]) => {
    const legs = (tables.legsOfSession.get(id as string) ?? []).map((each) => tables.legs.get(each)!);
    return returnRows(
      legs
        .filter(
          (leg) =>
            leg.state !== 'ended' ||
            leg.id === legId ||
            (connection !== null && leg.media_connection_id === connection),
        )
        .map((leg) => ({ ...leg })),
    );
  },
  'save-session': (tables, values, _when, text) => {
    const before = tables.sessions.get(values[0] as string);
    if (before === undefined || before.version !== values[1] || before.tenant_id !== values.at(-1))
      return returnCount(0);
    const row: Record<string, unknown> = { ...before };
    parseSetColumns(text).forEach((column, i) => (row[column] = values[i + 2]));
    tables.putSession({ ...(row as SessionRow), version: before.version + 1 });
    return returnCount(1);
  },
  'save-legs': (tables, [tenant, , legs]) => {
    const saved = (JSON.parse(legs as string) as SavedLeg[]).filter(
      ({ id, version }) => tables.legs.get(id)?.version === version && tables.legs.get(id)!.tenant_id === tenant,
    );
    for (const leg of saved) tables.putLeg(mergeLeg(tables.legs.get(leg.id)!, leg));
    return returnRows(saved.map(({ id }) => ({ id })));
  },
  'insert-leg': (tables, values, { now }, text) => {
    const row: Record<string, unknown> = { ...DEFAULT_LEG, created_at: now };
    parseInsertColumns(text).forEach((column, i) => (row[column] = values[i] ?? null));
    Object.assign(row, accountColumns(row['account_id'] as string | null));
    if (tables.legs.has(row['id'] as string)) throw new DatabaseError('23505', 'leg_pkey');
    tables.putLeg(row as LegRow);
    return returnRow({ ...row });
  },
  'release-call': (tables, [tenant, id]) => {
    const leg = tables.legs.get(id as string);
    if (leg?.tenant_id !== tenant || leg!.state !== 'ended') return returnCount(0);
    tables.putLeg({ ...leg!, voice_call_id: null });
    return returnCount(1);
  },
  'observed-ends': (tables, [tenant, session], { now }) => {
    const observed = (tables.legsOfSession.get(session as string) ?? [])
      .map((id) => tables.legs.get(id)!)
      .filter(
        (leg) =>
          leg.tenant_id === tenant &&
          leg.state === 'ended' &&
          leg.kind !== 'bridge' &&
          leg.hangup_requested_at === null &&
          leg.ended_at !== null &&
          leg.ended_at.getTime() > now.getTime() - 600_000,
      );
    const sorted = observed.toSorted((a, b) => b.ended_at!.getTime() - a.ended_at!.getTime() || (a.id < b.id ? 1 : -1));
    const phones = new Set(sorted.filter((leg) => leg.kind !== 'webrtc').slice(0, 20));
    return returnRows(
      sorted
        .filter((leg) => leg.kind === 'webrtc' || phones.has(leg))
        .map(({ id, ended_at, media_connection_id, voice_call_id }) => ({
          id,
          ended_at,
          media_connection_id,
          voice_call_id,
        })),
    );
  },
  'has-unobserved-bridge': (tables, [session, tenant], { now }) =>
    returnRow({
      found: (tables.legsOfSession.get(session as string) ?? [])
        .map((id) => tables.legs.get(id)!)
        .some(
          (leg) =>
            leg.tenant_id === tenant &&
            leg.kind === 'bridge' &&
            leg.state === 'ended' &&
            leg.reason === 'unobserved' &&
            leg.media_connection_id === null &&
            leg.ended_at !== null &&
            leg.ended_at.getTime() > now.getTime() - 600_000,
        ),
    }),
  'lock-leg': (tables, [id, tenant], { clock }) => {
    const leg = tables.legs.get(id as string);
    return returnRow(leg?.tenant_id === tenant ? { ...leg, now: clock } : undefined);
  },
  'read-limits': (tables, [tenant, names], { clock }) =>
    returnRows((names as string[]).map((name) => ({ name, ...readLimitUse(tables, [tenant, name], clock) }))),
  'lock-limit': (tables, values, { clock }) => returnRow(readLimitUse(tables, values, clock)),
  'queue-dial': (tables, [tenant, account], { now }) => {
    const waiting = new Map<string | null, number>();
    const add = (owner: string | null): void => void waiting.set(owner, (waiting.get(owner) ?? 0) + 1);
    for (const leg of tables.legs.values()) {
      const isDialledBridge =
        leg.state === 'dialling' &&
        leg.kind === 'bridge' &&
        leg.media_connection_id === null &&
        leg.dialled_at !== null &&
        leg.dialled_at.getTime() > now.getTime() - 8_000;
      const isRequested = leg.state === 'requested' && leg.kind === 'outbound';
      if ((isRequested || isDialledBridge) && leg.account_id === account) add(leg.tenant_id);
    }
    for (const id of tables.bridgeDue) {
      const session = tables.sessions.get(id)!;
      if (session.account_id === account) add(session.tenant_id);
    }
    const own = waiting.get(tenant as string) ?? 0;
    const counts = [...waiting.values()];
    return returnRow({
      ahead: counts.reduce((sum, n) => sum + Math.min(n, own), 0),
      total: counts.reduce((sum, n) => sum + n, 0),
    });
  },
  'answer-callers': (tables, [group], { now }) =>
    returnRows(
      (JSON.parse(group as string) as Record<string, never>[]).map((q) =>
        answerCaller(
          tables,
          [
            q['jti'],
            new Date(q['expires']!),
            q['leg'],
            q['call'],
            q['number'],
            q['remote'],
            q['session'],
            q['conversation'],
            q['participant'],
            q['account'],
          ],
          now,
        ),
      ),
    ),
  'admit-callers': (tables, [group], { now }) => {
    type Request = Record<string, string | null> & { readonly lookups: readonly string[] | null };
    const requests = (JSON.parse(group as string) as Request[]).map((q, position) => ({ q, position }));
    // Processed in the order of their look-ups, answered in the order of the requests.
    const ordered = requests.toSorted((a, b) =>
      compareNullsLast(a.q.lookups?.join(' ') ?? null, b.q.lookups?.join(' ') ?? null),
    );
    const results: object[] = [];
    for (const { q, position } of ordered) {
      results[position] = admitCaller(
        tables,
        [
          q['jti'],
          new Date(q['expires']!),
          q['leg'],
          q['call'],
          q['try'],
          q.lookups?.map((lookup) => Buffer.from(lookup.slice(2), 'hex')) ?? null,
          q['session'],
          q['conversation'],
          q['participant'],
          q['account'],
          q['silent'],
        ],
        now,
      );
    }
    return returnRows(results);
  },
  'answer-caller': (tables, values, { now }) => returnRow(answerCaller(tables, values, now)),
  'admit-caller': (tables, values, { now }) => returnRow(admitCaller(tables, values, now)),
  'answer-own-leg': (tables, values, { now }) => returnRow(answerOwnLeg(tables, values, now)),
  'reserve-slot': (tables, [account, lane, share, interval, maxShareWait, maxWait, spreadsRetries], { clock }) => {
    const keyOf = (name: string): string => `${account as string} ${lane as string} ${name}`;
    const laneKey = keyOf('');
    const shareKey = keyOf(share as string);
    const whole = tables.rateLimits.get(laneKey) ?? { next_slot_at: clock, next_retry_at: null };
    const own = tables.rateLimits.get(shareKey) ?? { next_slot_at: clock, next_retry_at: null };
    const at = whole.next_slot_at < clock ? clock : whole.next_slot_at;
    if (own.next_slot_at <= addSeconds(clock, Number(maxShareWait)) && at <= addSeconds(clock, Number(maxWait))) {
      const next_slot_at = addSeconds(at, Number(interval));
      tables.put(tables.rateLimits, laneKey, { ...whole, next_slot_at });
      tables.put(tables.rateLimits, shareKey, { ...own, next_slot_at });
      return returnRow({ wait_ms: at.getTime() - clock.getTime(), retry_after_ms: null });
    }
    const free = Math.max(
      addSeconds(own.next_slot_at, -Number(maxShareWait)).getTime(),
      addSeconds(whole.next_slot_at, -Number(maxWait)).getTime(),
      clock.getTime(),
      spreadsRetries === true ? (own.next_retry_at?.getTime() ?? 0) : 0,
    );
    const next = addSeconds(new Date(free), Number(interval));
    const retryAt = spreadsRetries === true && next > addSeconds(clock, 15) ? addSeconds(clock, 15) : next;
    tables.put(tables.rateLimits, laneKey, whole);
    tables.put(tables.rateLimits, shareKey, spreadsRetries === true ? { ...own, next_retry_at: retryAt } : own);
    return returnRow({ wait_ms: null, retry_after_ms: retryAt.getTime() - clock.getTime() });
  },
  'acquire-lease': (tables, [name, interval], { now }) => {
    const before = tables.leases.get(name as string);
    if (before !== undefined && before.available_at > now) return returnCount(0);
    tables.put(tables.leases, name as string, { available_at: addSeconds(now, Number(interval)) });
    return returnCount(1);
  },
  'release-lease': (tables, [name], { now }) => {
    if (!tables.leases.has(name as string)) return returnCount(0);
    tables.put(tables.leases, name as string, { available_at: now });
    return returnCount(1);
  },
  'purge-tokens': (tables, [limit], { now }) => {
    const old = [...tables.tokens]
      .filter(([, expires]) => expires < now)
      .toSorted(([, a], [, b]) => a.getTime() - b.getTime())
      .slice(0, Number(limit));
    for (const [jti] of old) tables.put(tables.tokens, jti, undefined);
    return returnCount(old.length);
  },
  'purge-pins': (tables, [limit], { now }) => {
    const old = [...tables.pins.values()]
      .filter((pin) => pin.quarantined_until !== null && pin.quarantined_until < now)
      .toSorted((a, b) => a.quarantined_until!.getTime() - b.quarantined_until!.getTime())
      .slice(0, Number(limit));
    for (const pin of old) {
      tables.put(tables.pins, pin.id, undefined);
      tables.put(tables.pinByLookup, `${pin.number} ${bytesKey(pin.lookup)}`, undefined);
    }
    return returnCount(old.length);
  },
};
