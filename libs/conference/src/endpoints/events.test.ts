import type { MediaEvent, VoiceEvent } from '@partyline/provider-contract/provider-event';
import { verdict } from '@partyline/domain/verdict';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertLeg } from '@partyline/store/legs/legs';
import { inTransaction } from '@partyline/store/database/store';
import { applyLegEvent } from '../legs/apply-leg-event.ts';
import { applyMediaEvent } from '../legs/apply-media-event.ts';
import { writeConnectionData } from '../legs/connection-data.ts';
import { openRoom, readLegs, readSession, type Meeting } from '../testing/meeting.ts';
import { startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';

let harness: TestHarness;
let deps: TestDeps;
let idCount = 0;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
afterAll(() => harness.close());

const AT = new Date('2026-03-01T10:00:00Z');
const nextId = (kind: string): string => `${kind}-${(idCount += 1)}`;

/** Creates a meeting with a bridge leg, and all provider events of that leg in order. */
async function createBridgeLeg(): Promise<{
  meeting: Meeting;
  legId: string;
  media: MediaEvent[];
  voice: VoiceEvent[];
}> {
  const meeting = await openRoom(deps);
  const legId = nextId('leg');
  const [connectionId, callId] = [nextId('con'), nextId('call')];
  await inTransaction(harness.store, meeting.tenantId, (tx) =>
    insertLeg(
      tx,
      meeting.tenantId,
      { id: meeting.sessionId, account_id: null },
      { id: legId, kind: 'bridge', state: 'dialling', deadline_at: new Date('2099-01-01') },
    ),
  );
  await harness.store.prisma.leg.update({ where: { id: legId }, data: { voice_call_id: callId } });
  const common = { mediaSessionId: meeting.mediaSessionId, connectionId, at: AT };
  const data = writeConnectionData({ leg: legId });
  return {
    meeting,
    legId,
    media: [
      { kind: 'connected', data, ...common },
      { kind: 'sip-call', sipCallId: 'sip', phase: 'ringing', ...common },
      { kind: 'sip-call', sipCallId: 'sip', phase: 'active', ...common },
      { kind: 'sip-call', sipCallId: 'sip', phase: 'over', verdict: verdict('success', 'completed'), ...common },
      { kind: 'disconnected', data, reason: 'clientDisconnected', ...common },
    ],
    voice: [
      { kind: 'call', callId, phase: 'started', at: AT },
      { kind: 'call', callId, phase: 'ringing', at: AT },
      { kind: 'call', callId, phase: 'answered', at: AT },
      { kind: 'moved', callId, at: AT },
      { kind: 'call', callId, phase: 'over', verdict: verdict('success', 'completed'), at: AT },
    ],
  };
}

describe('provider events, duplicated and in any order (I12)', () => {
  it('end the bridge leg for good exactly when both of its handles are closed', async () => {
    const deliveries = fc.array(
      fc.record({ side: fc.constantFrom('media', 'voice'), index: fc.integer({ min: 0, max: 4 }) } as const),
      { maxLength: 24 },
    );
    const holds = fc.assert(
      fc.asyncProperty(deliveries, async (delivered) => {
        const { meeting, media, voice } = await createBridgeLeg();
        let mediaOver = false;
        let voiceOver = false;
        for (const { side, index } of delivered) {
          const event = side === 'media' ? media[index] : voice[index];
          if (side === 'voice') {
            await applyLegEvent(deps, { via: 'look-up', accountId: null }, event as VoiceEvent);
            voiceOver ||= index === 4;
          } else {
            await applyMediaEvent(deps, { via: 'look-up', accountId: null }, event as MediaEvent);
            mediaOver ||= index === 4;
          }
          const [leg] = await readLegs(harness, meeting, 'bridge');
          // The voice handle is closed, and the media handle is closed or was never observed.
          const over =
            leg?.voice_closed_at !== null && (leg?.media_connection_id === null || leg?.media_closed_at !== null);
          if (over) expect(leg?.state).toBe('ended');
          if (leg?.state === 'ended') expect(voiceOver).toBe(true);
        }
        const [leg] = await readLegs(harness, meeting, 'bridge');
        if (mediaOver && voiceOver) expect(leg?.state).toBe('ended');
      }),
      { numRuns: 25 },
    );
    await expect(holds).resolves.toBeUndefined();
  });

  it("number the session's events without gaps, and record one leg.ended event (I14)", async () => {
    const { meeting, media, voice } = await createBridgeLeg();
    const all = [
      ...media.map((event) => () => applyMediaEvent(deps, { via: 'look-up', accountId: null }, event)),
      ...voice.map((event) => () => applyLegEvent(deps, { via: 'look-up', accountId: null }, event)),
    ];
    await Promise.all([...all, ...all].map((apply) => apply()));
    const events = await harness.store.prisma.outbox.findMany({
      where: { session_id: meeting.sessionId },
      orderBy: { seq: 'asc' },
    });
    expect(events.map((event) => event.seq)).toEqual(events.map((_, i) => i + 1));
    expect(events.filter((event) => event.type === 'leg.ended')).toHaveLength(1);
    expect(
      await harness.store.prisma.observation.count({
        where: { leg_id: (await readLegs(harness, meeting))[0]?.id ?? '', phase: 'over' },
      }),
    ).toBe(2);
  });

  it('leave no live leg when the end of a browser arrives before its start', async () => {
    const meeting = await openRoom(deps);
    const common = {
      mediaSessionId: meeting.mediaSessionId,
      connectionId: nextId('con'),
      data: writeConnectionData({ participant: 'part_x' }),
      at: AT,
    };
    await applyMediaEvent(
      deps,
      { via: 'look-up', accountId: null },
      { kind: 'disconnected', reason: 'clientDisconnected', ...common },
    );
    await applyMediaEvent(deps, { via: 'look-up', accountId: null }, { kind: 'connected', ...common });
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['ended']);
    expect((await readSession(harness, meeting)).state).toBe('open');
  });
});

