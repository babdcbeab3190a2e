import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NUMBER, promised, routedSession, setStage, SIP_AUTH, SIP_URI, type Stage } from '../testing/test-harness.ts';
import { price } from './meter.ts';

const RATES = {
  voiceInboundPerMinute: 6_000,
  voiceSipPerMinute: 3_000,
  sipInterconnectPerMinute: 5_000,
  participantPerMinute: 4_000,
};
let stage: Stage;
beforeAll(async () => {
  stage = await setStage({ clock: 'virtual', rates: RATES });
});
afterEach(() => stage.fresh());
afterAll(() => stage.close());

const charges = async (): Promise<Record<string, number>> =>
  Object.fromEntries((await stage.client.ledger()).legs.map((leg) => [leg.kind, leg.chargeMicros]));

describe('the charge meter (contract §7)', () => {
  it('charges voice per second from answered, and nothing for ringing', async () => {
    stage.on.set('/answer', () => ({ json: [{ action: 'conversation', name: 'r' }] }));
    const { id } = await stage.client.dial({ from: '1', to: NUMBER });
    await stage.client.advanceClock(150_000);
    expect((await stage.client.ledger()).legs[0]).toMatchObject({ billedSeconds: 150, chargeMicros: 15_000 });
    await stage.client.hangUp(id);
    await stage.client.advanceClock(600_000);
    expect((await stage.client.ledger()).totalMicros).toBe(15_000);
  });

  it('charges SIP minutes and participant minutes by started minute: 30 minutes, one SIP and one browser', async () => {
    const MINUTES = 30 * 60_000;
    stage.on.set('/answer', () => ({ json: [{ action: 'conversation', name: 'r' }] }));
    const sessionId = await routedSession(stage);
    await stage.client.joinWebrtc({ sessionId, token: stage.opentok.generateToken(sessionId) });
    const { connectionId } = await promised<{ connectionId: string }>((done) =>
      stage.opentok.dial(sessionId, stage.opentok.generateToken(sessionId), SIP_URI, { auth: SIP_AUTH }, done),
    );
    await stage.client.advanceClock(MINUTES);
    await promised((done) => stage.opentok.forceDisconnect(sessionId, connectionId, done));
    // The vendor's own example: 30 SIP minutes and 60 participant minutes.
    expect(await charges()).toEqual({
      webrtc: 30 * 4_000,
      'sip-interconnect': 30 * 5_000 + 30 * 4_000,
      'voice-sip': 30 * 3_000,
    });
  });

  it('charges a second by the second when told to', async () => {
    const sessionId = await routedSession(stage);
    await stage.client.joinWebrtc({ sessionId, token: stage.opentok.generateToken(sessionId) });
    await stage.client.advanceClock(15_000);
    expect(await charges()).toEqual({ webrtc: 4_000 });
    await stage.client.putConfig({ rates: { videoGranularity: 'second' } });
    expect(await charges()).toEqual({ webrtc: 1_000 });
    await stage.client.putConfig({ rates: { videoGranularity: 'minute' } });
  });

  it('starts participant minutes when the first participant publishes', async () => {
    const sessionId = await routedSession(stage);
    const token = stage.opentok.generateToken(sessionId);
    await stage.client.joinWebrtc({ sessionId, token, publish: false });
    await stage.client.advanceClock(120_000);
    expect((await stage.client.ledger()).totalMicros).toBe(0);
    await stage.client.joinWebrtc({ sessionId, token });
    await stage.client.advanceClock(60_000);
    expect((await stage.client.ledger()).legs.map((leg) => leg.chargeMicros)).toEqual([4_000, 4_000]);
  });

  it('prices in integer micros, never less for more seconds', () => {
    expect(price(4_500, 2)).toBe(150); // the vendor's example: rate 0.0045, 2 s, price 0.00015
    fc.assert(
      fc.property(
        fc.nat(1_000_000),
        fc.nat(100_000),
        (rate, seconds) => Number.isInteger(price(rate, seconds)) && price(rate, seconds + 1) >= price(rate, seconds),
      ),
    );
  });
});
