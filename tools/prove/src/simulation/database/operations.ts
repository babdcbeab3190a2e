import { appendEvents } from '@partyline/store/events/append-events';
import { purgeExpired, PURGE_KINDS } from '@partyline/store/reconciliation/purge';
import { claimPin, countPins } from '@partyline/store/pins/pins';
import { insertParticipant } from '@partyline/store/participants/participants';
import { findMediaSessionOfLeg, findMediaSession, findSessionOfLeg, insertSession, findNewestSession } from '@partyline/store/sessions/sessions';
import { insertLeg, lockLeg, saveLegs } from '@partyline/store/legs/legs';
import { releaseLease, acquireLease } from '@partyline/store/database/lease';
import { consumeToken } from '@partyline/store/callers/webhook-tokens';
import { END_REASONS, type SessionState } from '@partyline/domain/session';
import { LEG_KINDS, LEG_STATES } from '@partyline/domain/leg';
import { verdict } from '@partyline/domain/verdict';
import { storeObservation } from '@partyline/store/legs/observations';
import { findLegOfCall, findOwnerOfMediaSession } from '@partyline/store/sessions/find-owner';
import { finishHangUpAttempt, listLastAttempts, recordHangUpAttempt } from '@partyline/store/hang-ups/hang-ups';
import { listAccountsWithPriceDue, applyChargeToCdr, storeCdr, claimCdrsWithPriceDue } from '@partyline/store/billing/cdrs';
import {
  listConnections,
  findLegsOfCalls,
  findFalseKills,
  findDialsWithoutCall,
  findUnobservedDials,
  listMediaSessionsToSweep,
  findMissingCalls,
  recordOrphanCalls,
  readDatabaseClock,
} from '@partyline/store/reconciliation/inventory';
import { claimDeliveries, recordFailedAttempt, markDelivered, type DeliveryToSend } from '@partyline/store/endpoints/deliveries';
import { lockLimit, LIMITS } from '@partyline/store/limits/limits';
import { findNumber, lockNumberForRoom } from '@partyline/store/numbers/numbers';
import { listDueWork } from '@partyline/store/reconciliation/due-work';
import { closeRoom, insertRoom, lockRoom } from '@partyline/store/rooms/rooms';
import { lockSession, saveSession } from '@partyline/store/sessions/session-lock';
import { EVERY_TENANT, inTransaction, type Store } from '@partyline/store/database/store';
import { listRunningSessions, resumeTenant, suspendTenant } from '@partyline/store/tenants/tenants';
import { reserveSlot } from '@partyline/store/providers/rate-limit';
import { admitCaller, answerCaller, answerOwnLeg } from '@partyline/store/callers/voice-webhooks';
import fc from 'fast-check';

/** One call of a function of libs/store, with arguments that both databases are given alike. Dates are far in the past or the future, so that a moment's difference between two clocks decides nothing. */
type Operation = (store: Store, side: Side) => Promise<unknown>;
/** What one database answered before and a later call needs. */
interface Side {
  delivery: DeliveryToSend | null;
}

export const NUMBER = '+442079460000';
/** One of the first tenant's own, at its own account. */
export const OWN_NUMBER = '+442079460001';
export const OWN_ACCOUNT = 'acct_0';
export const TENANT_IDS = ['ten_0', 'ten_1'] as const;
const PAST = new Date('2020-01-01T00:00:00Z');
const FUTURE = new Date('2099-01-01T00:00:00Z');

const small = (prefix: string, most = 3): fc.Arbitrary<string> => fc.nat({ max: most }).map((n) => `${prefix}_${n}`);
const tenant = fc.constantFrom(...TENANT_IDS);
const room = small('room', 2);
const session = small('ses', 3);
const leg = small('leg', 5);
const call = small('call', 5);
const media = small('media', 2);
const conversation = small('conv', 4);
const date = fc.constantFrom(PAST, FUTURE, null);
const account = fc.constantFrom(null, null, OWN_ACCOUNT);
const token = fc
  .tuple(fc.nat({ max: 12 }), account)
  .map(([n, accountId]) => ({ accountId, jti: `jti_${n}`, expiresAt: n % 2 === 0 ? FUTURE : PAST }));
