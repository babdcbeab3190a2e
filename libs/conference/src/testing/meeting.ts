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
import { NUMBER, type Stage, type World } from './test-harness.ts';

/** A room with its session, and the people of the emulator who come to it. Every wait is for what the rows say. */
export interface Meeting {
  readonly tenantId: string;
  readonly roomId: string;
  readonly sessionId: string;
  readonly mediaSessionId: string;
  readonly token: string;
  readonly pin: string;
  readonly hostPin: string;
  /** That its callers dial. */
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

export async function openRoom(world: World, settings: Partial<Omit<RoomRequest, 'hostName'>> = {}): Promise<Meeting> {
  const { room, firstSession: first, pin, hostPin } = await createRoom(world, world.tenantId, {
    name: 'Room',
    hostName: 'Host',
    bridge: 'auto',
    max_participants: 10,
    ...CLOCKS_OFF,
    ...settings,
  });
  if (first === null) throw new Error('a room that opens later has no session to meet in');
  return {
    tenantId: world.tenantId,
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
  { store }: Pick<Stage, 'store'>,
  { sessionId }: Pick<Meeting, 'sessionId'>,
): Promise<SessionRow> => (await store.prisma.session.findUniqueOrThrow({ where: { id: sessionId } })) as SessionRow;

export const readLegs = async (
  { store }: Pick<Stage, 'store'>,
  { sessionId }: Pick<Meeting, 'sessionId'>,
  kind?: LegKind,
): Promise<LegRow[]> =>
  (await store.prisma.leg.findMany({
    where: { session_id: sessionId, ...(kind === undefined ? {} : { kind }) },
    orderBy: { created_at: 'asc' },
  })) as LegRow[];

/** How long a test waits for what must come: no bound under test, so long enough for a machine with other work. */
const WAIT_MS = 20_000;

/** Until `read` gives what is expected; the only wait here that is no event of the emulator's. */
export async function until(read: () => Promise<unknown>, wanted: unknown): Promise<void> {
  await expect.poll(read, { timeout: WAIT_MS, interval: 10 }).toEqual(wanted);
}

/** Until no webhook is being worked on: what one sends and counts comes after the commit whose rows a test has seen. */
export const untilAnswered = (stage: Stage): Promise<void> => until(async () => stage.inHand, 0);

/** Until the legs of a kind are in these states, and whatever made them so has sent and counted what it had to. */
export async function untilLegs(
  stage: Stage,
  meeting: Meeting,
  kind: LegKind,
  states: readonly string[],
): Promise<void> {
  await until(async () => (await readLegs(stage, meeting, kind)).map((leg) => leg.state), states);
  await untilAnswered(stage);
}

export async function joinBrowser(stage: Stage, meeting: Meeting): Promise<VideoConnectionView> {
  const before = (await readLegs(stage, meeting, 'webrtc')).length;
  const connection = await stage.emulator.client.joinWebrtc({
    sessionId: meeting.mediaSessionId,
    token: meeting.token,
  });
  await until(async () => (await readLegs(stage, meeting, 'webrtc')).length, before + 1);
  await untilAnswered(stage);
  return connection;
}

/** Rings a number and is asked for the PIN. */
export async function ringIn(stage: Stage, number = NUMBER): Promise<PersonView> {
  const person = await stage.emulator.client.dial({ from: '+447700900001', to: number });
  await stage.emulator.client.awaitPrompt(person.id);
  return person;
}

/** Rings in, keys the PIN, and is in the conference; the settling that admission owes is done. */
export async function callIn(stage: Stage, world: World, meeting: Meeting): Promise<PersonView> {
  const { client } = stage.emulator;
  const person = await ringIn(stage, meeting.number);
  await client.key(person.id, `${meeting.pin}#`);
  await client.awaitJoined(person.id);
  await until(
    async () => (await readLegs(stage, meeting, 'inbound')).find((leg) => leg.voice_call_id === person.callId)?.state,
    'joined',
  );
  await untilAnswered(stage);
  await settleNow(world, meeting);
  return person;
}

/** What the settle-session job does. */
export const settleNow = (world: World, { tenantId, sessionId }: Meeting): Promise<unknown> =>
  changeSession(world, tenantId, sessionId, () => undefined);

/** A browser, a caller, and the bridge between them; three people's worth of legs, all joined. */
export async function meet(
  stage: Stage,
  world: World,
  settings: Parameters<typeof openRoom>[1] = {},
): Promise<Meeting & { browser: VideoConnectionView; caller: PersonView }> {
  const meeting = await openRoom(world, settings);
  const browser = await joinBrowser(stage, meeting);
  const caller = await callIn(stage, world, meeting);
  expect(await openBridge(world, meeting.tenantId, meeting.sessionId)).toBe('dialled');
  await untilLegs(stage, meeting, 'bridge', ['joined']);
  return { ...meeting, browser, caller };
}

/** Legs of a meeting that the vendor says are up, by its own books. */
export async function upAtVendor(stage: Stage, meeting: Meeting): Promise<string[]> {
  const calls = new Set((await readLegs(stage, meeting)).map((leg) => leg.voice_call_id));
  const { legs } = await stage.emulator.client.ledger();
  return legs
    .filter((leg) => leg.endedAt === undefined && (leg.sessionId === meeting.mediaSessionId || calls.has(leg.id)))
    .map((leg) => leg.kind)
    .toSorted();
}

/** Alters rows past every rule. A webhook may be in hand, and locks the same rows in another order: in a transaction, which meets a deadlock. */
export async function alterRows(
  { store }: Pick<Stage, 'store'>,
  sql: string,
  values: readonly unknown[] = [],
): Promise<void> {
  await inTransaction(store, EVERY_TENANT, (tx) => tx.query(sql, [...values]));
}

/** The time that a hang-up or a dial was waiting for goes by: its row is moved back instead. */
export const letPass = (
  stage: Pick<Stage, 'store'>,
  { sessionId }: Pick<Meeting, 'sessionId'>,
  seconds: number,
): Promise<void> =>
  alterRows(
    stage,
    `UPDATE leg SET hangup_attempted_at = hangup_attempted_at - make_interval(secs => $2), media_missing_since = media_missing_since - make_interval(secs => $2), dialled_at = dialled_at - make_interval(secs => $2), created_at = created_at - make_interval(secs => $2) WHERE session_id = $1`,
    [sessionId, seconds],
  );

/** What the hang-up job does, again and again, without its waits; answers after how many rounds it was done. */
export async function hangUpUntilDone(stage: Stage, world: World, meeting: Meeting, rounds = 10): Promise<number> {
  for (let round = 1; round <= rounds; round++) {
    if ((await hangUpSession(world, meeting.tenantId, meeting.sessionId)) === 'done') {
      await untilAnswered(stage);
      return round;
    }
    await letPass(stage, meeting, 6);
  }
  throw new Error(
    `not hung up after ${rounds} rounds: ${JSON.stringify((await readLegs(stage, meeting)).map(({ kind, state, reason }) => ({ kind, state, reason })))}`,
  );
}
