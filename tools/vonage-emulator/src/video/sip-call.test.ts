import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  APP,
  PROJECT,
  toPromise,
  createRoutedSession,
  startTestHarness,
  SIP_AUTH,
  SIP_URI,
  type Harness,
} from '../testing/test-harness.ts';
import { parseSipUri } from './sip-call.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness({ clock: 'virtual' });
});
beforeEach(() => {
  harness.replies.set('/answer', () => ({ json: [{ action: 'conversation', name: 'room' }] }));
});
afterEach(() => harness.reset());
afterAll(() => harness.close());

interface DialledCall {
  sessionId: string;
  connectionId: string;
  id: string;
}

async function dial(options: object = { auth: SIP_AUTH }, uri = SIP_URI): Promise<DialledCall> {
  const sessionId = await createRoutedSession(harness);
  const reply = await toPromise<{ id: string; connectionId: string }>((done) =>
    harness.opentok.dial(sessionId, harness.opentok.generateToken(sessionId, { data: 'bridge' }), uri, options, done),
  );
  return { sessionId, ...reply };
}

const sipEvents = (): unknown[] =>
  harness.hooks
    .filter((hook) => hook.path === '/sip')
    .map((hook) => hook.body.state ?? hook.body.reason_code ?? hook.body.event);
const sessionEvents = (): unknown[] =>
  harness.hooks.filter((hook) => hook.path === '/session').map((hook) => hook.body.event);
const statuses = (): unknown[] =>
  harness.hooks.filter((hook) => hook.path === '/event').map((hook) => hook.body.status ?? hook.body.type);
const disconnect = ({ sessionId, connectionId }: DialledCall): Promise<unknown> =>
  toPromise((done) => harness.opentok.forceDisconnect(sessionId, connectionId, done));

