import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  NUMBER,
  toPromise,
  createRoutedSession,
  startTestHarness,
  SIP_AUTH,
  SIP_URI,
  type Harness,
} from '../testing/test-harness.ts';
import { computePriceMicros } from './meter.ts';

const RATES = {
  voiceInboundPerMinute: 6_000,
  voiceSipPerMinute: 3_000,
  sipInterconnectPerMinute: 5_000,
  participantPerMinute: 4_000,
};
let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness({ clock: 'virtual', rates: RATES });
});
afterEach(() => harness.reset());
afterAll(() => harness.close());

const charges = async (): Promise<Record<string, number>> =>
  Object.fromEntries((await harness.client.ledger()).legs.map((leg) => [leg.kind, leg.chargeMicros]));

describe('the charge meter (contract, section 7)', () => {
  it('charges voice per second from the answer, and does not charge ringing', async () => {
    harness.replies.set('/answer', () => ({ json: [{ action: 'conversation', name: 'r' }] }));
    const { id } = await harness.client.dial({ from: '1', to: NUMBER });
    await harness.client.advanceClock(150_000);
    expect((await harness.client.ledger()).legs[0]).toMatchObject({ billedSeconds: 150, chargeMicros: 15_000 });
    await harness.client.hangUp(id);
    await harness.client.advanceClock(600_000);
    expect((await harness.client.ledger()).totalMicros).toBe(15_000);
  });

  it('charges SIP and participants per started minute: one SIP leg and one browser for 30 minutes', async () => {
    const MINUTES = 30 * 60_000;
    harness.replies.set('/answer', () => ({ json: [{ action: 'conversation', name: 'r' }] }));
    const sessionId = await createRoutedSession(harness);
    await harness.client.joinWebrtc({ sessionId, token: harness.opentok.generateToken(sessionId) });
    const { connectionId } = await toPromise<{ connectionId: string }>((done) =>
      harness.opentok.dial(sessionId, harness.opentok.generateToken(sessionId), SIP_URI, { auth: SIP_AUTH }, done),
    );
    await harness.client.advanceClock(MINUTES);
    await toPromise((done) => harness.opentok.forceDisconnect(sessionId, connectionId, done));
    // Vonage's example: 30 SIP minutes and 60 participant minutes.
    expect(await charges()).toEqual({
      webrtc: 30 * 4_000,
      'sip-interconnect': 30 * 5_000 + 30 * 4_000,
      'voice-sip': 30 * 3_000,
    });
  });

  it('charges video per second with videoGranularity "second"', async () => {
    const sessionId = await createRoutedSession(harness);
    await harness.client.joinWebrtc({ sessionId, token: harness.opentok.generateToken(sessionId) });
    await harness.client.advanceClock(15_000);
    expect(await charges()).toEqual({ webrtc: 4_000 });
    await harness.client.putConfig({ rates: { videoGranularity: 'second' } });
    expect(await charges()).toEqual({ webrtc: 1_000 });
    await harness.client.putConfig({ rates: { videoGranularity: 'minute' } });
  });

  it('starts participant minutes with the first stream', async () => {
    const sessionId = await createRoutedSession(harness);
    const token = harness.opentok.generateToken(sessionId);
    await harness.client.joinWebrtc({ sessionId, token, publish: false });
    await harness.client.advanceClock(120_000);
    expect((await harness.client.ledger()).totalMicros).toBe(0);
    await harness.client.joinWebrtc({ sessionId, token });
    await harness.client.advanceClock(60_000);
    expect((await harness.client.ledger()).legs.map((leg) => leg.chargeMicros)).toEqual([4_000, 4_000]);
  });

  it('computes integer prices that do not decrease with the duration', () => {
    expect(computePriceMicros(4_500, 2)).toBe(150); // Vonage's example: rate 0.0045, 2 s, price 0.00015
    fc.assert(
      fc.property(
        fc.nat(1_000_000),
        fc.nat(100_000),
        (rate, seconds) =>
          Number.isInteger(computePriceMicros(rate, seconds)) &&
          computePriceMicros(rate, seconds + 1) >= computePriceMicros(rate, seconds),
      ),
    );
  });
});
