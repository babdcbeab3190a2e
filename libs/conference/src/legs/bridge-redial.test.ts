import { ProviderError } from '@partyline/provider-contract/provider-error';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { applyMediaEvent } from './apply-media-event.ts';
import { writeConnectionData } from './connection-data.ts';
import { openBridge } from './open-bridge.ts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { sweepInventory } from '../reconciliation/sweep-inventory.ts';
import { joinByPhone, joinBrowser, openRoom, readLegs, readSession, until, type Meeting } from '../testing/meeting.ts';
import { passTime, resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

/** Opens a room with a browser and a caller, before the bridge is dialled. */
async function openRoomWithBrowserAndCaller(): Promise<Meeting> {
  const meeting = await openRoom(deps);
  await joinBrowser(harness, meeting);
  await joinByPhone(harness, deps, meeting);
  return meeting;
}
const readBridgeStates = async (meeting: Meeting): Promise<string[]> =>
  (await readLegs(harness, meeting, 'bridge')).map((leg) => leg.state);

describe('a bridge leg that rang and failed without an event for its end', () => {
  it('is hung up and dialled again while the session is live', async () => {
    const meeting = await openRoomWithBrowserAndCaller();
    await harness.emulator.client.setFaults({
      webhooks: [
        { kind: 'sip-callback', event: 'callDestroyed', fault: 'drop' },
        { kind: 'answer', fault: 'timeout' },
      ],
    });
    expect(await openBridge(deps, meeting.tenantId, meeting.sessionId)).toBe('dialled');
    const [failed] = await readLegs(harness, meeting, 'bridge');
    await until(
      async () =>
        (await readLegs(harness, meeting, 'bridge')).map(({ state, media_closed_at: closed }) => [
          state,
          closed !== null,
        ]),
      [['ringing', true]],
    );
    expect(failed).toMatchObject({ voice_call_id: null, sip_ended_at: null });
    await harness.emulator.client.resetFaults();
    for (let round = 0; round < 6 && (await readBridgeStates(meeting)).length < 2; round++) {
      await passTime(harness, 60);
      await reconcile(deps);
      await sweepInventory(deps, null);
      await reconcile(deps);
    }
    await until(() => readBridgeStates(meeting), ['ended', 'joined']);
    expect((await readLegs(harness, meeting, 'bridge'))[0]).toMatchObject({
      id: failed?.id,
      hangup_reason: 'unobserved',
    });
    expect((await readSession(harness, meeting)).state).toBe('live');
  });
});

describe('events of a bridge leg whose dial got no reply', () => {
  const events = ['connectionCreated', 'callCreated', 'callUpdated', 'callDestroyed', 'connectionDestroyed'] as const;
  const withLostDialReply = (): TestDeps =>
    withProviders(deps, {
      media: {
        dialSip: () => Promise.reject(new ProviderError('unknown', 'upstream-timeout', 'The provider sent no reply.')),
      },
    });
  async function dialBridge(): Promise<{
    meeting: Meeting;
    applyEvent: (event: (typeof events)[number], timestamp?: number) => Promise<'applied' | 'ignored'>;
  }> {
    const meeting = await openRoomWithBrowserAndCaller();
    expect(await openBridge(withLostDialReply(), meeting.tenantId, meeting.sessionId)).toBe('unknown');
    const { id: legId } = await harness.store.prisma.leg.findFirstOrThrow({
      where: { session_id: meeting.sessionId, kind: 'bridge' },
    });
    const connection = { id: 'connection', createdAt: Date.now(), data: writeConnectionData({ leg: legId }) };
    const call = { id: 'call', connectionId: connection.id, createdAt: Date.now() };
    const applyEvent = (event: string, timestamp = Date.now()) =>
      applyMediaEvent(
        deps,
        { via: 'look-up', accountId: null },
        deps.media.parseCallback({
          sessionId: meeting.mediaSessionId,
          event,
          timestamp,
          ...(event.startsWith('call')
            ? { call, state: 'RINGING', reason_code: '480' }
            : { connection, reason: 'clientDisconnected' }),
        }),
      );
    return { meeting, applyEvent };
  }

  it('are all applied in any order, and another bridge leg becomes due', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...events], { minLength: events.length }), async (order) => {
        const { meeting, applyEvent } = await dialBridge();
        const results: string[] = [];
        for (const event of order) results.push(await applyEvent(event));
        expect(results).toEqual(order.map(() => 'applied'));
        expect(
          (await readLegs(harness, meeting, 'bridge')).map(({ state, media_connection_id: id }) => [state, id]),
        ).toEqual([['ended', 'connection']]);
        expect((await readSession(harness, meeting)).bridge_due_at).not.toBeNull();
      }),
      {
        numRuns: 12,
        examples: [[['callCreated', 'callUpdated', 'callDestroyed', 'connectionCreated', 'connectionDestroyed']]],
      },
    );
  });

  it('are ignored when they are older than the dial, as they belong to an earlier leg', async () => {
    const { meeting, applyEvent } = await dialBridge();
    expect(await applyEvent('callDestroyed', Date.now() - 60_000)).toBe('ignored');
    expect(await readBridgeStates(meeting)).toEqual(['dialling']);
  });
});

