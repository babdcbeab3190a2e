import OpenTok from 'opentok';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { signHs256 } from '../credentials/jwt.ts';
import {
  APP,
  applicationKeys,
  PROJECT,
  PROJECT_SECRET,
  toPromise,
  createRoutedSession,
  startTestHarness,
  SIP_AUTH,
  SIP_URI,
  type Harness,
} from '../testing/test-harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness();
});
beforeEach(() => harness.reset());
afterAll(() => harness.close());

const post = (path: string, headers: Record<string, string>, body?: string): Promise<Response> =>
  fetch(`${harness.emulator.url}${path}`, { method: 'POST', headers, body });

describe('OpenTok REST by the opentok SDK (contract, section 1)', () => {
  it('creates a routed session and accepts both token forms of the SDK', async () => {
    const { opentok, client } = harness;
    const sessionId = await createRoutedSession(harness);
    for (const token of [
      opentok.generateToken(sessionId),
      opentok.generateToken(sessionId, { data: 'who=ann' }, true),
    ]) {
      const browser = await client.joinWebrtc({ sessionId, token });
      expect(browser.sessionId).toBe(sessionId);
    }
    expect((await client.sessions())[0]?.connections.map((one) => one.data)).toEqual(['', 'who=ann']);
  });

  it('rejects a dial: relayed session 409, unknown session 404, wrong secret 403', async () => {
    const { opentok, client, emulator } = harness;
    const relayed = await toPromise<{ sessionId: string }>((done) => opentok.createSession({}, done));
    const dial = (sdk: OpenTok, id: string): Promise<unknown> =>
      toPromise((done) => sdk.dial(id, opentok.generateToken(id), SIP_URI, { auth: SIP_AUTH }, done));
    await expect(dial(opentok, relayed.sessionId)).rejects.toThrow(/Only routed sessions/);
    const routed = await createRoutedSession(harness);
    await client.reset();
    await expect(dial(opentok, routed)).rejects.toThrow(/Not Found/);
    const stranger = new OpenTok(PROJECT, 'not-the-secret', emulator.url);
    await expect(toPromise((done) => stranger.createSession({}, done))).rejects.toThrow(/Invalid API key or secret/);
    expect((await client.restLog()).map((line) => line.status)).toEqual([404, 403]);
  });

  it('rejects a dial with a forged token (403) or a token for another session (400)', async () => {
    const { opentok, client } = harness;
    const [one, other] = [await createRoutedSession(harness), await createRoutedSession(harness)];
    const forger = new OpenTok(PROJECT, 'not-the-secret');
    await expect(toPromise((done) => opentok.dial(one, forger.generateToken(one), SIP_URI, {}, done))).rejects.toThrow(
      /Invalid API key or secret/,
    );
    await expect(
      toPromise((done) => opentok.dial(one, opentok.generateToken(other), SIP_URI, {}, done)),
    ).rejects.toThrow(/another session/);
    expect((await client.restLog({ route: 'dial' })).map((line) => line.status)).toEqual([403, 400]);
  });

  it('lists streams, and returns JSON for getStream, which exposes the SDK bug (contract, section 0.4)', async () => {
    const { opentok, client } = harness;
    const sessionId = await createRoutedSession(harness);
    const { streamId } = await client.joinWebrtc({ sessionId, token: opentok.generateToken(sessionId) });
    const streams = await toPromise<{ id: string }[]>((done) => opentok.listStreams(sessionId, done));
    expect(streams.map((stream) => stream.id)).toEqual([streamId]);
    await expect(toPromise((done) => opentok.getStream(sessionId, streamId ?? '', done))).rejects.toThrow(
      /not valid JSON/,
    );
  });

  it('lists connections in pages, without data, and with all three states by a switch', async () => {
    const { opentok, client, emulator } = harness;
    const sessionId = await createRoutedSession(harness);
    const token = opentok.generateToken(sessionId, { data: 'who=ann' });
    const [publishing, watching, gone] = [
      await client.joinWebrtc({ sessionId, token }),
      await client.joinWebrtc({ sessionId, token, publish: false }),
      await client.joinWebrtc({ sessionId, token }),
    ];
    await client.leaveWebrtc(gone.connectionId);
    const auth = (await client.restLog({ route: 'create-session' }))[0]?.headers['x-opentok-auth'] ?? '';
    const list = async (query = ''): Promise<{ count: number; items: { connectionId: string }[] }> =>
      (await (
        await fetch(`${emulator.url}/v2/project/${PROJECT}/session/${sessionId}/connection${query}`, {
          headers: { 'x-opentok-auth': auth },
        })
      ).json()) as never;
    const item = ({ connectionId, createdAt }: typeof gone, connectionState: string): object => ({
      connectionId,
      connectionState,
      createdAt,
    });
    expect(await list()).toMatchObject({
      count: 2,
      items: [item(publishing, 'Connected'), item(watching, 'Connected')],
    });
    expect((await list()).items.some((one) => 'data' in one)).toBe(false);
    expect(await list('?offset=1&count=1')).toMatchObject({ count: 2, items: [item(watching, 'Connected')] });
    await client.setFaults({ switches: { listCount: 'page' } });
    expect((await list('?offset=1&count=1')).count).toBe(1);
    await client.setFaults({ switches: { connectionStates: 'all' } });
    expect(await list()).toMatchObject({
      count: 3,
      items: [item(publishing, 'Connected'), item(watching, 'Connecting'), item(gone, 'Disconnected')],
    });
  });

  it('disconnects, mutes, signals and records as the SDK expects', async () => {
    const { opentok, client } = harness;
    const sessionId = await createRoutedSession(harness);
    const { connectionId, streamId } = await client.joinWebrtc({ sessionId, token: opentok.generateToken(sessionId) });
    await toPromise((done) => opentok.signal(sessionId, connectionId, { type: 't', data: 'd' }, done));
    await expect(
      toPromise((done) => opentok.signal(sessionId, null, { type: 't'.repeat(129), data: '' }, done)),
    ).rejects.toThrow(/Payload too large/);
    await toPromise((done) => opentok.forceMuteStream(sessionId, streamId ?? '', done));
    await toPromise((done) => opentok.forceMuteAll(sessionId, { excludedStreams: [] }, done));
    const archive = await toPromise<{ id: string; status: string }>((done) =>
      opentok.startArchive(sessionId, {}, done),
    );
    expect(archive.status).toBe('started');
    await toPromise((done) => opentok.stopArchive(archive.id, done));
    await toPromise((done) => opentok.forceDisconnect(sessionId, connectionId, done));
    await expect(toPromise((done) => opentok.forceDisconnect(sessionId, connectionId, done))).rejects.toThrow(
      /Session or Connection not found/,
    );
    expect((await client.ledger()).up).toBe(0);
  });

  it('sends registered callbacks for connections', async () => {
    const { opentok, client, hooksUrl } = harness;
    const sessionId = await createRoutedSession(harness);
    await toPromise((done) =>
      opentok.registerCallback({ group: 'connection', event: 'created', url: `${hooksUrl}/registered` }, done),
    );
    await client.joinWebrtc({ sessionId, token: opentok.generateToken(sessionId) });
    const sent = await client.awaitWebhook({ url: '/registered' });
    expect(sent).toMatchObject({ event: 'connectionCreated', outcome: 'delivered' });
  });

  it('accepts trailing slashes, empty JSON bodies and unknown headers', async () => {
    const { opentok } = harness;
    const sessionId = await createRoutedSession(harness);
    const probe = opentok.generateToken(sessionId);
    expect(probe).toContain('.');
    const auth = (await harness.client.restLog({ route: 'create-session' }))[0]?.headers['x-opentok-auth'] ?? '';
    const strange = { 'x-opentok-auth': auth, headers: '[object Object]', 'content-type': 'application/json' };
    const reply = await post(`/v2/project/${PROJECT}/session/${sessionId}/mute/`, strange, '');
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toMatch(/application\/json/);
    const form = { 'x-opentok-auth': auth, 'content-type': 'application/x-www-form-urlencoded' };
    expect(
      (await post('/session/create/', form, 'archiveMode=manual&location=null&p2p.preference=routed')).status,
    ).toBe(200);
  });

  it('returns 400 for an invalid body and 403 for a path with the key of another account', async () => {
    await createRoutedSession(harness);
    const auth = (await harness.client.restLog({ route: 'create-session' }))[0]?.headers['x-opentok-auth'] ?? '';
    const headers = { 'x-opentok-auth': auth, 'content-type': 'application/json' };
    expect((await post(`/v2/project/${PROJECT}/dial`, headers, '{')).status).toBe(400);
    expect((await post(`/v2/project/${PROJECT}/dial`, headers, '{}')).status).toBe(400);
    expect((await post(`/v2/project/${APP}/dial`, headers, '{}')).status).toBe(403);
    expect((await post(`/v2/project/${PROJECT}/dial`, {}, '{}')).status).toBe(403);
  });
});

