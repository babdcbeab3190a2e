import { generateKeyPairSync } from 'node:crypto';
import { Vonage } from '@vonage/server-sdk';
import { verifySignature } from '@vonage/jwt';
import OpenTok from 'opentok';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { NewAccount } from './accounts.ts';
import { decodeClaims, signHs256 } from './credentials/jwt.ts';
import {
  ACCOUNT,
  APP,
  NUMBER,
  PROJECT,
  PROJECT_SECRET,
  toPromise,
  startTestHarness,
  SIP_AUTH,
  type Hook,
  type Harness,
} from './testing/test-harness.ts';

const OWN_NUMBER = '442079460100';
const keys = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const OWN = {
  apiKey: 'own12345',
  apiSecret: 'own-secret',
  signatureSecret: 'own-signature-secret',
  callbackSecret: 'own-callback-secret',
  application: { id: 'a1b2c3d4-0000-4000-8000-000000000002', publicKey: keys.publicKey },
  project: { apiKey: '46000002', apiSecret: 'own-project-secret' },
  numbers: [`+${OWN_NUMBER}`],
} satisfies NewAccount;
const OWN_AUTH = { username: OWN.apiKey, password: OWN.apiSecret };

let harness: Harness;
let own: { vonage: Vonage; opentok: OpenTok };
beforeAll(async () => {
  harness = await startTestHarness({ clock: 'virtual' });
  const { url } = harness.emulator;
  own = {
    vonage: new Vonage(
      { apiKey: OWN.apiKey, apiSecret: OWN.apiSecret, applicationId: OWN.application.id, privateKey: keys.privateKey },
      { apiHost: url, videoHost: url },
    ),
    opentok: new OpenTok(OWN.project.apiKey, OWN.project.apiSecret, url),
  };
  await harness.client.addAccount(OWN);
});
beforeEach(async () => {
  await harness.client.setCallbacks(OWN, {
    answerUrl: `${harness.hooksUrl}/own/answer`,
    eventUrl: `${harness.hooksUrl}/own/event`,
    videoUrl: `${harness.hooksUrl}/own/video`,
  });
  for (const path of ['/answer', '/own/answer'])
    harness.replies.set(path, () => ({ json: [{ action: 'conversation', name: 'room' }] }));
});
afterEach(() => harness.reset());
afterAll(() => harness.close());

const bearer = (hook: Hook | undefined): string => (hook?.headers.authorization ?? '').replace('Bearer ', '');
const settle = (): Promise<unknown> => harness.client.advanceClock(100);
const dial = (to: string) => harness.client.dial({ from: '447700900001', to });
const call = (vonage: Vonage): Promise<{ uuid: string }> =>
  vonage.voice.createOutboundCall({
    to: [{ type: 'phone', number: '447700900200' }],
    from: { type: 'phone', number: NUMBER },
    ncco: [{ action: 'conversation', name: 'room' }],
  } as never);
const requestStatus = (request: Promise<unknown>): Promise<number> =>
  request.then(
    () => 200,
    (error: { response?: { status: number }; status?: number; statusCode?: number }) =>
      error.response?.status ?? error.status ?? 0,
  );
const createSession = async (opentok: OpenTok): Promise<string> =>
  (await toPromise<{ sessionId: string }>((done) => opentok.createSession({ mediaMode: 'routed' }, done))).sessionId;

/** Built by hand: the SDK refuses to create a token for a session of another project. */
const foreignToken = (session_id: string): string =>
  signHs256(
    { iss: PROJECT, ist: 'project', scope: 'session.connect', session_id, role: 'publisher', exp: 4_102_444_800 },
    PROJECT_SECRET,
  );

