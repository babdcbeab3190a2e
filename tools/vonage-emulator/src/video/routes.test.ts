import OpenTok from 'opentok';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { signHs256 } from '../credentials/jwt.ts';
import {
  APP,
  PROJECT,
  PROJECT_SECRET,
  promised,
  routedSession,
  setStage,
  SIP_AUTH,
  SIP_URI,
  type Stage,
} from '../testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
beforeEach(() => stage.fresh());
afterAll(() => stage.close());

const post = (path: string, headers: Record<string, string>, body?: string): Promise<Response> =>
  fetch(`${stage.emulator.url}${path}`, { method: 'POST', headers, body });

describe('OpenTok REST by the opentok SDK (contract §1)', () => {
  it('creates a routed session that the SDK can make tokens for, in every token form', async () => {
    const { opentok, client } = stage;
    const sessionId = await routedSession(stage);
    for (const token of [
      opentok.generateToken(sessionId),
      opentok.generateToken(sessionId, { data: 'who=ann' }, true),
    ]) {
      const browser = await client.joinWebrtc({ sessionId, token });
      expect(browser.sessionId).toBe(sessionId);
    }
    expect((await client.sessions())[0]?.connections.map((one) => one.data)).toEqual(['', 'who=ann']);
  });

  it('refuses a dial into a relayed session with 409, an unknown one with 404, a wrong secret with 403', async () => {
    const { opentok, client, emulator } = stage;
    const relayed = await promised<{ sessionId: string }>((done) => opentok.createSession({}, done));
    const dial = (sdk: OpenTok, id: string): Promise<unknown> =>
      promised((done) => sdk.dial(id, opentok.generateToken(id), SIP_URI, { auth: SIP_AUTH }, done));
    await expect(dial(opentok, relayed.sessionId)).rejects.toThrow(/Only routed sessions/);
    const routed = await routedSession(stage);
    await client.reset();
    await expect(dial(opentok, routed)).rejects.toThrow(/Not Found/);
    const stranger = new OpenTok(PROJECT, 'not-the-secret', emulator.url);
    await expect(promised((done) => stranger.createSession({}, done))).rejects.toThrow(/Invalid API key or secret/);
    expect((await client.restLog()).map((line) => line.status)).toEqual([404, 403]);
  });

  it('refuses a dial whose token is forged (403) or for another session (400)', async () => {
    const { opentok, client } = stage;
    const [one, other] = [await routedSession(stage), await routedSession(stage)];
    const forger = new OpenTok(PROJECT, 'not-the-secret');
    await expect(promised((done) => opentok.dial(one, forger.generateToken(one), SIP_URI, {}, done))).rejects.toThrow(
      /Invalid API key or secret/,
    );
    await expect(
      promised((done) => opentok.dial(one, opentok.generateToken(other), SIP_URI, {}, done)),
    ).rejects.toThrow(/another session/);
    expect((await client.restLog({ route: 'dial' })).map((line) => line.status)).toEqual([403, 400]);
  });

  it('lists streams, and answers getStream as JSON so that the SDK bug shows (contract §0.4)', async () => {
    const { opentok, client } = stage;
    const sessionId = await routedSession(stage);
    const { streamId } = await client.joinWebrtc({ sessionId, token: opentok.generateToken(sessionId) });
    const streams = await promised<{ id: string }[]>((done) => opentok.listStreams(sessionId, done));
    expect(streams.map((stream) => stream.id)).toEqual([streamId]);
    await expect(promised((done) => opentok.getStream(sessionId, streamId ?? '', done))).rejects.toThrow(
      /not valid JSON/,
    );
  });

  it('disconnects, mutes, signals and records as the SDK expects', async () => {
    const { opentok, client } = stage;
    const sessionId = await routedSession(stage);
    const { connectionId, streamId } = await client.joinWebrtc({ sessionId, token: opentok.generateToken(sessionId) });
    await promised((done) => opentok.signal(sessionId, connectionId, { type: 't', data: 'd' }, done));
    await expect(
      promised((done) => opentok.signal(sessionId, null, { type: 't'.repeat(129), data: '' }, done)),
    ).rejects.toThrow(/Payload too large/);
    await promised((done) => opentok.forceMuteStream(sessionId, streamId ?? '', done));
    await promised((done) => opentok.forceMuteAll(sessionId, { excludedStreams: [] }, done));
    const archive = await promised<{ id: string; status: string }>((done) => opentok.startArchive(sessionId, {}, done));
    expect(archive.status).toBe('started');
    await promised((done) => opentok.stopArchive(archive.id, done));
    await promised((done) => opentok.forceDisconnect(sessionId, connectionId, done));
    await expect(promised((done) => opentok.forceDisconnect(sessionId, connectionId, done))).rejects.toThrow(
      /Session or Connection not found/,
    );
    expect((await client.ledger()).up).toBe(0);
  });

  it('sends registered callbacks for connections', async () => {
    const { opentok, client, hooksUrl } = stage;
    const sessionId = await routedSession(stage);
    await promised((done) =>
      opentok.registerCallback({ group: 'connection', event: 'created', url: `${hooksUrl}/registered` }, done),
    );
    await client.joinWebrtc({ sessionId, token: opentok.generateToken(sessionId) });
    const sent = await client.awaitWebhook({ url: '/registered' });
    expect(sent).toMatchObject({ event: 'connectionCreated', outcome: 'delivered' });
  });

  it('tolerates trailing slashes, empty JSON bodies and strange headers', async () => {
    const { opentok } = stage;
    const sessionId = await routedSession(stage);
    const probe = opentok.generateToken(sessionId);
    expect(probe).toContain('.');
    const auth = (await stage.client.restLog({ route: 'create-session' }))[0]?.headers['x-opentok-auth'] ?? '';
    const strange = { 'x-opentok-auth': auth, headers: '[object Object]', 'content-type': 'application/json' };
    const reply = await post(`/v2/project/${PROJECT}/session/${sessionId}/mute/`, strange, '');
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toMatch(/application\/json/);
    const form = { 'x-opentok-auth': auth, 'content-type': 'application/x-www-form-urlencoded' };
    expect(
      (await post('/session/create/', form, 'archiveMode=manual&location=null&p2p.preference=routed')).status,
    ).toBe(200);
  });

  it("answers 400 to a body it cannot parse and 403 to a path with someone else's key", async () => {
    await routedSession(stage);
    const auth = (await stage.client.restLog({ route: 'create-session' }))[0]?.headers['x-opentok-auth'] ?? '';
    const headers = { 'x-opentok-auth': auth, 'content-type': 'application/json' };
    expect((await post(`/v2/project/${PROJECT}/dial`, headers, '{')).status).toBe(400);
    expect((await post(`/v2/project/${PROJECT}/dial`, headers, '{}')).status).toBe(400);
    expect((await post(`/v2/project/${APP}/dial`, headers, '{}')).status).toBe(403);
    expect((await post(`/v2/project/${PROJECT}/dial`, {}, '{}')).status).toBe(403);
  });
});

