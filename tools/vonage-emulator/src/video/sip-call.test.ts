import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PROJECT, promised, routedSession, setStage, SIP_AUTH, SIP_URI, type Stage } from '../testing/test-harness.ts';
import { parseSipUri } from './sip-call.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
let stage: Stage;
beforeAll(async () => {
  stage = await setStage({ clock: 'virtual' });
});
beforeEach(() => {
  stage.on.set('/answer', () => ({ json: [{ action: 'conversation', name: 'room' }] }));
});
afterEach(() => stage.fresh());
afterAll(() => stage.close());

interface Dialled {
  sessionId: string;
  connectionId: string;
  id: string;
}

async function dial(options: object = { auth: SIP_AUTH }, uri = SIP_URI): Promise<Dialled> {
  const sessionId = await routedSession(stage);
  const reply = await promised<{ id: string; connectionId: string }>((done) =>
    stage.opentok.dial(sessionId, stage.opentok.generateToken(sessionId, { data: 'bridge' }), uri, options, done),
  );
  return { sessionId, ...reply };
}

const sipEvents = (): unknown[] =>
  stage.hooks
    .filter((hook) => hook.path === '/sip')
    .map((hook) => hook.body.state ?? hook.body.reason_code ?? hook.body.event);
const sessionEvents = (): unknown[] =>
  stage.hooks.filter((hook) => hook.path === '/session').map((hook) => hook.body.event);
const statuses = (): unknown[] =>
  stage.hooks.filter((hook) => hook.path === '/event').map((hook) => hook.body.status ?? hook.body.type);
const disconnect = ({ sessionId, connectionId }: Dialled): Promise<unknown> =>
  promised((done) => stage.opentok.forceDisconnect(sessionId, connectionId, done));

describe('SIP interconnect (contract §5)', () => {
  it('parses SIP URIs without resolving them', () => {
    expect(parseSipUri('sip:442079460000@sip.nexmo.com;transport=tls')).toEqual({
      user: '442079460000',
      host: 'sip.nexmo.com',
    });
    expect(parseSipUri('sip:%2B44@sip.nexmo.com:5061')).toEqual({ user: '+44', host: 'sip.nexmo.com' });
    expect(parseSipUri('442079460000')).toBeUndefined();
  });

  it('tells the whole story: connection, stream, DIALING, RINGING, ACTIVE', async () => {
    const dialled = await dial({ auth: SIP_AUTH, from: '447700900123@example.com' });
    await stage.client.advanceClock(100);
    expect(sessionEvents()).toEqual(['connectionCreated', 'streamCreated']);
    expect(sipEvents()).toEqual(['callCreated', 'DIALING', 'RINGING', 'ACTIVE']);
    const [first] = stage.hooks.filter((hook) => hook.path === '/session');
    expect(first?.body).toMatchObject({
      sessionId: dialled.sessionId,
      projectId: PROJECT,
      connection: { id: dialled.connectionId, data: 'bridge' },
    });
    expect(stage.hooks.find((hook) => hook.path === '/sip')?.body.call).toMatchObject({
      id: dialled.id,
      connectionId: dialled.connectionId,
    });
  });

  it('asks the answer URL with the SIP headers: session id, X- headers, never X-Nexmo', async () => {
    const dialled = await dial({
      auth: SIP_AUTH,
      from: '447700900123@example.com',
      headers: { 'X-Room-Ref': 'Abc', 'X-Nexmo-Secret': 'no', Other: 'no' },
    });
    await stage.client.advanceClock(100);
    const { query } = stage.hooks.find((hook) => hook.path === '/answer') ?? { query: {} };
    expect(query).toMatchObject({
      to: '442079460000',
      from: '447700900123',
      endpoint_type: 'sip',
      'SipHeader_X-OpenTok-SessionId': dialled.sessionId,
      'SipHeader_X-Room-Ref': 'Abc',
    });
    expect(Object.keys(query).join()).not.toMatch(/Nexmo|Other/);
  });

  it('shows +00000000 when there is no number to show', async () => {
    await dial({ auth: SIP_AUTH, from: 'conference@example.com' });
    await stage.client.advanceClock(100);
    expect(stage.hooks.find((hook) => hook.path === '/answer')?.query.from).toBe('+00000000');
  });

  it.each([
    ['a wrong password', { auth: { ...SIP_AUTH, password: 'x' } }, '403'],
    ['no credentials', {}, '401'],
  ])('answers 200 to %s, and destroys the call after', async (_, options, code) => {
    await dial(options);
    await stage.client.advanceClock(100);
    expect(sipEvents()).toEqual(['callCreated', 'DIALING', code]);
    expect(sessionEvents()).toEqual(['connectionCreated', 'streamCreated', 'streamDestroyed', 'connectionDestroyed']);
    expect((await stage.client.ledger()).legs.map((leg) => [leg.kind, leg.answeredAt])).toEqual([
      ['sip-interconnect', undefined],
    ]);
  });

  it.each(['sip:15550000000@sip.nexmo.com', 'sip:442079460000@elsewhere.example'])(
    'destroys a call to %s with 404',
    async (uri) => {
      await dial({ auth: SIP_AUTH }, uri);
      await stage.client.advanceClock(100);
      expect(sipEvents()).toEqual(['callCreated', 'DIALING', '404']);
    },
  );

  it('ends the voice leg when the connection of an answered call is disconnected', async () => {
    const dialled = await dial();
    await stage.client.advanceClock(100);
    await disconnect(dialled);
    await stage.client.advanceClock(100);
    expect((await stage.client.ledger()).up).toBe(0);
    expect(sipEvents().slice(-2)).toEqual(['HANGUP', '700']);
    expect(statuses()).toEqual(['started', 'ringing', 'answered', 'transfer', 'completed']);
    expect(stage.hooks.find((hook) => hook.body.event === 'connectionDestroyed')?.body.reason).toBe(
      'forceDisconnected',
    );
  });

  it('ends the connection when the voice leg is hung up', async () => {
    await dial();
    await stage.client.advanceClock(100);
    const [leg] = (await stage.client.ledger({ kind: 'voice-sip' })).legs;
    await stage.vonage.voice.hangupCall(leg?.id ?? '');
    await stage.client.advanceClock(100);
    expect((await stage.client.ledger()).up).toBe(0);
    expect(sipEvents().slice(-2)).toEqual(['HANGUP', '700']);
    expect(sessionEvents().slice(-2)).toEqual(['streamDestroyed', 'connectionDestroyed']);
  });

  it('stays up when the last browser leaves: nothing but a hang-up ends it', async () => {
    const dialled = await dial();
    const browser = await stage.client.joinWebrtc({
      sessionId: dialled.sessionId,
      token: stage.opentok.generateToken(dialled.sessionId),
    });
    await stage.client.advanceClock(MINUTE);
    await stage.client.leaveWebrtc(browser.connectionId);
    await stage.client.advanceClock(HOUR);
    expect(
      (await stage.client.ledger()).legs.filter((leg) => leg.endedAt === undefined).map((leg) => leg.kind),
    ).toEqual(['voice-sip', 'sip-interconnect']);
  });

  it('ends after six hours, reason 705', async () => {
    await dial();
    await stage.client.advanceClock(6 * HOUR - MINUTE);
    expect((await stage.client.ledger()).up).toBe(2);
    await stage.client.advanceClock(2 * MINUTE);
    expect((await stage.client.ledger()).up).toBe(0);
    expect(sipEvents().at(-1)).toBe('705');
  });

  it('ends after five minutes without media, reason 704; media in between saves it', async () => {
    const { connectionId } = await dial();
    await stage.client.advanceClock(100);
    await stage.client.setSipMedia(connectionId, false);
    await stage.client.advanceClock(4 * MINUTE);
    await stage.client.setSipMedia(connectionId, true);
    await stage.client.advanceClock(4 * MINUTE);
    expect((await stage.client.ledger()).up).toBe(2);
    await stage.client.setSipMedia(connectionId, false);
    await stage.client.advanceClock(5 * MINUTE);
    expect((await stage.client.ledger()).up).toBe(0);
    expect(sipEvents().at(-1)).toBe('704');
  });

  it('plays DTMF through to the voice leg', async () => {
    stage.on.set('/answer', () => ({
      json: [{ action: 'input', type: ['dtmf'], dtmf: { maxDigits: 2 }, eventUrl: [`${stage.hooksUrl}/dtmf`] }],
    }));
    const { sessionId, connectionId } = await dial();
    await stage.client.advanceClock(100);
    await promised((done) => stage.opentok.playDTMF(sessionId, connectionId, '42', done));
    await stage.client.awaitWebhook({ kind: 'input' });
    expect(stage.hooks.find((hook) => hook.path === '/dtmf')?.body.dtmf).toEqual({ digits: '42', timed_out: false });
  });
});

