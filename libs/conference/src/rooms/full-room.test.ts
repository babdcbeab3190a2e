import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { applyMediaEvent } from '../legs/apply-media-event.ts';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { openBridge } from '../legs/open-bridge.ts';
import {
  executeSql,
  joinByPhone,
  joinBrowser,
  openRoom,
  readLegs,
  readSession,
  dialIn,
  until,
  untilWebhooksDone,
  untilLegs,
  listLegsAtProvider,
  type Meeting,
} from '../testing/meeting.ts';
import { resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';
import { writeConnectionData } from '../legs/connection-data.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

/** A token that somebody was given while there was room. */
const tokenFor = ({ mediaSessionId }: Meeting, participant: string): string =>
  deps.media.issueToken({
    mediaSessionId,
    data: writeConnectionData({ participant }),
    expiresAt: new Date(Date.now() + 600_000),
  });
const enter = async (meeting: Meeting, token: string): Promise<void> =>
  void (await harness.emulator.client.joinWebrtc({ sessionId: meeting.mediaSessionId, token }));
const states = async (meeting: Meeting): Promise<string[]> =>
  (await readLegs(harness, meeting)).map((leg) => leg.state).toSorted();

describe('a browser whose token is older than the room is full', () => {
  it('is let in and hung up: of three that come at once to the last seat, one stays', async () => {
    const meeting = await openRoom(deps, { max_participants: 2 });
    await joinBrowser(harness, meeting);
    await Promise.all(
      ['part_a', 'part_b', 'part_c'].map((participant) => enter(meeting, tokenFor(meeting, participant))),
    );
    await until(() => states(meeting), ['ending', 'ending', 'joined', 'joined']);
    await untilWebhooksDone(harness);
    const late = (await readLegs(harness, meeting)).filter((leg) => leg.state === 'ending');
    for (const leg of late) {
      expect(leg).toMatchObject({ kind: 'webrtc', hangup_reason: 'room-full' });
      expect(harness.sentJobs.filter(({ name, id }) => name === 'hang-up-leg' && id === leg.id)).toHaveLength(1);
      await hangUpLeg(deps, meeting.tenantId, leg.id);
    }
    await until(() => states(meeting), ['ended', 'ended', 'joined', 'joined']);
    expect(await listLegsAtProvider(harness, meeting)).toEqual(['webrtc', 'webrtc']);
    expect((await readSession(harness, meeting)).state).toBe('live');
  });

  it('may come back: a new connection of somebody who is in is not one more, and takes the place of the old', async () => {
    await executeSql(harness, 'UPDATE tenant SET max_live_legs = 1 WHERE id = $1', [deps.tenantId]);
    const meeting = await openRoom(deps, { max_participants: 1 });
    const token = tokenFor(meeting, 'part_a');
    for (const connections of [1, 2, 3]) {
      await enter(meeting, token);
      await until(async () => (await readLegs(harness, meeting)).length, connections);
    }
    await until(
      async () => (await readLegs(harness, meeting)).map(({ state, hangup_reason: why }) => [state, why]),
      [
        ['ending', 'replaced'],
        ['ending', 'replaced'],
        ['joined', null],
      ],
    );
    await untilWebhooksDone(harness);
    for (const leg of (await readLegs(harness, meeting)).filter(({ state }) => state === 'ending')) {
      expect(harness.sentJobs.filter(({ name, id }) => name === 'hang-up-leg' && id === leg.id)).toHaveLength(1);
      await hangUpLeg(deps, meeting.tenantId, leg.id);
    }
    await until(() => states(meeting), ['ended', 'ended', 'joined']);
    expect(await listLegsAtProvider(harness, meeting)).toEqual(['webrtc']);
    expect((await readSession(harness, meeting)).state).toBe('live');
    await executeSql(harness, 'UPDATE tenant SET max_live_legs = NULL WHERE id = $1', [deps.tenantId]);
  });
});

describe('of several connections by one token', () => {
  const MADE = new Date('2026-11-21T12:00:00.000Z').getTime();
  /** What the vendor says of a connection, in the order in which it happens to arrive. */
  const tell = async (
    meeting: Meeting,
    kind: 'connected' | 'disconnected',
    name: string,
    madeAt: number | null,
    participant: string | null = 'part_a',
  ): Promise<void> => {
    const since = madeAt === null ? null : new Date(MADE + madeAt);
    const event = {
      mediaSessionId: meeting.mediaSessionId,
      connectionId: `${name} of ${meeting.sessionId}`,
      data: writeConnectionData({ participant }),
      at: since,
      since,
    };
    const token = {
      accountId: null,
      jti: `${name} ${kind} ${meeting.sessionId} ${(told += 1)}`,
      expiresAt: new Date(Date.now() + 600_000),
    };
    await applyMediaEvent(
      deps,
      { via: 'callback', token },
      kind === 'connected' ? { kind, ...event } : { kind, ...event, reason: 'clientDisconnected' },
    );
  };
  let told = 0;
  const inThere = async (meeting: Meeting): Promise<string[]> =>
    (await readLegs(harness, meeting))
      .filter(({ state }) => state === 'joined')
      .map((leg) => leg.media_connection_id!.replace(/ .*/, ''))
      .toSorted();

  it('the one that the vendor made last stays, in whatever order it tells of them, and however often', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(['first', 'second', 'third', 'second', 'first'], { minLength: 5 }),
        async (order) => {
          const meeting = await openRoom(deps);
          for (const name of order)
            await tell(meeting, 'connected', name, ['first', 'second', 'third'].indexOf(name) * 1_000);
          expect(await inThere(meeting)).toEqual(['third']);
        },
      ),
      { numRuns: 10 },
    );
  });

  it('one that was over before anybody heard of it takes nobody’s place', async () => {
    const meeting = await openRoom(deps);
    await tell(meeting, 'connected', 'first', 0);
    await tell(meeting, 'disconnected', 'second', 1_000);
    await tell(meeting, 'connected', 'second', 1_000);
    expect(await inThere(meeting)).toEqual(['first']);
  });

  it('two stay whose order the vendor does not tell, and a third is let go', async () => {
    for (const madeAt of [null, 0]) {
      const meeting = await openRoom(deps);
      for (const name of ['first', 'second', 'third']) await tell(meeting, 'connected', name, madeAt);
      expect(await inThere(meeting)).toEqual(['first', 'second']);
      expect((await readLegs(harness, meeting)).map((leg) => leg.hangup_reason)).toEqual([
        null,
        null,
        'too-many-connections',
      ]);
    }
  });

  it('those of nobody in particular, and of others, are left alone', async () => {
    const meeting = await openRoom(deps);
    for (const [at, name] of ['first', 'second', 'third'].entries()) await tell(meeting, 'connected', name, at, null);
    await tell(meeting, 'connected', 'other', 9, 'part_b');
    expect(await inThere(meeting)).toEqual(['first', 'other', 'second', 'third']);
  });
});

describe('a room that is as large as rooms may be, one smaller than the vendor’s conversation', () => {
  it('has a place there for everybody whom it admits, beside the bridge, and tells the next that it is full', async () => {
    const { client } = harness.emulator;
    // Four stand for the vendor's fifty, and three for our 49.
    await client.putConfig({ behaviour: { maxParticipants: 4 } });
    try {
      const meeting = await openRoom(deps, { bridge: 'always', max_participants: 3 });
      await joinByPhone(harness, deps, meeting);
      expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('dialled');
      await untilLegs(harness, meeting, 'bridge', ['joined']);
      await joinByPhone(harness, deps, meeting);
      await joinByPhone(harness, deps, meeting);
      const last = await dialIn(harness);
      await client.key(last.id, `${meeting.pin}#`);
      await client.awaitEnded(last.id);
      await untilLegs(harness, meeting, 'inbound', ['joined', 'joined', 'joined']);
      expect(
        (await harness.store.prisma.leg.findFirstOrThrow({ where: { voice_call_id: last.callId } })).last_outcome,
      ).toBe('full');
    } finally {
      await client.putConfig({ behaviour: { maxParticipants: 50 } });
    }
  });
});