describe('webhooks with several accounts', () => {
  it('signs voice webhooks with the secret and the key of the called account', async () => {
    await dial(NUMBER);
    await dial(OWN_NUMBER);
    await settle();
    for (const [path, { apiKey, signatureSecret }, application_id] of [
      ['/event', ACCOUNT, APP],
      ['/own/event', OWN, OWN.application.id],
    ] as const) {
      const token = bearer(harness.hooks.find((hook) => hook.path === path));
      expect(decodeClaims(token)).toMatchObject({ api_key: apiKey, application_id });
      expect([ACCOUNT, OWN].map((account) => verifySignature(token, account.signatureSecret))).toEqual(
        [ACCOUNT, OWN].map((account) => account.signatureSecret === signatureSecret),
      );
    }
    expect(
      harness.hooks.filter((hook) => hook.path.endsWith('/answer')).map((hook) => [hook.path, hook.method]),
    ).toEqual([
      ['/answer', 'GET'],
      ['/own/answer', 'POST'],
    ]);
  });

  it('signs video callbacks with the key of the account that owns the project or application', async () => {
    const [legacy, { sessionId: unified }] = [await createSession(own.opentok), await own.vonage.video.createSession()];
    await harness.client.joinWebrtc({ sessionId: legacy, token: own.opentok.generateToken(legacy), publish: false });
    await harness.client.joinWebrtc({
      sessionId: unified,
      token: own.vonage.video.generateClientToken(unified),
      publish: false,
    });
    await settle();
    const hooks = harness.hooks.filter((hook) => hook.path === '/own/video');
    expect(hooks.map((hook) => [hook.body.projectId, decodeClaims(bearer(hook))?.api_key])).toEqual([
      [OWN.project.apiKey, OWN.apiKey],
      [OWN.application.id, OWN.apiKey],
    ]);
    expect(hooks.every((hook) => verifySignature(bearer(hook), OWN.callbackSecret))).toBe(true);
  });

  it('signs with a rotated secret and keeps the callback addresses', async () => {
    await harness.client.addAccount({ ...OWN, signatureSecret: 'rotated' });
    await dial(OWN_NUMBER);
    await settle();
    expect(verifySignature(bearer(harness.hooks.find((hook) => hook.path === '/own/event')), 'rotated')).toBe(true);
    await harness.client.addAccount(OWN);
  });
});

describe('SIP dials with several accounts', () => {
  it.each([
    ['credentials of the additional account for its own number', OWN_NUMBER, OWN_AUTH, 'ACTIVE'],
    ['credentials of the first account for its own number', NUMBER, SIP_AUTH, 'ACTIVE'],
    ["credentials of the first account for the additional account's number", OWN_NUMBER, SIP_AUTH, '403'],
    ["credentials of the additional account for the first account's number", NUMBER, OWN_AUTH, '403'],
    ['credentials of any account for an unlinked number', '15550000000', OWN_AUTH, '404'],
  ])('checks %s', async (_, number, auth, outcome) => {
    const sessionId = await createSession(own.opentok);
    await toPromise((done) =>
      own.opentok.dial(sessionId, own.opentok.generateToken(sessionId), `sip:${number}@sip.nexmo.com`, { auth }, done),
    );
    await settle();
    const outcomes = harness.hooks
      .filter((hook) => hook.path === '/own/video')
      .map(({ body }) => body.state ?? body.reason_code)
      .filter((one) => one !== undefined);
    expect(outcomes.at(-1)).toBe(outcome);
  });

  it('rejects a token of another project', async () => {
    const sessionId = await createSession(own.opentok);
    expect(
      await requestStatus(
        toPromise((done) =>
          own.opentok.dial(
            sessionId,
            foreignToken(sessionId),
            `sip:${OWN_NUMBER}@sip.nexmo.com`,
            { auth: OWN_AUTH },
            done,
          ),
        ),
      ),
    ).not.toBe(200);
    expect((await harness.client.ledger()).legs).toEqual([]);
  });
});