const pin = fc.constantFrom(Buffer.from('pin 1'), Buffer.from('pin 2'));
const role = fc.constantFrom('participant' as const, 'host' as const);
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null });
const op = <T>(
  arguments_: fc.Arbitrary<T>,
  run: (store: Store, given: T, side: Side) => Promise<unknown>,
  name: string,
): fc.Arbitrary<{ name: string; given: T; run: Operation }> =>
  arguments_.map((given) => ({ name, given, run: (store, side) => run(store, given, side) }));

const makeRoom = op(
  fc.record({
    tenant,
    room,
    session,
    conversation,
    media: maybe(media),
    most: fc.integer({ min: 1, max: 3 }),
    never: maybe(fc.constant(600)),
    pin,
    pinId: small('pin', 3),
    number: fc.constantFrom(NUMBER, OWN_NUMBER, OWN_NUMBER),
    wait: fc.boolean(),
    before: fc.boolean(),
    starts: date,
    ends: date,
    look: date,
    role,
    person: maybe(fc.constant('person')),
  }),
  (store, g) =>
    inTransaction(store, EVERY_TENANT, async (tx) => {
      // Nobody has a room on another tenant's number, nor sees that there is one.
      const number = g.tenant === TENANT_IDS[0] ? g.number : NUMBER;
      const made = await insertRoom(tx, g.tenant, {
        room: {
          id: g.room,
          name: 'Room',
          number,
          wait_for_host: g.wait,
          pinless: number === OWN_NUMBER && g.wait,
          starts_at: g.ends === FUTURE ? null : g.starts,
          ends_at: g.ends,
          expiry_check_at: g.look,
          bridge: 'auto',
          max_participants: g.most,
          max_duration_s: 3_600,
          never_used_s: g.never,
          browsers_left_s: null,
          phones_left_s: null,
          alone_s: null,
          empty_s: null,
        },
        session: {
          id: g.session,
          conversation: g.conversation,
          mediaSessionId: g.media,
          accountId: number === OWN_NUMBER && !g.before ? OWN_ACCOUNT : null,
        },
        participant: { id: `part of ${g.room}`, name: 'Host', role: 'host' },
      });
      const n = await countPins(tx, number);
      return [
        made,
        n,
        await claimPin(tx, g.tenant, {
          id: g.pinId,
          roomId: g.room,
          number,
          lookup: g.pin,
          sealed: Buffer.from('sealed'),
          digits: 9,
          role: g.role,
          ...(g.person === null ? {} : { participantId: g.person }),
        }),
      ];
    }),
  'make room',
);
const nextSession = op(
  fc.record({ tenant, room, session, conversation }),
  (store, g) =>
    inTransaction(store, EVERY_TENANT, async (tx) => {
      const found = await lockRoom(tx, g.tenant, g.room);
      if (found === null) return 'no room';
      return [
        (await findNewestSession(tx, g.tenant, g.room))?.state,
        await insertSession(tx, g.tenant, found, {
          id: g.session,
          conversation: g.conversation,
          mediaSessionId: null,
          accountId: found.account_id,
        }),
      ];
    }),
  'next session',
);
const endRoom = op(
  fc.record({ tenant, room, reason: fc.constantFrom(...END_REASONS) }),
  (store, g) => inTransaction(store, g.tenant, (tx) => closeRoom(tx, g.tenant, g.room, g.reason, 3_600)),
  'end room',
);
const addLeg = op(
  fc.record({
    tenant,
    session,
    leg,
    role,
    kind: fc.constantFrom(...LEG_KINDS),
    state: fc.constantFrom(...LEG_STATES),
    connection: maybe(small('con')),
    hash: maybe(fc.constantFrom('a', 'b')),
    deadline: fc.constantFrom(PAST, FUTURE),
  }),
  (store, g) =>
    inTransaction(store, EVERY_TENANT, async (tx) => {
      const view = await lockSession(tx, g.tenant, g.session);
      if (view === null) return 'no session';
      return insertLeg(tx, g.tenant, view.session, {
        id: g.leg,
        kind: g.kind,
        role: g.role,
        state: g.state,
        number: NUMBER,
        remote: '+447700900001',
        media_connection_id: g.connection,
        token_hash: g.hash === null ? null : new Uint8Array(Buffer.from(g.hash)),
        deadline_at: g.deadline,
      });
    }),
  'add leg',
);
const changeLeg = op(
  fc.record({
    tenant: maybe(tenant),
    leg,
    state: fc.constantFrom(...LEG_STATES),
    call: maybe(call),
    owed: date,
    dialled: date,
    missed: date,
    closed: date,
    stale: fc.boolean(),
  }),
  (store, g) =>
    inTransaction(store, EVERY_TENANT, async (tx) => {
      const locked = await lockLeg(tx, g.tenant, g.leg);
      if (locked === null) return 'no leg';
      Object.assign(locked.leg, {
        state: g.state,
        voice_call_id: locked.leg.voice_call_id ?? g.call,
        hangup_requested_at: g.owed,
        dialled_at: g.dialled,
        media_missing_since: g.missed,
        voice_closed_at: g.closed,
      });
      if (g.stale) locked.leg.version += 1;
      await saveLegs(tx, g.tenant, [locked.leg]);
      return locked.leg;
    }),
  'change leg',
);
const changeSession = op(
  fc.record({
    tenant,
    session,
    state: fc.constantFrom<SessionState[]>('open', 'live', 'ending', 'ended'),
    settle: date,
    bridge: date,
    due: fc.constantFrom(PAST, FUTURE),
    at: date,
    media: maybe(media),
    types: fc.array(fc.constantFrom('leg.joined', 'leg.ended'), { maxLength: 3 }),
  }),
  (store, g) =>
    inTransaction(store, EVERY_TENANT, async (tx) => {
      const view = await lockSession(tx, g.tenant, g.session);
      if (view === null) return 'no session';
      await appendEvents(
        tx,
        g.tenant,
        { roomId: view.room.id, sessionId: g.session, firstSeq: view.session.last_seq + 1 },
        g.types.map((type) => ({ type, data: { of: g.session } })),
      );
      Object.assign(view.session, {
        state: g.state,
        settle_due_at: g.settle,
        bridge_due_at: g.bridge,
        due_at: g.due,
        due_reason: END_REASONS[0],
        ending_at: g.at,
        ended_at: g.at,
        last_seq: view.session.last_seq + g.types.length,
        media_session_id: view.session.media_session_id ?? g.media,
      });
      await saveSession(tx, g.tenant, view.session);
      return [view.session, view.room, view.legs.map(({ id }) => id)];
    }),
  'change session',
);
const answers = op(
  fc.record({
    token,
    leg,
    call,
    number: fc.constantFrom(NUMBER, OWN_NUMBER, OWN_NUMBER, '+15550000', null),
    session,
    conversation,
    participant: fc.nat().map((n) => `part_${n}`),
  }),
  (store, g) =>
    answerCaller(
      store,
      g.token,
      { legId: g.leg, callId: g.call, number: g.number, remote: null },
      { sessionId: `fresh ${g.session}`, conversation: `fresh ${g.conversation}`, participantId: g.participant },
    ),
  'answer caller',
);
const admits = op(
  fc.record({
    token,
    leg,
    call,
    tryNo: fc.integer({ min: 1, max: 4 }),
    lookup: maybe(fc.oneof(pin, fc.constant(Buffer.from('wrong')))),
    session,
    conversation,
    participant: fc.nat().map((n) => `part_${n}`),
  }),
  (store, g) =>
    admitCaller(
      store,
      g.token,
      { legId: g.leg, callId: g.call, tryNo: g.tryNo, lookup: g.lookup },
      { sessionId: `fresh ${g.session}`, conversation: `fresh ${g.conversation}`, participantId: g.participant },
    ),
  'admit caller',
);
const answersOwn = op(
  fc.record({ token, leg, call, hash: maybe(fc.constantFrom('a', 'b')) }),
  (store, g) =>
    answerOwnLeg(store, g.token, g.hash === null ? { legId: g.leg } : { tokenHash: Buffer.from(g.hash) }, g.call),
  'answer own leg',
);
const looks = op(
  fc.record({ tenant, session, leg, call, media, account }),
  async (store, g) => [
    await findLegOfCall(store, g.account, { callId: g.call, legId: g.leg }),
    await findLegOfCall(store, g.account, { callId: g.call }),
    await findOwnerOfMediaSession(store, g.account, g.media),
    await findMediaSession(store, g.tenant, g.session),
    await findSessionOfLeg(store, g.tenant, g.leg),
    await listLastAttempts(store, g.tenant, { legId: g.leg, no: 3, limit: 2 }),
    await inTransaction(store, g.tenant, (tx) => findMediaSessionOfLeg(tx, g.tenant, g.leg)),
    await listConnections(store, g.tenant, g.session),
    await findDialsWithoutCall(store, g.account, ['+447700900001']),
    await findNumber(store, g.tenant, {}),
    await findNumber(store, g.tenant, { number: OWN_NUMBER }),
    await findNumber(store, g.tenant, { kind: 'dedicated', language: 'en' }),
    await inTransaction(store, g.tenant, async (tx) => [
      await lockNumberForRoom(tx, g.tenant, NUMBER),
      await lockNumberForRoom(tx, g.tenant, OWN_NUMBER),
      await lockNumberForRoom(tx, g.tenant, '+442079460009'),
    ]),
  ],
  'look',
);
const sweeps = op(
  fc.record({ account, calls: fc.array(call, { maxLength: 4 }), grace: fc.constantFrom(0, 60_000) }),
  async (store, g) => [
    await listDueWork(store, { graceMs: g.grace }),
    await listMediaSessionsToSweep(store, g.account, { afterEndS: 900 }),
    await findLegsOfCalls(store, g.account, g.calls),
    await findMissingCalls(store, g.account, g.calls, { olderMs: -60_000 }),
    await findMissingCalls(store, g.account, g.calls, { olderMs: 60_000 }),
    await findUnobservedDials(store, g.account, PAST, { afterMs: g.grace }),
    await readDatabaseClock(store),
  ],
  'sweep',
);
const strays = op(
  fc.record({ account, seen: fc.array(call, { maxLength: 3 }), ripe: fc.boolean() }),
  async (store, g) => [
    await recordOrphanCalls(store, g.account, g.seen, { quarantineMs: g.ripe ? -60_000 : 60_000 }),
    await findFalseKills(store, g.account),
  ],
  'orphanCalls',
);
const notes = op(
  fc.record({ tenant: maybe(tenant), leg, no: fc.integer({ min: 1, max: 3 }), token }),
  (store, g) =>
    inTransaction(store, EVERY_TENANT, async (tx) => {
      await recordHangUpAttempt(tx, g.tenant, { legId: g.leg, no: g.no, at: PAST });
      await finishHangUpAttempt(tx, g.tenant, {
        legId: g.leg,
        no: g.no,
        at: new Date(PAST.getTime() + 1_000),
        outcome: 'accepted',
        reason: null,
      });
      await storeObservation(tx, g.tenant, {
        legId: g.leg,
        handle: 'voice',
        phase: 'over',
        source: 'look-up',
        verdict: verdict('success', 'completed'),
        at: null,
      });
      await insertParticipant(tx, 'ten_0', 'room_0', {
        id: `seen ${g.leg} ${g.no} ${g.token.jti}`,
        name: 'x',
        kind: 'dialled',
      });
      return consumeToken(tx, g.token);
    }),
  'note',
);
const charges = op(
  fc.record({
    tenant: maybe(tenant),
    account,
    leg,
    priced: fc.boolean(),
    later: fc.boolean(),
    seconds: fc.integer({ min: 0, max: 90 }),
    what: fc.constantFrom('store', 'fill', 'ask'),
  }),
  (store, g) =>
    g.what === 'ask'
      ? listAccountsWithPriceDue(store).then(async (accounts) => [accounts, await claimCdrsWithPriceDue(store, g.account, 100)])
      : inTransaction(store, EVERY_TENANT, async (tx) => {
          const price = {
            rateMicro: 60_000n,
            priceMicro: g.priced ? 1_000n : null,
            currency: 'EUR',
            seconds: g.seconds,
          };
          if (g.what === 'fill')
            return applyChargeToCdr(
              tx,
              g.tenant,
              { legId: g.leg, handle: 'voice', source: 'record' },
              { ...price, startedAt: PAST, endedAt: PAST },
            );
          if ((await lockLeg(tx, g.tenant, g.leg)) === null) return 'no leg';
          await storeCdr(tx, g.tenant, {
            legId: g.leg,
            handle: 'voice',
            source: 'callback',
            direction: 'inbound',
            roomId: null,
            sessionId: null,
            number: NUMBER,
            remote: null,
            startedAt: PAST,
            endedAt: PAST,
            ...price,
            priceLookupInS: g.priced ? null : g.later ? 600 : -600,
          });
          return 'stored';
        }),
  'charge',
);
const delivery = op(
  fc.constantFrom('claim', 'claim', 'delivered', 'put off', 'put off for long', 'failed for good'),
  async (store, what, side) => {
    const result = { status: 500, durationMs: 7, error: null };
    const probe = { circuitOpensAt: 2, firstS: -60, longestS: 300 };
    if (what === 'claim')
      [side.delivery = null] = await claimDeliveries(store, {
        leaseMs: 600_000,
        maxPerEndpoint: 2,
        maxPerTenant: 2,
        circuitOpensAt: 2,
        limit: 1,
      });
    else if (side.delivery === null) return null;
    else if (what === 'delivered')
      await markDelivered(store, side.delivery.tenant_id, side.delivery, { ...result, status: 204 });
    else
      return (
        await recordFailedAttempt(
          store,
          side.delivery.tenant_id,
          side.delivery,
          result,
          what === 'failed for good' ? null : -60_000,
          what === 'put off' ? probe : { ...probe, firstS: 100 },
        )
      )?.failures;
    return side.delivery;
  },
  'deliver',
);
const limits = op(
  fc.record({ tenant, limit: fc.constantFrom(...LIMITS) }),
  (store, g) => inTransaction(store, g.tenant, (tx) => lockLimit(tx, g.tenant, g.limit)),
  'limit',
);
const turns = op(
  fc.constantFrom('a', 'b'),
  async (store, name) => [
    await acquireLease(store, name, 600_000),
    await releaseLease(store, name === 'a' ? 'b' : 'c'),
    'againMs' in
      (await reserveSlot(
        store,
        'account',
        name,
        { intervalMs: 600_000, maxShareWaitMs: 60_000, maxWaitMs: 6_000_000, spreadRetries: name === 'a' },
        'share',
      )),
  ],
  'lease',
);
const suspends = op(
  fc.record({ tenant, on: fc.boolean() }),
  async (store, g) => {
    const row = await (g.on ? suspendTenant : resumeTenant)(store, g.tenant);
    // A moment older than the sweep's grace may be: whether it is owed yet would hang on which database was quicker.
    return [row === null, (row?.suspended_at ?? null) === null, await listRunningSessions(store, g.tenant, 10)];
  },
  'suspend',
);
const purge = op(fc.constantFrom(...PURGE_KINDS), (store, kind) => purgeExpired(store, kind, 1_000), 'purge');

export const operation = fc.oneof(
  { weight: 4, arbitrary: makeRoom },
  { weight: 1, arbitrary: nextSession },
  { weight: 1, arbitrary: endRoom },
  { weight: 3, arbitrary: addLeg },
  { weight: 3, arbitrary: changeLeg },
  { weight: 3, arbitrary: changeSession },
  { weight: 4, arbitrary: answers },
  { weight: 5, arbitrary: admits },
  { weight: 3, arbitrary: answersOwn },
  { weight: 2, arbitrary: looks },
  { weight: 2, arbitrary: sweeps },
  { weight: 2, arbitrary: strays },
  { weight: 1, arbitrary: notes },
  { weight: 2, arbitrary: delivery },
  { weight: 2, arbitrary: charges },
  { weight: 2, arbitrary: limits },
  { weight: 1, arbitrary: suspends },
  { weight: 1, arbitrary: turns },
  { weight: 1, arbitrary: purge },
);
