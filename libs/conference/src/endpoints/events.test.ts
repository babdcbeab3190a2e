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
let made = 0;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
afterAll(() => harness.close());

const AT = new Date('2026-03-01T10:00:00Z');
const next = (what: string): string => `${what}-${(made += 1)}`;

/** A meeting with a leg of ours in it, and what a vendor would say of the leg from its dial to its end. */
async function bridged(): Promise<{ meeting: Meeting; legId: string; media: MediaEvent[]; voice: VoiceEvent[] }> {
  const meeting = await openRoom(deps);
  const legId = next('leg');
  const [connectionId, callId] = [next('con'), next('call')];
  await inTransaction(harness.store, meeting.tenantId, (tx) =>
    insertLeg(
      tx,
      meeting.tenantId,
      { id: meeting.sessionId, account_id: null },
      { id: legId, kind: 'bridge', state: 'dialling', deadline_at: new Date('2099-01-01') },
    ),
  );
  await harness.store.prisma.leg.update({ where: { id: legId }, data: { voice_call_id: callId } });
  const of = { mediaSessionId: meeting.mediaSessionId, connectionId, at: AT };
  const data = writeConnectionData({ leg: legId });
  return {
    meeting,
    legId,
    media: [
      { kind: 'connected', data, ...of },
      { kind: 'sip-call', sipCallId: 'sip', phase: 'ringing', ...of },
      { kind: 'sip-call', sipCallId: 'sip', phase: 'active', ...of },
      { kind: 'sip-call', sipCallId: 'sip', phase: 'over', verdict: verdict('success', 'completed'), ...of },
      { kind: 'disconnected', data, reason: 'clientDisconnected', ...of },
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

describe('a vendor’s events, in any order and any number (I12)', () => {
  it('end the bridge exactly when both of its sides were said to be over, and it stays ended', async () => {
    const deliveries = fc.array(
      fc.record({ side: fc.constantFrom('media', 'voice'), index: fc.integer({ min: 0, max: 4 }) } as const),
      { maxLength: 24 },
    );
    const holds = fc.assert(
      fc.asyncProperty(deliveries, async (delivered) => {
        const { meeting, media, voice } = await bridged();
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
          // The voice side over, and the video side over or never seen: then, and from then on.
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

  it('number the tenant’s events without a gap, and tell of an ending once (I14)', async () => {
    const { meeting, media, voice } = await bridged();
    const all = [
      ...media.map((event) => () => applyMediaEvent(deps, { via: 'look-up', accountId: null }, event)),
      ...voice.map((event) => () => applyLegEvent(deps, { via: 'look-up', accountId: null }, event)),
    ];
    await Promise.all([...all, ...all].map((apply) => apply()));
    const told = await harness.store.prisma.outbox.findMany({
      where: { session_id: meeting.sessionId },
      orderBy: { seq: 'asc' },
    });
    expect(told.map((event) => event.seq)).toEqual(told.map((_, i) => i + 1));
    expect(told.filter((event) => event.type === 'leg.ended')).toHaveLength(1);
    expect(
      await harness.store.prisma.observation.count({
        where: { leg_id: (await readLegs(harness, meeting))[0]?.id ?? '', phase: 'over' },
      }),
    ).toBe(2);
  });

  it('of a browser whose going overtook its coming leave nobody there', async () => {
    const meeting = await openRoom(deps);
    const of = {
      mediaSessionId: meeting.mediaSessionId,
      connectionId: next('con'),
      data: writeConnectionData({ participant: 'part_x' }),
      at: AT,
    };
    await applyMediaEvent(
      deps,
      { via: 'look-up', accountId: null },
      { kind: 'disconnected', reason: 'clientDisconnected', ...of },
    );
    await applyMediaEvent(deps, { via: 'look-up', accountId: null }, { kind: 'connected', ...of });
    expect((await readLegs(harness, meeting)).map((leg) => leg.state)).toEqual(['ended']);
    expect((await readSession(harness, meeting)).state).toBe('open');
  });
});

describe('what is none of ours is ignored and counted', () => {
  const media = (event: Partial<Extract<MediaEvent, { kind: 'connected' }>>, meeting: Meeting): MediaEvent => ({
    kind: 'connected',
    mediaSessionId: meeting.mediaSessionId,
    connectionId: next('con'),
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
    '{"leg":"leg_of_nobody"}',
    '{"participant":7}',
    '{"__proto__":{"participant":"x"}}',
  ])('a connection with the data %j', async (data) => {
    const meeting = await openRoom(deps);
    expect(await applyMediaEvent(deps, { via: 'look-up', accountId: null }, media({ data }, meeting))).toBe('ignored');
    expect(await readLegs(harness, meeting)).toEqual([]);
    expect(harness.counters.at(-1)).toBe('webhook_ignored unknown-connection');
  });

  it('another session’s leg in a connection’s data', async () => {
    const { legId } = await bridged();
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
    { kind: 'call', callId: 'nobody', phase: 'over', at: AT },
    { kind: 'moved', callId: 'nobody', at: AT },
  ])('a voice event: $kind', async (event) => {
    expect(await applyLegEvent(deps, { via: 'look-up', accountId: null }, event, 'leg_of_nobody')).toBe('ignored');
  });

  it('a video session that is not ours', async () => {
    expect(
      await applyMediaEvent(
        deps,
        { via: 'look-up', accountId: null },
        { kind: 'connected', mediaSessionId: 'theirs', connectionId: 'c', data: '{"participant":"p"}', at: AT },
      ),
    ).toBe('ignored');
    expect(harness.counters.at(-1)).toBe('webhook_ignored unknown-session');
  });
});
