import { appendEvents, appendRoomEvent } from '@partyline/store/events/append-events';
import { purgeExpired, PURGE_KINDS } from '@partyline/store/reconciliation/purge';
import { claimPin, countPins } from '@partyline/store/pins/pins';
import { findConnectedLeg, insertParticipant } from '@partyline/store/participants/participants';
import {
  findMediaSessionOfLeg,
  findMediaSession,
  findSessionOfLeg,
  insertSession,
  isSessionRunning,
  findNewestSession,
  readLastUse,
} from '@partyline/store/sessions/sessions';
import { insertLeg, lockLeg, saveLegs } from '@partyline/store/legs/legs';
import { releaseLease, acquireLease } from '@partyline/store/database/lease';
import { consumeToken } from '@partyline/store/callers/webhook-tokens';
import { END_REASONS, type SessionState } from '@partyline/domain/session';
import { LEG_KINDS, LEG_STATES } from '@partyline/domain/leg';
import { verdict } from '@partyline/domain/verdict';
import { storeObservation } from '@partyline/store/legs/observations';
import { findLegOfCall, findOwnerOfMediaSession } from '@partyline/store/sessions/find-owner';
import { finishHangUpAttempt, listLastAttempts, recordHangUpAttempt } from '@partyline/store/hang-ups/hang-ups';
import {
  listAccountsWithPriceDue,
  applyChargeToCdr,
  renewPriceLookup,
  storeCdr,
  claimCdrsWithPriceDue,
} from '@partyline/store/billing/cdrs';
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
import {
  claimDeliveries,
  recordFailedAttempt,
  markDelivered,
  type DeliveryToSend,
} from '@partyline/store/endpoints/deliveries';
import { lockLimit, LIMITS } from '@partyline/store/limits/limits';
import { guardConnection } from '@partyline/store/provider-accounts/guard-connection';
import { queueDial } from '@partyline/store/providers/dial-queue';
import { findNumber, lockNumberForRoom } from '@partyline/store/numbers/numbers';
import { listDueWork } from '@partyline/store/reconciliation/due-work';
import { closeRoom, insertRoom, lockRoom, saveRoom } from '@partyline/store/rooms/rooms';
import { lockSession, saveSession } from '@partyline/store/sessions/session-lock';
import { EVERY_TENANT, inTransaction, type Store } from '@partyline/store/database/store';
import { listRunningSessions, resumeTenant, suspendTenant } from '@partyline/store/tenants/tenants';
import { reserveSlot } from '@partyline/store/providers/rate-limit';
import { admitCaller, answerCaller, answerOwnLeg } from '@partyline/store/callers/voice-webhooks';
import fc from 'fast-check';

/**
 * One call of functions of libs/store, with the same arguments for both databases. Dates are far in
 * the past or future, so that a small difference between the clocks has no effect.
 */
type Operation = (store: Store, state: OperationState) => Promise<unknown>;
/** An earlier result of one database that a later operation needs. */
interface OperationState {
  /** The claimed delivery. */
  delivery: DeliveryToSend | null;
}

export const NUMBER = '+442079460000';
/** A dedicated number of the first tenant, at its own account. */
export const OWN_NUMBER = '+442079460001';
export const OWN_ACCOUNT = 'acct_0';
export const TENANT_IDS = ['ten_0', 'ten_1'] as const;
const PAST = new Date('2020-01-01T00:00:00Z');
const FUTURE = new Date('2099-01-01T00:00:00Z');

const id = (prefix: string, max = 3): fc.Arbitrary<string> => fc.nat({ max }).map((n) => `${prefix}_${n}`);
const tenant = fc.constantFrom(...TENANT_IDS);
const room = id('room', 2);
const session = id('ses', 3);
const leg = id('leg', 5);
const call = id('call', 5);
const media = id('media', 2);
const conversation = id('conv', 4);
const date = fc.constantFrom(PAST, FUTURE, null);
const account = fc.constantFrom(null, null, OWN_ACCOUNT);
const token = fc
  .tuple(fc.nat({ max: 12 }), account)
  .map(([n, accountId]) => ({ accountId, jti: `jti_${n}`, expiresAt: n % 2 === 0 ? FUTURE : PAST }));
const pin = fc.constantFrom(Buffer.from('pin 1'), Buffer.from('pin 2'));
/** The values of one or two PIN keys. */
const oneOrTwo = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(of, { minLength: 1, maxLength: 2 });
const role = fc.constantFrom('participant' as const, 'host' as const);
const nullable = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null });
const op = <T>(
  input: fc.Arbitrary<T>,
  run: (store: Store, input: T, state: OperationState) => Promise<unknown>,
  name: string,
): fc.Arbitrary<{ name: string; input: T; run: Operation }> =>
  input.map((drawn) => ({ name, input: drawn, run: (store, state) => run(store, drawn, state) }));