describe('unified Video by @vonage/server-sdk (contract §2)', () => {
  it('creates, joins, dials, mutes with an empty body, and disconnects', async () => {
    const { vonage, client, on } = stage;
    on.set('/answer', () => ({ json: [{ action: 'conversation', name: 'v' }] }));
    const { sessionId } = await vonage.video.createSession();
    const browser = await client.joinWebrtc({
      sessionId,
      token: vonage.video.generateClientToken(sessionId, { data: 'x' }),
    });
    await vonage.video.muteStream(sessionId, browser.streamId ?? '');
    expect((await client.sessions())[0]?.connections[0]?.muted).toBe(true);
    const call = await vonage.video.initiateSIPCall(sessionId, {
      token: vonage.video.generateClientToken(sessionId),
      sip: { uri: SIP_URI, auth: SIP_AUTH },
    });
    await client.awaitLegsUp(1, { conversation: 'v' });
    await vonage.video.disconnectClient(sessionId, call.connectionId);
    await client.awaitLegsUp(0, { kind: 'voice-sip' });
    await vonage.video.disconnectClient(sessionId, browser.connectionId);
    expect((await client.ledger()).up).toBe(0);
  });

  it('runs the opentok SDK in its unified mode too', async () => {
    const { keys } = await import('../testing/test-harness.ts');
    const unified = new OpenTok(APP, keys.privateKey, stage.emulator.url);
    const { sessionId } = await promised<{ sessionId: string }>((done) =>
      unified.createSession({ mediaMode: 'routed' }, done),
    );
    await stage.client.joinWebrtc({ sessionId, token: unified.generateToken(sessionId) });
    expect((await stage.client.sessions())[0]?.account).toBe(APP);
  });

  it('answers 401 to a Bearer token by another key', async () => {
    const { generateKeyPairSync } = await import('node:crypto');
    const foreign = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    const unified = new OpenTok(APP, foreign.privateKey, stage.emulator.url);
    await expect(promised((done) => unified.createSession({}, done))).rejects.toThrow(/Invalid API key or secret/);
    expect((await stage.client.restLog())[0]?.status).toBe(401);
  });
});

describe('client tokens', () => {
  it('are refused when forged, or for another session', async () => {
    const { opentok, client } = stage;
    const [one, other] = [await routedSession(stage), await routedSession(stage)];
    const forger = new OpenTok(PROJECT, `${PROJECT_SECRET}x`);
    for (const token of [
      forger.generateToken(one),
      forger.generateToken(one, {}, true),
      opentok.generateToken(other),
      'rubbish',
    ]) {
      await expect(client.joinWebrtc({ sessionId: one, token })).rejects.toMatchObject({ status: 403 });
    }
    expect((await client.ledger()).legs).toEqual([]);
  });

  it('are refused when they have expired, and so are REST tokens', async () => {
    const sessionId = await routedSession(stage);
    const now = Math.floor(Date.now() / 1000);
    const clientToken = (exp: number): string =>
      signHs256(
        { iss: PROJECT, ist: 'project', scope: 'session.connect', session_id: sessionId, iat: now - 100, exp },
        PROJECT_SECRET,
      );
    await expect(stage.client.joinWebrtc({ sessionId, token: clientToken(now - 1) })).rejects.toMatchObject({
      status: 403,
    });
    await stage.client.joinWebrtc({ sessionId, token: clientToken(now + 60) });
    const create = async (exp: number): Promise<number> =>
      (
        await post('/session/create', {
          'x-opentok-auth': signHs256({ iss: PROJECT, ist: 'project', exp }, PROJECT_SECRET),
        })
      ).status;
    expect([await create(now - 1), await create(now + 60)]).toEqual([403, 200]);
  });
});