describe('unified Video by @vonage/server-sdk (contract, section 2)', () => {
  it('creates, joins, dials, mutes with an empty body, and disconnects', async () => {
    const { vonage, client, replies } = harness;
    replies.set('/answer', () => ({ json: [{ action: 'conversation', name: 'v' }] }));
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

  it('supports the unified mode of the opentok SDK', async () => {
    const unified = new OpenTok(APP, applicationKeys.privateKey, harness.emulator.url);
    const { sessionId } = await toPromise<{ sessionId: string }>((done) =>
      unified.createSession({ mediaMode: 'routed' }, done),
    );
    await harness.client.joinWebrtc({ sessionId, token: unified.generateToken(sessionId) });
    expect((await harness.client.sessions())[0]?.account).toBe(APP);
  });

  it('returns 401 for a Bearer token signed by another key', async () => {
    const { generateKeyPairSync } = await import('node:crypto');
    const foreign = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    const unified = new OpenTok(APP, foreign.privateKey, harness.emulator.url);
    await expect(toPromise((done) => unified.createSession({}, done))).rejects.toThrow(/Invalid API key or secret/);
    expect((await harness.client.restLog())[0]?.status).toBe(401);
  });
});

describe('client tokens', () => {
  it('are rejected when they are forged or for another session', async () => {
    const { opentok, client } = harness;
    const [one, other] = [await createRoutedSession(harness), await createRoutedSession(harness)];
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

  it('are rejected when they have expired, as are REST tokens', async () => {
    const sessionId = await createRoutedSession(harness);
    const now = Math.floor(Date.now() / 1000);
    const clientToken = (exp: number): string =>
      signHs256(
        { iss: PROJECT, ist: 'project', scope: 'session.connect', session_id: sessionId, iat: now - 100, exp },
        PROJECT_SECRET,
      );
    await expect(harness.client.joinWebrtc({ sessionId, token: clientToken(now - 1) })).rejects.toMatchObject({
      status: 403,
    });
    await harness.client.joinWebrtc({ sessionId, token: clientToken(now + 60) });
    const create = async (exp: number): Promise<number> =>
      (
        await post('/session/create', {
          'x-opentok-auth': signHs256({ iss: PROJECT, ist: 'project', exp }, PROJECT_SECRET),
        })
      ).status;
    expect([await create(now - 1), await create(now + 60)]).toEqual([403, 200]);
  });
});