const createRoom = op(
  fc.record({
    tenant,
    room,
    session,
    conversation,
    media: nullable(media),
    maxParticipants: fc.integer({ min: 1, max: 3 }),
    neverUsedS: nullable(fc.constant(600)),
    lookups: oneOrTwo(pin),
    pinId: id('pin', 3),
    digits: fc.constantFrom(9, 9, 10),
    heads: oneOrTwo(fc.constantFrom(Buffer.from('head 1'), Buffer.from('head 2'))),
    number: fc.constantFrom(NUMBER, OWN_NUMBER, OWN_NUMBER),
    waitForHost: fc.boolean(),
    hasOldAccount: fc.boolean(),
    startsAt: date,
    endsAt: date,
    expiryCheckAt: date,
    role,
    participant: nullable(fc.constant('person')),
  }),
  (store, g) =>
    inTransaction(store, EVERY_TENANT, async (tx) => {
      // A tenant cannot use or see the dedicated number of another.
      const number = g.tenant === TENANT_IDS[0] ? g.number : NUMBER;
      const created = await insertRoom(tx, g.tenant, {
        room: {
          id: g.room,
          name: 'Room',
          number,
          wait_for_host: g.waitForHost,
          pinless: number === OWN_NUMBER && g.waitForHost,
          starts_at: g.endsAt === FUTURE ? null : g.startsAt,
          ends_at: g.endsAt,
          expiry_check_at: g.expiryCheckAt,
          bridge: 'auto',
          max_participants: g.maxParticipants,
          max_duration_s: 3_600,
          never_used_s: g.neverUsedS,
          browsers_left_s: null,
          phones_left_s: null,
          alone_s: null,
          empty_s: null,
        },
        session: {
          id: g.session,
          conversation: g.conversation,
          mediaSessionId: g.media,
          accountId: number === OWN_NUMBER && !g.hasOldAccount ? OWN_ACCOUNT : null,
        },
        participant: { id: `part of ${g.room}`, name: 'Host', role: 'host' },
      });
      const count = await countPins(tx, number);
      return [
        created,
        count,
        await claimPin(tx, g.tenant, {
          id: g.pinId,
          roomId: g.room,
          number,
          lookups: g.lookups,
          ciphertext: Buffer.from('ciphertext'),
          digits: g.digits,
          heads: g.heads,
          role: g.role,
          ...(g.participant === null ? {} : { participantId: g.participant }),
        }),
      ];
    }),
  'create room',
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
const updateRoom = op(
  fc.record({ tenant, room, max_duration_s: fc.nat({ max: 7_200 }), expiry_check_at: nullable(fc.constant(FUTURE)) }),
  (store, { tenant: owner, room: roomId, ...changes }) =>
    inTransaction(store, owner, async (tx) => {
      const found = await lockRoom(tx, owner, roomId);
      if (found === null) return 'no room';
      return [await readLastUse(tx, owner, roomId), await saveRoom(tx, owner, roomId, { ...found, ...changes })];
    }),
  'update room',
);
const connectedLeg = op(
  fc.record({ tenant, participant: fc.constantFrom('part_0', 'part_1', 'person', 'part of room_0') }),
  // Of several legs that were created at once, either is the newest.
  async (store, g) => {
    const found = await findConnectedLeg(store, g.tenant, g.participant);
    return found === null || found === 'not-connected' ? found : 'connected';
  },
  'connected leg',
);
const roomEvent = op(
  fc.record({ tenant, room }),
  (store, g) =>
    inTransaction(store, g.tenant, (tx) =>
      appendRoomEvent(tx, g.tenant, g.room, { type: 'room.updated', data: { name: 'Room' } }),
    ),
  'room event',
);
const addLeg = op(
  fc.record({
    tenant,
    session,
    leg,
    role,
    kind: fc.constantFrom(...LEG_KINDS),
    state: fc.constantFrom(...LEG_STATES),
    connection: nullable(id('con')),
    hash: nullable(fc.constantFrom('a', 'b')),
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
    tenant: nullable(tenant),
    leg,
    state: fc.constantFrom(...LEG_STATES),
    call: nullable(call),
    hangUpRequestedAt: date,
    dialledAt: date,
    mediaMissingSince: date,
    voiceClosedAt: date,
    isStale: fc.boolean(),
  }),
  (store, g) =>
    inTransaction(store, EVERY_TENANT, async (tx) => {
      const locked = await lockLeg(tx, g.tenant, g.leg);
      if (locked === null) return 'no leg';
      Object.assign(locked.leg, {
        state: g.state,
        voice_call_id: locked.leg.voice_call_id ?? g.call,
        hangup_requested_at: g.hangUpRequestedAt,
        dialled_at: g.dialledAt,
        media_missing_since: g.mediaMissingSince,
        voice_closed_at: g.voiceClosedAt,
      });
      if (g.isStale) locked.leg.version += 1;
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
    settleDueAt: date,
    bridgeDueAt: date,
    dueAt: fc.constantFrom(PAST, FUTURE),
    endedAt: date,
    media: nullable(media),
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
        settle_due_at: g.settleDueAt,
        bridge_due_at: g.bridgeDueAt,
        due_at: g.dueAt,
        due_reason: END_REASONS[0],
        ending_at: g.endedAt,
        ended_at: g.endedAt,
        last_seq: view.session.last_seq + g.types.length,
        media_session_id: view.session.media_session_id ?? g.media,
      });
      await saveSession(tx, g.tenant, view.session);
      return [view.session, view.room, view.legs.map((each) => each.id)];
    }),
  'change session',
);
const answerInbound = op(
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
const admit = op(
  fc.record({
    token,
    leg,
    call,
    tryNo: fc.integer({ min: 1, max: 5 }),
    isSilent: fc.boolean(),
    lookups: nullable(oneOrTwo(fc.oneof(pin, fc.constant(Buffer.from('wrong'))))),
    session,
    conversation,
    participant: fc.nat().map((n) => `part_${n}`),
  }),
  (store, g) =>
    admitCaller(
      store,
      g.token,
      { legId: g.leg, callId: g.call, tryNo: g.tryNo, lookups: g.isSilent ? null : g.lookups, isSilent: g.isSilent },
      { sessionId: `fresh ${g.session}`, conversation: `fresh ${g.conversation}`, participantId: g.participant },
    ),
  'admit caller',
);
const answerOwn = op(
  fc.record({ token, leg, call, hash: nullable(fc.constantFrom('a', 'b')) }),
  (store, g) =>
    answerOwnLeg(store, g.token, g.hash === null ? { legId: g.leg } : { tokenHash: Buffer.from(g.hash) }, g.call),
  'answer own leg',
);
const read = op(
  fc.record({ tenant, session, leg, call, media, account }),
  async (store, g) => [
    await findLegOfCall(store, g.account, { callId: g.call, legId: g.leg }),
    await findLegOfCall(store, g.account, { callId: g.call }),
    await findOwnerOfMediaSession(store, g.account, g.media),
    await findMediaSession(store, g.tenant, g.session),
    await findSessionOfLeg(store, g.tenant, g.leg),
    await listLastAttempts(store, g.tenant, { legId: g.leg, no: 3, limit: 2 }),
    await inTransaction(store, g.tenant, (tx) => findMediaSessionOfLeg(tx, g.tenant, g.leg)),
    await inTransaction(store, g.tenant, (tx) => isSessionRunning(tx, g.tenant, g.session)),
    await inTransaction(store, g.tenant, (tx) => guardConnection(tx, g.tenant, OWN_ACCOUNT)),
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
  'read',
);
const sweep = op(
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
const recordOrphans = op(
  fc.record({ account, calls: fc.array(call, { maxLength: 3 }), isDue: fc.boolean() }),
  async (store, g) => [
    await recordOrphanCalls(store, g.account, g.calls, { quarantineMs: g.isDue ? -60_000 : 60_000 }),
    await findFalseKills(store, g.account),
  ],
  'record orphan calls',
);
const recordFacts = op(
  fc.record({ tenant: nullable(tenant), leg, no: fc.integer({ min: 1, max: 3 }), token }),
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
        id: `dialled ${g.leg} ${g.no} ${g.token.jti}`,
        name: 'x',
        kind: 'dialled',
      });
      return consumeToken(tx, g.token);
    }),
  'record facts',
);
const charge = op(
  fc.record({
    tenant: nullable(tenant),
    account,
    leg,
    hasPrice: fc.boolean(),
    isLookupLater: fc.boolean(),
    seconds: fc.integer({ min: 0, max: 90 }),
    action: fc.constantFrom('store', 'store connection', 'apply', 'renew', 'claim'),
    isLookedUp: fc.boolean(),
  }),
  (store, g) =>
    g.action === 'claim'
      ? listAccountsWithPriceDue(store).then(async (accounts) => [
          accounts,
          await claimCdrsWithPriceDue(store, g.account, 100),
        ])
      : inTransaction(store, EVERY_TENANT, async (tx) => {
          const price = {
            rateMicro: '60000',
            priceMicro: g.hasPrice ? '1000.25' : null,
            currency: 'EUR',
            seconds: g.seconds,
          };
          if (g.action === 'apply')
            return applyChargeToCdr(
              tx,
              g.tenant,
              { legId: g.leg, handle: 'voice', source: 'record' },
              { ...price, startedAt: PAST, endedAt: PAST },
            );
          if (g.action === 'renew')
            return renewPriceLookup(tx, g.tenant, { legId: g.leg, handle: 'voice', delayS: 30 });
          if ((await lockLeg(tx, g.tenant, g.leg)) === null) return 'no leg';
          if (g.action === 'store connection')
            return storeCdr(tx, g.tenant, {
              legId: g.leg,
              handle: 'media',
              source: g.isLookedUp ? 'look-up' : 'callback',
              direction: 'webrtc',
              roomId: null,
              sessionId: null,
              number: null,
              remote: null,
              startedAt: PAST,
              endedAt: new Date(PAST.getTime() + g.seconds * 1000),
              seconds: g.seconds,
              rateMicro: null,
              priceMicro: null,
              currency: null,
              priceLookupInS: null,
            });
          return storeCdr(tx, g.tenant, {
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
            priceLookupInS: g.hasPrice ? null : g.isLookupLater ? 600 : -600,
          });
        }),
  'charge',
);
const delivery = op(
  fc.constantFrom('claim', 'claim', 'delivered', 'retry', 'retry later', 'give up'),
  async (store, action, state) => {
    const result = { status: 500, durationMs: 7, error: null };
    const probe = { circuitOpensAt: 2, firstS: -60, longestS: 300 };
    if (action === 'claim')
      [state.delivery = null] = await claimDeliveries(store, {
        leaseMs: 600_000,
        maxPerEndpoint: 2,
        maxPerTenant: 2,
        circuitOpensAt: 2,
        limit: 1,
      });
    else if (state.delivery === null) return null;
    else if (action === 'delivered')
      await markDelivered(store, state.delivery.tenant_id, state.delivery, { ...result, status: 204 });
    else
      return (
        await recordFailedAttempt(
          store,
          state.delivery.tenant_id,
          state.delivery,
          result,
          action === 'give up' ? null : -60_000,
          action === 'retry' ? probe : { ...probe, firstS: 100 },
        )
      )?.failures;
    return state.delivery;
  },
  'deliver',
);
const readLimit = op(
  fc.record({ tenant, limit: fc.constantFrom(...LIMITS) }),
  (store, g) => inTransaction(store, g.tenant, (tx) => lockLimit(tx, g.tenant, g.limit)),
  'limit',
);
const measureDialQueue = op(
  fc.record({ tenant, account }),
  (store, g) => inTransaction(store, g.tenant, (tx) => queueDial(tx, g.tenant, g.account)),
  'queue dial',
);
const lease = op(
  fc.constantFrom('a', 'b'),
  async (store, name) => [
    await acquireLease(store, name, 600_000),
    await releaseLease(store, name === 'a' ? 'b' : 'c'),
    'retryAfterMs' in
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
const suspend = op(
  fc.record({ tenant, isSuspended: fc.boolean() }),
  async (store, g) => {
    const row = await (g.isSuspended ? suspendTenant : resumeTenant)(store, g.tenant);
    // Due work within the grace period is not compared: it depends on which database is faster.
    return [row === null, (row?.suspended_at ?? null) === null, await listRunningSessions(store, g.tenant, 10)];
  },
  'suspend',
);
const purge = op(fc.constantFrom(...PURGE_KINDS), (store, kind) => purgeExpired(store, kind, 1_000), 'purge');

export const operation = fc.oneof(
  { weight: 4, arbitrary: createRoom },
  { weight: 1, arbitrary: nextSession },
  { weight: 1, arbitrary: endRoom },
  { weight: 1, arbitrary: roomEvent },
  { weight: 2, arbitrary: updateRoom },
  { weight: 1, arbitrary: connectedLeg },
  { weight: 3, arbitrary: addLeg },
  { weight: 3, arbitrary: changeLeg },
  { weight: 3, arbitrary: changeSession },
  { weight: 4, arbitrary: answerInbound },
  { weight: 5, arbitrary: admit },
  { weight: 3, arbitrary: answerOwn },
  { weight: 2, arbitrary: read },
  { weight: 2, arbitrary: sweep },
  { weight: 2, arbitrary: recordOrphans },
  { weight: 1, arbitrary: recordFacts },
  { weight: 2, arbitrary: delivery },
  { weight: 2, arbitrary: charge },
  { weight: 2, arbitrary: readLimit },
  { weight: 2, arbitrary: measureDialQueue },
  { weight: 1, arbitrary: suspend },
  { weight: 1, arbitrary: lease },
  { weight: 1, arbitrary: purge },
);