describe('events that match no leg are ignored and counted', () => {
  const media = (event: Partial<Extract<MediaEvent, { kind: 'connected' }>>, meeting: Meeting): MediaEvent => ({
    kind: 'connected',
    mediaSessionId: meeting.mediaSessionId,
    connectionId: nextId('con'),
    data: '',
    at: AT,
    ...event,
  });

  it.each([
    '',
    'hello',
    '[]',
    'null',
    '{"leg":7}',
    '{"leg":"leg_unknown"}',
    '{"participant":7}',
    '{"__proto__":{"participant":"x"}}',
  ])('a connection with the data %j', async (data) => {
    const meeting = await openRoom(deps);
    expect(await applyMediaEvent(deps, { via: 'look-up', accountId: null }, media({ data }, meeting))).toBe('ignored');
    expect(await readLegs(harness, meeting)).toEqual([]);
    expect(harness.counters.at(-1)).toBe('webhook_ignored unknown-connection platform');
  });

  it('a connection with the leg of another session', async () => {
    const { legId } = await createBridgeLeg();
    const meeting = await openRoom(deps);
    expect(
      await applyMediaEvent(
        deps,
        { via: 'look-up', accountId: null },
        media({ data: writeConnectionData({ leg: legId }) }, meeting),
      ),
    ).toBe('ignored');
    expect((await harness.store.prisma.leg.findUniqueOrThrow({ where: { id: legId } })).media_connection_id).toBeNull();
  });

  it.each<VoiceEvent>([
    { kind: 'unknown', name: 'record' },
    { kind: 'problem', reason: 'syntax' },
    { kind: 'call', callId: 'unknown', phase: 'over', at: AT },
    { kind: 'moved', callId: 'unknown', at: AT },
  ])('a voice event: $kind', async (event) => {
    expect(await applyLegEvent(deps, { via: 'look-up', accountId: null }, event, 'leg_unknown')).toBe('ignored');
  });

  it('an unknown video session', async () => {
    expect(
      await applyMediaEvent(
        deps,
        { via: 'look-up', accountId: null },
        { kind: 'connected', mediaSessionId: 'unknown', connectionId: 'c', data: '{"participant":"p"}', at: AT },
      ),
    ).toBe('ignored');
    expect(harness.counters.at(-1)).toBe('webhook_ignored unknown-session platform');
  });
});