describe('isolation between accounts', () => {
  it('returns 404 for calls of another account and omits them from the list', async () => {
    const mine = await call(own.vonage);
    await settle();
    const { voice } = harness.vonage;
    const statuses = await Promise.all(
      [
        voice.getCall(mine.uuid),
        voice.hangupCall(mine.uuid),
        voice.muteCall(mine.uuid),
        voice.playDTMF(mine.uuid, '1'),
      ].map(requestStatus),
    );
    expect(statuses).toEqual([404, 404, 404, 404]);
    expect((await voice.search({})).count).toBe(0);
    expect((await own.vonage.voice.search({})).count).toBe(1);
    expect((await harness.client.ledger()).legs).toMatchObject([
      { account: OWN.application.id, accountKey: OWN.apiKey },
    ]);
    await own.vonage.voice.hangupCall(mine.uuid);
    expect((await harness.client.ledger()).up).toBe(0);
  });

  it('separates conversations of the same name, and filters the ledger by account key', async () => {
    await dial(NUMBER);
    await dial(OWN_NUMBER);
    await settle();
    expect(
      (await harness.client.conversations()).map((room) => [room.applicationId, room.name, room.members.length]),
    ).toEqual([
      [APP, 'room', 1],
      [OWN.application.id, 'room', 1],
    ]);
    expect((await harness.client.ledger({ accountKey: OWN.apiKey })).legs.map(({ to }) => to)).toEqual([OWN_NUMBER]);
    expect((await harness.client.ledger({ accountKey: ACCOUNT.apiKey })).legs.map(({ to }) => to)).toEqual([NUMBER]);
  });

  it('returns 404 for sessions of another account and rejects its tokens', async () => {
    const sessionId = await createSession(own.opentok);
    await expect(harness.client.joinWebrtc({ sessionId, token: foreignToken(sessionId) })).rejects.toMatchObject({
      status: 403,
    });
    await expect(toPromise((done) => harness.opentok.listStreams(sessionId, done))).rejects.toThrow();
    await toPromise((done) => own.opentok.listStreams(sessionId, done));
    expect(
      (await harness.client.restLog({ route: 'list-streams' })).map(({ account, status: answered }) => [
        account,
        answered,
      ]),
    ).toEqual([
      [PROJECT, 404],
      [OWN.project.apiKey, 200],
    ]);
    expect(await harness.client.restLog({ route: 'list-streams', account: OWN.project.apiKey })).toHaveLength(1);
  });

  it('counts rate limits per account', async () => {
    await harness.client.putConfig({ limits: { enabled: true } });
    const createThreeCalls = (vonage: Vonage): Promise<number[]> =>
      Promise.all(Array.from({ length: 3 }, () => requestStatus(call(vonage))));
    expect([await createThreeCalls(harness.vonage), await createThreeCalls(own.vonage)].flat()).toEqual(
      Array.from({ length: 6 }, () => 200),
    );
    expect([await requestStatus(call(harness.vonage)), await requestStatus(call(own.vonage))]).toEqual([429, 429]);
    const getUnknownCall = (vonage: Vonage, times: number): Promise<number[]> =>
      Promise.all(Array.from({ length: times }, () => requestStatus(vonage.voice.getCall('x'))));
    expect((await getUnknownCall(own.vonage, 16)).filter((one) => one === 429)).toHaveLength(1);
    expect(await getUnknownCall(harness.vonage, 1)).toEqual([404]);
    await harness.client.putConfig({ limits: { enabled: false } });
  });
});

describe('configuration of several accounts', () => {
  it.each([
    [
      'an application of an unknown account',
      { applications: [{ id: APP, account: 'unknown' }] },
      /applications.*unknown is not the apiKey of a configured account/,
    ],
    [
      'a project of an unknown account',
      { projects: [{ apiKey: PROJECT, account: 'unknown' }] },
      /projects.*unknown is not the apiKey of a configured account/,
    ],
    ['a duplicate account', { accounts: [{ ...ACCOUNT }] }, /acc12345 is configured twice/],
    ['an incomplete account', { accounts: [{ apiKey: 'half' }] }, /apiSecret/],
  ])('rejects %s and stays unchanged', async (_, patch, message) => {
    const before = await harness.client.config();
    await expect(harness.client.putConfig(patch)).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(message) as string,
    });
    expect(await harness.client.config()).toEqual(before);
  });

  it('survives a reset', async () => {
    await harness.client.reset();
    expect((await harness.client.config()).accounts).toEqual([
      { apiKey: OWN.apiKey, apiSecret: OWN.apiSecret, signatureSecret: OWN.signatureSecret },
    ]);
  });
});
