import type { LegRow } from '@partyline/store/legs/legs';
import type { LegKind } from '@partyline/domain/leg';
import { EVERY_TENANT, inTransaction } from '@partyline/store/database/store';
import type { SessionRow } from '@partyline/store/sessions/session-lock';
import type { PersonView, VideoConnectionView } from '@partyline/vonage-emulator/control-client';
import { expect } from 'vitest';
import { changeSession } from '../sessions/change-session.ts';
import { createRoom, type RoomRequest } from '../rooms/create-room.ts';
import { hangUpSession } from '../hang-ups/hang-up-session.ts';
import { openBridge } from '../legs/open-bridge.ts';
import { NUMBER, type TestHarness, type TestDeps } from './test-harness.ts';

/**
 * A room with its session, which browsers and callers of the emulator join. Every wait polls the
 * rows.
 */
export interface Meeting {
  readonly tenantId: string;
  readonly roomId: string;
  readonly sessionId: string;
  readonly mediaSessionId: string;
  readonly token: string;
  readonly pin: string;
  readonly hostPin: string;
  /** The dial-in number. */
  readonly number: string;
}

const CLOCKS_OFF = {
  max_duration_s: 3_600,
  never_used_s: null,
  browsers_left_s: null,
  phones_left_s: null,
  alone_s: null,
  empty_s: null,
  host_left_s: null,
};

type TestRoomSettings = Partial<Omit<RoomRequest, 'hostName'>>;

const createTestRoom = (deps: TestDeps, settings: TestRoomSettings): ReturnType<typeof createRoom> =>
  createRoom(deps, deps.tenantId, {
    name: 'Room',
    hostName: 'Host',
    bridge: 'auto',
    max_participants: 10,
    ...CLOCKS_OFF,
    ...settings,
  });

/** Creates a room that starts tomorrow and so has no session. */
export const scheduleRoom = async (deps: TestDeps): Promise<{ roomId: string }> => {
  const { room } = await createTestRoom(deps, { starts_at: new Date(Date.now() + 86_400_000) });
  return { roomId: room.id };
};

export async function openRoom(deps: TestDeps, settings: TestRoomSettings = {}): Promise<Meeting> {
  const { room, firstSession: first, pin, hostPin } = await createTestRoom(deps, settings);
  if (first === null) throw new Error('A room with a later start has no session yet.');
  return {
    tenantId: deps.tenantId,
    roomId: room.id,
    sessionId: first.sessionId,
    mediaSessionId: first.media.mediaSessionId,
    token: first.media.token,
    pin,
    hostPin,
    number: room.number,
  };
}

export const readSession = async (
  { store }: Pick<TestHarness, 'store'>,
  { sessionId }: Pick<Meeting, 'sessionId'>,
): Promise<SessionRow> => (await store.prisma.session.findUniqueOrThrow({ where: { id: sessionId } })) as SessionRow;

export const readLegs = async (
  { store }: Pick<TestHarness, 'store'>,
  { sessionId }: Pick<Meeting, 'sessionId'>,
  kind?: LegKind,
): Promise<LegRow[]> =>
  (await store.prisma.leg.findMany({
    where: { session_id: sessionId, ...(kind === undefined ? {} : { kind }) },
    orderBy: { created_at: 'asc' },
  })) as LegRow[];

/**
 * How long a test waits for an expected state. It is not a bound under test, so it allows for a
 * busy machine.
 */
const WAIT_MS = 20_000;

/** Waits until `read` returns `wanted`. Every other wait is for an event of the emulator. */
export async function until(read: () => Promise<unknown>, wanted: unknown): Promise<void> {
  await expect.poll(read, { timeout: WAIT_MS, interval: 10 }).toEqual(wanted);
}

/**
 * Waits until no webhook is being processed: a webhook enqueues jobs and counts after its commit.
 */
export const untilWebhooksDone = (harness: TestHarness): Promise<void> =>
  until(async () => harness.webhooksInProgress, 0);

/** Waits until the legs of a kind are in these states, and until all webhooks are processed. */
export async function untilLegs(
  harness: TestHarness,
  meeting: Meeting,
  kind: LegKind,
  states: readonly string[],
): Promise<void> {
  await until(async () => (await readLegs(harness, meeting, kind)).map((leg) => leg.state), states);
  await untilWebhooksDone(harness);
}