describe('SIP interconnect (contract, section 5)', () => {
  it('parses SIP URIs without resolving them', () => {
    expect(parseSipUri('sip:442079460000@sip.nexmo.com;transport=tls')).toEqual({
      user: '442079460000',
      host: 'sip.nexmo.com',
    });
    expect(parseSipUri('sip:%2B44@sip.nexmo.com:5061')).toEqual({ user: '+44', host: 'sip.nexmo.com' });
    expect(parseSipUri('442079460000')).toBeUndefined();
    expect(parseSipUri('sip:%zz@sip.nexmo.com')).toBeUndefined();
  });

  it('sends connection, stream, DIALING, RINGING and ACTIVE events', async () => {
    const dialled = await dial({ auth: SIP_AUTH, from: '447700900123@example.com' });
    await harness.client.advanceClock(100);
    expect(sessionEvents()).toEqual(['connectionCreated', 'streamCreated']);
    expect(sipEvents()).toEqual(['callCreated', 'DIALING', 'RINGING', 'ACTIVE']);
    const [first] = harness.hooks.filter((hook) => hook.path === '/session');
    expect(first?.body).toMatchObject({
      sessionId: dialled.sessionId,
      projectId: PROJECT,
      connection: { id: dialled.connectionId, data: 'bridge' },
    });
    expect(harness.hooks.find((hook) => hook.path === '/sip')?.body.call).toMatchObject({
      id: dialled.id,
      connectionId: dialled.connectionId,
    });
  });

  it('sends the session id and X- headers, but no X-Nexmo header, to the answer URL', async () => {
    const dialled = await dial({
      auth: SIP_AUTH,
      from: '447700900123@example.com',
      headers: { 'X-Room-Ref': 'Abc', 'X-Nexmo-Secret': 'no', Other: 'no' },
    });
    await harness.client.advanceClock(100);
    const { query } = harness.hooks.find((hook) => hook.path === '/answer') ?? { query: {} };
    expect(query).toMatchObject({
      to: '442079460000',
      from: '447700900123',
      endpoint_type: 'sip',
      'SipHeader_X-OpenTok-SessionId': dialled.sessionId,
      'SipHeader_X-Room-Ref': 'Abc',
    });
    expect(Object.keys(query).join()).not.toMatch(/Nexmo|Other/);
  });

  it('shows +00000000 as caller id without a number', async () => {
    await dial({ auth: SIP_AUTH, from: 'conference@example.com' });
    await harness.client.advanceClock(100);
    expect(harness.hooks.find((hook) => hook.path === '/answer')?.query.from).toBe('+00000000');
  });

  it.each([
    ['a wrong password', { auth: { ...SIP_AUTH, password: 'x' } }, '403'],
    ['no credentials', {}, '401'],
  ])('returns 200 for %s, and destroys the call afterwards', async (_, options, code) => {
    await dial(options);
    await harness.client.advanceClock(100);
    expect(sipEvents()).toEqual(['callCreated', 'DIALING', code]);
    expect(sessionEvents()).toEqual(['connectionCreated', 'streamCreated', 'streamDestroyed', 'connectionDestroyed']);
    expect((await harness.client.ledger()).legs.map((leg) => [leg.kind, leg.answeredAt])).toEqual([
      ['sip-interconnect', undefined],
    ]);
  });

  it.each(['sip:15550000000@sip.nexmo.com', 'sip:442079460000@elsewhere.example'])(
    'destroys a call to %s with 404',
    async (uri) => {
      await dial({ auth: SIP_AUTH }, uri);
      await harness.client.advanceClock(100);
      expect(sipEvents()).toEqual(['callCreated', 'DIALING', '404']);
    },
  );

  it("reaches the application of the account's own SIP domain, with a user of that domain", async () => {
    const users = [{ username: 'partyline', password: 'sip-password' }];
    await harness.client.putConfig({
      sipDomains: [{ domain: 'example.sip-eu.vonage.com', applicationId: APP, users }],
    });
    const uri = 'sip:442079460000@example.sip-eu.vonage.com;transport=tls';
    await dial({ auth: SIP_AUTH }, uri);
    await harness.client.advanceClock(100);
    expect(sipEvents()).toEqual(['callCreated', 'DIALING', '403']);
    harness.hooks.length = 0;
    await dial({ auth: users[0] }, uri);
    await harness.client.advanceClock(100);
    expect(sipEvents()).toEqual(['callCreated', 'DIALING', 'RINGING', 'ACTIVE']);
    expect(harness.hooks.find((hook) => hook.path === '/answer')?.query).toMatchObject({ endpoint_type: 'sip' });
  });

  it('ends the voice leg when the connection of an answered call is disconnected', async () => {
    const dialled = await dial();
    await harness.client.advanceClock(100);
    await disconnect(dialled);
    await harness.client.advanceClock(100);
    expect((await harness.client.ledger()).up).toBe(0);
    expect(sipEvents().slice(-2)).toEqual(['HANGUP', '700']);
    expect(statuses()).toEqual(['started', 'ringing', 'answered', 'transfer', 'completed']);
    expect(harness.hooks.find((hook) => hook.body.event === 'connectionDestroyed')?.body.reason).toBe(
      'forceDisconnected',
    );
  });

  it('ends the connection when the voice leg is hung up', async () => {
    await dial();
    await harness.client.advanceClock(100);
    const [leg] = (await harness.client.ledger({ kind: 'voice-sip' })).legs;
    await harness.vonage.voice.hangupCall(leg?.id ?? '');
    await harness.client.advanceClock(100);
    expect((await harness.client.ledger()).up).toBe(0);
    expect(sipEvents().slice(-2)).toEqual(['HANGUP', '700']);
    expect(sessionEvents().slice(-2)).toEqual(['streamDestroyed', 'connectionDestroyed']);
  });

  it('stays up when the last browser leaves', async () => {
    const dialled = await dial();
    const browser = await harness.client.joinWebrtc({
      sessionId: dialled.sessionId,
      token: harness.opentok.generateToken(dialled.sessionId),
    });
    await harness.client.advanceClock(MINUTE);
    await harness.client.leaveWebrtc(browser.connectionId);
    await harness.client.advanceClock(HOUR);
    expect(
      (await harness.client.ledger()).legs.filter((leg) => leg.endedAt === undefined).map((leg) => leg.kind),
    ).toEqual(['voice-sip', 'sip-interconnect']);
  });

  it('ends after six hours with reason 705', async () => {
    await dial();
    await harness.client.advanceClock(6 * HOUR - MINUTE);
    expect((await harness.client.ledger()).up).toBe(2);
    await harness.client.advanceClock(2 * MINUTE);
    expect((await harness.client.ledger()).up).toBe(0);
    expect(sipEvents().at(-1)).toBe('705');
  });

  it('ends after five minutes without media with reason 704; resumed media restarts the period', async () => {
    const { connectionId } = await dial();
    await harness.client.advanceClock(100);
    await harness.client.setSipMedia(connectionId, false);
    await harness.client.advanceClock(4 * MINUTE);
    await harness.client.setSipMedia(connectionId, true);
    await harness.client.advanceClock(4 * MINUTE);
    expect((await harness.client.ledger()).up).toBe(2);
    await harness.client.setSipMedia(connectionId, false);
    await harness.client.advanceClock(5 * MINUTE);
    expect((await harness.client.ledger()).up).toBe(0);
    expect(sipEvents().at(-1)).toBe('704');
  });

  it('sends DTMF to the voice leg', async () => {
    harness.replies.set('/answer', () => ({
      json: [{ action: 'input', type: ['dtmf'], dtmf: { maxDigits: 2 }, eventUrl: [`${harness.hooksUrl}/dtmf`] }],
    }));
    const { sessionId, connectionId } = await dial();
    await harness.client.advanceClock(100);
    await toPromise((done) => harness.opentok.playDTMF(sessionId, connectionId, '42', done));
    await harness.client.awaitWebhook({ kind: 'input' });
    expect(harness.hooks.find((hook) => hook.path === '/dtmf')?.body.dtmf).toEqual({ digits: '42', timed_out: false });
  });
});

