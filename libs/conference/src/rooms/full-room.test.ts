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

/** Issues a token past the limits, as if it had been issued before the room was full. */
const tokenFor = ({ mediaSessionId }: Meeting, participant: string): string =>
  deps.media.issueToken({
    mediaSessionId,
    data: writeConnectionData({ participant }),
    expiresAt: new Date(Date.now() + 600_000),
  });
const join = async (meeting: Meeting, token: string): Promise<void> =>
  void (await harness.emulator.client.joinWebrtc({ sessionId: meeting.mediaSessionId, token }));
const states = async (meeting: Meeting): Promise<string[]> =>
  (await readLegs(harness, meeting)).map((leg) => leg.state).toSorted();

describe('a browser with a token from before the room was full', () => {
  it('of three that join the last free slot at once, one stays and two are hung up', async () => {
    const meeting = await openRoom(deps, { max_participants: 2 });
    await joinBrowser(harness, meeting);
    await Promise.all(
      ['part_a', 'part_b', 'part_c'].map((participant) => join(meeting, tokenFor(meeting, participant))),
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

  it('may reconnect: a new connection replaces the old one and does not count against the limits', async () => {
    await executeSql(harness, 'UPDATE tenant SET max_live_legs = 1 WHERE id = $1', [deps.tenantId]);
    const meeting = await openRoom(deps, { max_participants: 1 });
    const token = tokenFor(meeting, 'part_a');
    for (const connections of [1, 2, 3]) {
      await join(meeting, token);
      await until(async () => (await readLegs(harness, meeting)).length, connections);
    }
    await until(
      async () => (await readLegs(harness, meeting)).map(({ state, hangup_reason: reason }) => [state, reason]),
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

describe('several connections with one token', () => {
  const CREATED_MS = new Date('2026-11-21T12:00:00.000Z').getTime();
  /** Applies a media event. The calls determine the order of arrival. */
  const deliver = async (
    meeting: Meeting,
    kind: 'connected' | 'disconnected',
    name: string,
    createdAtMs: number | null,
    participant: string | null = 'part_a',
  ): Promise<void> => {
    const since = createdAtMs === null ? null : new Date(CREATED_MS + createdAtMs);
    const event = {
      mediaSessionId: meeting.mediaSessionId,
      connectionId: `${name} of ${meeting.sessionId}`,
      data: writeConnectionData({ participant }),
      at: since,
      since,
    };
    const token = {
      accountId: null,
      jti: `${name} ${kind} ${meeting.sessionId} ${(eventCount += 1)}`,
      expiresAt: new Date(Date.now() + 600_000),
    };
    await applyMediaEvent(
      deps,
      { via: 'callback', token },
      kind === 'connected' ? { kind, ...event } : { kind, ...event, reason: 'clientDisconnected' },
    );
  };
  let eventCount = 0;
  const joinedConnections = async (meeting: Meeting): Promise<string[]> =>
    (await readLegs(harness, meeting))
      .filter(({ state }) => state === 'joined')
      .map((leg) => leg.media_connection_id!.replace(/ .*/, ''))
      .toSorted();

  it('the most recent connection stays, with events in any order and duplicated', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(['first', 'second', 'third', 'second', 'first'], { minLength: 5 }),
        async (order) => {
          const meeting = await openRoom(deps);
          for (const name of order)
            await deliver(meeting, 'connected', name, ['first', 'second', 'third'].indexOf(name) * 1_000);
          expect(await joinedConnections(meeting)).toEqual(['third']);
        },
      ),
      { numRuns: 10 },
    );
  });

  it('a connection whose end arrives before its start replaces no other', async () => {
    const meeting = await openRoom(deps);
    await deliver(meeting, 'connected', 'first', 0);
    await deliver(meeting, 'disconnected', 'second', 1_000);
    await deliver(meeting, 'connected', 'second', 1_000);
    expect(await joinedConnections(meeting)).toEqual(['first']);
  });

  it('without an order by time, two connections stay and a third is hung up', async () => {
    for (const createdAtMs of [null, 0]) {
      const meeting = await openRoom(deps);
      for (const name of ['first', 'second', 'third']) await deliver(meeting, 'connected', name, createdAtMs);
      expect(await joinedConnections(meeting)).toEqual(['first', 'second']);
      expect((await readLegs(harness, meeting)).map((leg) => leg.hangup_reason)).toEqual([
        null,
        null,
        'too-many-connections',
      ]);
    }
  });

  it('connections without a participant, and of other participants, stay', async () => {
    const meeting = await openRoom(deps);
    for (const [at, name] of ['first', 'second', 'third'].entries())
      await deliver(meeting, 'connected', name, at, null);
    await deliver(meeting, 'connected', 'other', 9, 'part_b');
    expect(await joinedConnections(meeting)).toEqual(['first', 'other', 'second', 'third']);
  });
});

describe("a room of the maximum size, which is one less than that of the provider's conversation", () => {
  it('fits all admitted callers and the bridge into the conversation, and rejects the next caller', async () => {
    const { client } = harness.emulator;
    // 4 instead of the provider's 50, and 3 instead of Partyline's 49.
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