describe('a bridge dial with an unusable reply that was not placed', () => {
  type Dial = Parameters<TestDeps['media']['dialSip']>[0];
  /** Dials without effect; `dials` holds what was to be dialled. */
  function withoutEffect(): { deps: TestDeps; dials: Dial[] } {
    const dials: Dial[] = [];
    const dialSip = (dial: Dial) => {
      dials.push(dial);
      return Promise.reject(new ProviderError('unknown', 'unusable-reply', 'The reply was not JSON.'));
    };
    return { deps: withProviders(deps, { media: { dialSip } }), dials };
  }
  /** Runs a round of the reconciler and the bridge's job every second. */
  async function runSeconds(meeting: Meeting, seconds: number, by = deps): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      await passTime(harness, 1);
      await reconcile(by);
      await openBridge(by, meeting.tenantId, meeting.sessionId);
    }
  }
  async function dialWithoutEffect(): Promise<{ meeting: Meeting; dial: Dial }> {
    const meeting = await openRoomWithBrowserAndCaller();
    const lost = withoutEffect();
    expect(await openBridge(lost.deps, meeting.tenantId, meeting.sessionId)).toBe('unknown');
    return { meeting, dial: lost.dials.at(-1) as Dial };
  }

  it('is found by two lists and dialled again within 15 s of a timeout of 4 s', async () => {
    const { meeting } = await dialWithoutEffect();
    await runSeconds(meeting, 11);
    await until(() => readBridgeStates(meeting), ['ended', 'joined']);
    expect((await readLegs(harness, meeting, 'bridge'))[0]).toMatchObject({
      reason: 'unobserved',
      hangup_reason: 'unobserved',
      voice_call_id: null,
    });
    expect(harness.counters.filter((each) => each.startsWith('dial_unobserved'))).toEqual([
      'dial_unobserved bridge platform',
    ]);
  });

  it('is not concluded from one list', async () => {
    const { meeting } = await dialWithoutEffect();
    await runSeconds(meeting, 5);
    expect(await readBridgeStates(meeting)).toEqual(['dialling']);
  });

  it('that has a connection after the first list is up, and the list counts for nothing', async () => {
    const { meeting } = await dialWithoutEffect();
    await runSeconds(meeting, 3);
    const [bridge] = await readLegs(harness, meeting, 'bridge');
    expect(bridge?.media_missing_since).toEqual(expect.any(Date));
    const event = deps.media.parseCallback({
      sessionId: meeting.mediaSessionId,
      event: 'connectionCreated',
      timestamp: Date.now(),
      connection: { id: 'own', createdAt: Date.now(), data: writeConnectionData({ leg: bridge?.id ?? '' }) },
    });
    expect(await applyMediaEvent(deps, { via: 'look-up', accountId: null }, event)).toBe('applied');
    expect((await readLegs(harness, meeting, 'bridge'))[0]).toMatchObject({
      media_connection_id: 'own',
      media_missing_since: null,
    });
    await runSeconds(meeting, 12);
    expect(await readBridgeStates(meeting)).toEqual(['dialling']);
  });

  it('that is placed late after all is refused, and the later bridge leg stays', async () => {
    const { meeting, dial } = await dialWithoutEffect();
    await runSeconds(meeting, 11);
    await until(() => readBridgeStates(meeting), ['ended', 'joined']);
    await deps.media.dialSip(dial);
    const readCalls = async () =>
      (await readLegs(harness, meeting, 'bridge')).map((leg) => [leg.state, leg.voice_call_id !== null]);
    await until(readCalls, [
      ['ended', true],
      ['joined', true],
    ]);
    const [late, bridge] = await readLegs(harness, meeting, 'bridge');
    await until(async () => (await deps.voice.getCall(late?.voice_call_id ?? ''))?.over, true);
    expect((await deps.voice.getCall(bridge?.voice_call_id ?? ''))?.over).toBe(false);
  });

  it('does not give the event of its late call to the later bridge leg', async () => {
    const { meeting } = await dialWithoutEffect();
    const lost = withoutEffect();
    await runSeconds(meeting, 11, lost.deps);
    expect(await readBridgeStates(meeting)).toEqual(['ended', 'dialling']);
    const event = deps.media.parseCallback({
      sessionId: meeting.mediaSessionId,
      event: 'callCreated',
      timestamp: Date.now(),
      call: { id: 'call', connectionId: 'late', createdAt: Date.now() },
    });
    expect(await applyMediaEvent(deps, { via: 'look-up', accountId: null }, event)).toBe('ignored');
    expect((await readLegs(harness, meeting, 'bridge')).map((leg) => leg.media_connection_id)).toEqual([null, null]);
  });

  it('is not concluded while a list shows a connection that may be its own, nor from a failed list', async () => {
    const { meeting } = await dialWithoutEffect();
    const failing = withProviders(deps, {
      media: { listConnections: () => Promise.reject(new ProviderError('unknown', 'upstream-timeout', 'No reply.')) },
    });
    await runSeconds(meeting, 15, failing);
    expect(await readBridgeStates(meeting)).toEqual(['dialling']);
    await harness.emulator.client.setFaults({ webhooks: [{ fault: 'drop' }] });
    await harness.emulator.client.joinWebrtc({ sessionId: meeting.mediaSessionId, token: meeting.token });
    await runSeconds(meeting, 15);
    expect(await readBridgeStates(meeting)).toEqual(['dialling']);
  });

  it('does not get the connection of a browser whose callback was lost, which counts once the bridge is there', async () => {
    const { meeting } = await dialWithoutEffect();
    await harness.emulator.client.setFaults({ webhooks: [{ fault: 'drop' }] });
    await harness.emulator.client.joinWebrtc({ sessionId: meeting.mediaSessionId, token: meeting.token });
    await sweepInventory(deps, null);
    expect((await readLegs(harness, meeting, 'bridge')).map((leg) => leg.media_connection_id)).toEqual([null]);
    expect(await readLegs(harness, meeting, 'webrtc')).toHaveLength(1);
    await harness.emulator.client.resetFaults();
    for (let round = 0; round < 6 && (await readBridgeStates(meeting)).length < 2; round++) {
      await passTime(harness, 60);
      await reconcile(deps);
      await sweepInventory(deps, null);
    }
    await sweepInventory(deps, null);
    expect(await readLegs(harness, meeting, 'webrtc')).toHaveLength(2);
  });
});