export async function joinBrowser(harness: TestHarness, meeting: Meeting): Promise<VideoConnectionView> {
  const before = (await readLegs(harness, meeting, 'webrtc')).length;
  const connection = await harness.emulator.client.joinWebrtc({
    sessionId: meeting.mediaSessionId,
    token: meeting.token,
  });
  await until(async () => (await readLegs(harness, meeting, 'webrtc')).length, before + 1);
  await untilWebhooksDone(harness);
  return connection;
}

/** Calls a number and waits for the PIN prompt. */
export async function dialIn(harness: TestHarness, number = NUMBER): Promise<PersonView> {
  const person = await harness.emulator.client.dial({ from: '+447700900001', to: number });
  await harness.emulator.client.awaitPrompt(person.id);
  return person;
}

/** Calls the meeting's number, keys the PIN, joins the conference and settles the session. */
export async function joinByPhone(harness: TestHarness, deps: TestDeps, meeting: Meeting): Promise<PersonView> {
  const { client } = harness.emulator;
  const person = await dialIn(harness, meeting.number);
  await client.key(person.id, `${meeting.pin}#`);
  await client.awaitJoined(person.id);
  await until(
    async () => (await readLegs(harness, meeting, 'inbound')).find((leg) => leg.voice_call_id === person.callId)?.state,
    'joined',
  );
  await untilWebhooksDone(harness);
  await settleNow(deps, meeting);
  return person;
}

/** Does the work of the settle-session job. */
export const settleNow = (deps: TestDeps, { tenantId, sessionId }: Meeting): Promise<unknown> =>
  changeSession(deps, tenantId, sessionId, () => undefined);

/** Opens a room with a browser, a caller and the bridge leg, all joined. */
export async function startMeeting(
  harness: TestHarness,
  deps: TestDeps,
  settings: Parameters<typeof openRoom>[1] = {},
): Promise<Meeting & { browser: VideoConnectionView; caller: PersonView }> {
  const meeting = await openRoom(deps, settings);
  const browser = await joinBrowser(harness, meeting);
  const caller = await joinByPhone(harness, deps, meeting);
  expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('dialled');
  await untilLegs(harness, meeting, 'bridge', ['joined']);
  return { ...meeting, browser, caller };
}

/** Lists the kinds of a meeting's legs that are up in the emulator's ledger. */
export async function listLegsAtProvider(harness: TestHarness, meeting: Meeting): Promise<string[]> {
  const calls = new Set((await readLegs(harness, meeting)).map((leg) => leg.voice_call_id));
  const { legs } = await harness.emulator.client.ledger();
  return legs
    .filter((leg) => leg.endedAt === undefined && (leg.sessionId === meeting.mediaSessionId || calls.has(leg.id)))
    .map((leg) => leg.kind)
    .toSorted();
}

/**
 * Runs SQL with access to all tenants, in a transaction that is retried after a deadlock: a webhook
 * in progress can lock the same rows in another order.
 */
export async function executeSql(
  { store }: Pick<TestHarness, 'store'>,
  sql: string,
  values: readonly unknown[] = [],
): Promise<void> {
  await inTransaction(store, EVERY_TENANT, (tx) => tx.query(sql, [...values]));
}

/**
 * Moves a session's legs `seconds` into the past, so that their retry and observation times are
 * due.
 */
export const moveLegsBack = (
  harness: Pick<TestHarness, 'store'>,
  { sessionId }: Pick<Meeting, 'sessionId'>,
  seconds: number,
): Promise<void> =>
  executeSql(
    harness,
    `UPDATE leg
     SET hangup_attempted_at = hangup_attempted_at - make_interval(secs => $2),
         media_missing_since = media_missing_since - make_interval(secs => $2),
         dialled_at = dialled_at - make_interval(secs => $2),
         created_at = created_at - make_interval(secs => $2)
     WHERE session_id = $1`,
    [sessionId, seconds],
  );

/** Repeats the work of the hang-up job without its delays. Returns the number of rounds. */
export async function hangUpUntilDone(
  harness: TestHarness,
  deps: TestDeps,
  meeting: Meeting,
  rounds = 10,
): Promise<number> {
  for (let round = 1; round <= rounds; round++) {
    if ((await hangUpSession(deps, meeting.tenantId, meeting.sessionId)) === 'done') {
      await untilWebhooksDone(harness);
      return round;
    }
    await moveLegsBack(harness, meeting, 6);
  }
  const legs = (await readLegs(harness, meeting)).map(({ kind, state, reason }) => ({ kind, state, reason }));
  throw new Error(`The legs are not hung up after ${rounds} rounds: ${JSON.stringify(legs)}`);
}