describe('disconnecting while the voice side still rings (design §2)', () => {
  it('closes the video handle only: the voice leg rings on until its own timer', async () => {
    const dialled = await dial();
    await disconnect(dialled);
    await stage.client.advanceClock(1_000);
    const [leg] = (await stage.client.ledger({ kind: 'voice-sip' })).legs;
    expect([leg?.answeredAt, leg?.endedAt]).toEqual([undefined, undefined]);
    expect((await stage.client.ledger({ kind: 'sip-interconnect' })).up).toBe(0);
    await stage.client.advanceClock(MINUTE);
    expect((await stage.client.ledger()).up).toBe(0);
    expect(statuses()).toEqual(['started', 'ringing', 'timeout', 'completed']);
  });

  it.each([
    ['before it rings', 3],
    ['while the answer webhook is under way', 10],
  ])('is never answered when let go of %s', async (_, afterMs) => {
    await stage.client.setFaults({ webhooks: [{ kind: 'answer', fault: 'delay', delayMs: 5_000 }] });
    const dialled = await dial();
    await stage.client.advanceClock(afterMs);
    await disconnect(dialled);
    await stage.client.advanceClock(10_000);
    expect(await stage.client.ledger({ kind: 'voice-sip' })).toMatchObject({ up: 1, totalMicros: 0 });
    expect(stage.hooks.some((hook) => hook.path === '/answer')).toBe(true);
    await stage.client.advanceClock(MINUTE);
    expect((await stage.client.ledger()).up).toBe(0);
  });

  it('is closed by a REST hang-up of the voice leg', async () => {
    await disconnect(await dial());
    await stage.client.advanceClock(1_000);
    const [leg] = (await stage.client.ledger({ kind: 'voice-sip' })).legs;
    await stage.vonage.voice.hangupCall(leg?.id ?? '');
    expect((await stage.client.ledger()).up).toBe(0);
  });

  it('cancels the call as well when behaviour.disconnectCancelsRinging is set', async () => {
    await stage.client.putConfig({ behaviour: { disconnectCancelsRinging: true } });
    await disconnect(await dial());
    await stage.client.advanceClock(1_000);
    expect((await stage.client.ledger()).up).toBe(0);
    await stage.client.putConfig({ behaviour: { disconnectCancelsRinging: false } });
  });
});