describe('disconnecting while the voice side rings', () => {
  it('closes the video handle only: the voice leg rings until its own timer', async () => {
    const dialled = await dial();
    await disconnect(dialled);
    await harness.client.advanceClock(1_000);
    const [leg] = (await harness.client.ledger({ kind: 'voice-sip' })).legs;
    expect([leg?.answeredAt, leg?.endedAt]).toEqual([undefined, undefined]);
    expect((await harness.client.ledger({ kind: 'sip-interconnect' })).up).toBe(0);
    await harness.client.advanceClock(MINUTE);
    expect((await harness.client.ledger()).up).toBe(0);
    expect(statuses()).toEqual(['started', 'ringing', 'timeout', 'completed']);
  });

  it.each([
    ['before it rings', 3],
    ['during the answer webhook', 10],
  ])('never answers the voice leg when the disconnect comes %s', async (_, afterMs) => {
    await harness.client.setFaults({ webhooks: [{ kind: 'answer', fault: 'delay', delayMs: 5_000 }] });
    const dialled = await dial();
    await harness.client.advanceClock(afterMs);
    await disconnect(dialled);
    await harness.client.advanceClock(10_000);
    expect(await harness.client.ledger({ kind: 'voice-sip' })).toMatchObject({ up: 1, totalMicros: 0 });
    expect(harness.hooks.some((hook) => hook.path === '/answer')).toBe(true);
    await harness.client.advanceClock(MINUTE);
    expect((await harness.client.ledger()).up).toBe(0);
  });

  it('leaves a voice leg that a REST hang-up ends', async () => {
    await disconnect(await dial());
    await harness.client.advanceClock(1_000);
    const [leg] = (await harness.client.ledger({ kind: 'voice-sip' })).legs;
    await harness.vonage.voice.hangupCall(leg?.id ?? '');
    expect((await harness.client.ledger()).up).toBe(0);
  });

  it('cancels the call when behaviour.disconnectCancelsRinging is set', async () => {
    await harness.client.putConfig({ behaviour: { disconnectCancelsRinging: true } });
    await disconnect(await dial());
    await harness.client.advanceClock(1_000);
    expect((await harness.client.ledger()).up).toBe(0);
    await harness.client.putConfig({ behaviour: { disconnectCancelsRinging: false } });
  });
});
