import { generateKeyPairSync } from 'node:crypto';
import { Vonage } from '@vonage/server-sdk';
import { verifySignature } from '@vonage/jwt';
import OpenTok from 'opentok';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { NewAccount } from './accounts.ts';
import { peek, signHs256 } from './credentials/jwt.ts';
import {
  ACCOUNT,
  APP,
  NUMBER,
  PROJECT,
  PROJECT_SECRET,
  promised,
  setStage,
  SIP_AUTH,
  type Hook,
  type Stage,
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

let stage: Stage;
let own: { vonage: Vonage; opentok: OpenTok };
beforeAll(async () => {
  stage = await setStage({ clock: 'virtual' });
  const { url } = stage.emulator;
  own = {
    vonage: new Vonage(
      { apiKey: OWN.apiKey, apiSecret: OWN.apiSecret, applicationId: OWN.application.id, privateKey: keys.privateKey },
      { apiHost: url, videoHost: url },
    ),
    opentok: new OpenTok(OWN.project.apiKey, OWN.project.apiSecret, url),
  };
  await stage.client.addAccount(OWN);
});
beforeEach(async () => {
  await stage.client.setCallbacks(OWN, {
    answerUrl: `${stage.hooksUrl}/own/answer`,
    eventUrl: `${stage.hooksUrl}/own/event`,
    videoUrl: `${stage.hooksUrl}/own/video`,
  });
  for (const path of ['/answer', '/own/answer'])
    stage.on.set(path, () => ({ json: [{ action: 'conversation', name: 'room' }] }));
});
afterEach(() => stage.fresh());
afterAll(() => stage.close());

const bearer = (hook: Hook | undefined): string => (hook?.headers.authorization ?? '').replace('Bearer ', '');
const settle = (): Promise<unknown> => stage.client.advanceClock(100);
const dial = (to: string) => stage.client.dial({ from: '447700900001', to });
const call = (vonage: Vonage): Promise<{ uuid: string }> =>
  vonage.voice.createOutboundCall({
    to: [{ type: 'phone', number: '447700900200' }],
    from: { type: 'phone', number: NUMBER },
    ncco: [{ action: 'conversation', name: 'room' }],
  } as never);
const status = (request: Promise<unknown>): Promise<number> =>
  request.then(
    () => 200,
    (error: { response?: { status: number }; status?: number; statusCode?: number }) =>
      error.response?.status ?? error.status ?? 0,
  );
const sessionOf = async (opentok: OpenTok): Promise<string> =>
  (await promised<{ sessionId: string }>((done) => opentok.createSession({ mediaMode: 'routed' }, done))).sessionId;

/** The SDK makes none for a session that is not its project's. */
const foreignToken = (session_id: string): string =>
  signHs256(
    { iss: PROJECT, ist: 'project', scope: 'session.connect', session_id, role: 'publisher', exp: 4_102_444_800 },
    PROJECT_SECRET,
  );

describe('webhooks of several accounts', () => {
  it('are signed with the secret and the key of the account whose number was called', async () => {
    await dial(NUMBER);
    await dial(OWN_NUMBER);
    await settle();
    for (const [path, { apiKey, signatureSecret }, application_id] of [
      ['/event', ACCOUNT, APP],
      ['/own/event', OWN, OWN.application.id],
    ] as const) {
      const token = bearer(stage.hooks.find((hook) => hook.path === path));
      expect(peek(token)).toMatchObject({ api_key: apiKey, application_id });
      expect([ACCOUNT, OWN].map((account) => verifySignature(token, account.signatureSecret))).toEqual(
        [ACCOUNT, OWN].map((account) => account.signatureSecret === signatureSecret),
      );
    }
    expect(stage.hooks.filter((hook) => hook.path.endsWith('/answer')).map((hook) => [hook.path, hook.method])).toEqual(
      [
        ['/answer', 'GET'],
        ['/own/answer', 'POST'],
      ],
    );
  });

  it('of video carry the key of the project’s or application’s account', async () => {
    const [legacy, { sessionId: unified }] = [await sessionOf(own.opentok), await own.vonage.video.createSession()];
    await stage.client.joinWebrtc({ sessionId: legacy, token: own.opentok.generateToken(legacy), publish: false });
    await stage.client.joinWebrtc({
      sessionId: unified,
      token: own.vonage.video.generateClientToken(unified),
      publish: false,
    });
    await settle();
    const hooks = stage.hooks.filter((hook) => hook.path === '/own/video');
    expect(hooks.map((hook) => [hook.body.projectId, peek(bearer(hook))?.api_key])).toEqual([
      [OWN.project.apiKey, OWN.apiKey],
      [OWN.application.id, OWN.apiKey],
    ]);
    expect(hooks.every((hook) => verifySignature(bearer(hook), OWN.callbackSecret))).toBe(true);
  });

  it('are signed with a new secret from when it is changed, and keep their addresses', async () => {
    await stage.client.addAccount({ ...OWN, signatureSecret: 'rotated' });
    await dial(OWN_NUMBER);
    await settle();
    expect(verifySignature(bearer(stage.hooks.find((hook) => hook.path === '/own/event')), 'rotated')).toBe(true);
    await stage.client.addAccount(OWN);
  });
});

describe('SIP dials with several accounts', () => {
  it.each([
    ['its own account’s', OWN_NUMBER, OWN_AUTH, 'ACTIVE'],
    ['the first account’s', NUMBER, SIP_AUTH, 'ACTIVE'],
    ['another account’s', OWN_NUMBER, SIP_AUTH, '403'],
    ['a further account’s, for the first one’s number,', NUMBER, OWN_AUTH, '403'],
    ['any account’s, for a number that is nobody’s,', '15550000000', OWN_AUTH, '404'],
  ])('meet %s credentials', async (_, number, auth, outcome) => {
    const sessionId = await sessionOf(own.opentok);
    await promised((done) =>
      own.opentok.dial(sessionId, own.opentok.generateToken(sessionId), `sip:${number}@sip.nexmo.com`, { auth }, done),
    );
    await settle();
    const told = stage.hooks
      .filter((hook) => hook.path === '/own/video')
      .map(({ body }) => body.state ?? body.reason_code)
      .filter((one) => one !== undefined);
    expect(told.at(-1)).toBe(outcome);
  });

  it('need a token of the session’s own project', async () => {
    const sessionId = await sessionOf(own.opentok);
    expect(
      await status(
        promised((done) =>
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
    expect((await stage.client.ledger()).legs).toEqual([]);
  });
});

describe('one account and another’s', () => {
  it('calls are not found, not listed and not touched', async () => {
    const mine = await call(own.vonage);
    await settle();
    const { voice } = stage.vonage;
    const asked = await Promise.all(
      [
        voice.getCall(mine.uuid),
        voice.hangupCall(mine.uuid),
        voice.muteCall(mine.uuid),
        voice.playDTMF(mine.uuid, '1'),
      ].map(status),
    );
    expect(asked).toEqual([404, 404, 404, 404]);
    expect((await voice.search({})).count).toBe(0);
    expect((await own.vonage.voice.search({})).count).toBe(1);
    expect((await stage.client.ledger()).legs).toMatchObject([{ account: OWN.application.id, accountKey: OWN.apiKey }]);
    await own.vonage.voice.hangupCall(mine.uuid);
    expect((await stage.client.ledger()).up).toBe(0);
  });

  it('conversations of the same name are apart, and the ledger tells them by the account’s key', async () => {
    await dial(NUMBER);
    await dial(OWN_NUMBER);
    await settle();
    expect(
      (await stage.client.conversations()).map((room) => [room.applicationId, room.name, room.members.length]),
    ).toEqual([
      [APP, 'room', 1],
      [OWN.application.id, 'room', 1],
    ]);
    expect((await stage.client.ledger({ accountKey: OWN.apiKey })).legs.map(({ to }) => to)).toEqual([OWN_NUMBER]);
    expect((await stage.client.ledger({ accountKey: ACCOUNT.apiKey })).legs.map(({ to }) => to)).toEqual([NUMBER]);
  });

  it('sessions are not found, nor joined with its tokens', async () => {
    const sessionId = await sessionOf(own.opentok);
    await expect(stage.client.joinWebrtc({ sessionId, token: foreignToken(sessionId) })).rejects.toMatchObject({
      status: 403,
    });
    await expect(promised((done) => stage.opentok.listStreams(sessionId, done))).rejects.toThrow();
    await promised((done) => own.opentok.listStreams(sessionId, done));
    expect(
      (await stage.client.restLog({ route: 'list-streams' })).map(({ account, status: answered }) => [
        account,
        answered,
      ]),
    ).toEqual([
      [PROJECT, 404],
      [OWN.project.apiKey, 200],
    ]);
    expect(await stage.client.restLog({ route: 'list-streams', account: OWN.project.apiKey })).toHaveLength(1);
  });

  it('requests are counted for themselves', async () => {
    await stage.client.putConfig({ limits: { enabled: true } });
    const three = (vonage: Vonage): Promise<number[]> =>
      Promise.all(Array.from({ length: 3 }, () => status(call(vonage))));
    expect([await three(stage.vonage), await three(own.vonage)].flat()).toEqual(Array.from({ length: 6 }, () => 200));
    expect([await status(call(stage.vonage)), await status(call(own.vonage))]).toEqual([429, 429]);
    const looks = (vonage: Vonage, times: number): Promise<number[]> =>
      Promise.all(Array.from({ length: times }, () => status(vonage.voice.getCall('x'))));
    expect((await looks(own.vonage, 16)).filter((one) => one === 429)).toHaveLength(1);
    expect(await looks(stage.vonage, 1)).toEqual([404]);
    await stage.client.putConfig({ limits: { enabled: false } });
  });
});

describe('a configuration with several accounts', () => {
  it.each([
    [
      'an application of nobody’s',
      { applications: [{ id: APP, account: 'nobody' }] },
      /applications.*nobody is no account/,
    ],
    ['a project of nobody’s', { projects: [{ apiKey: PROJECT, account: 'nobody' }] }, /projects.*nobody is no account/],
    ['an account twice', { accounts: [{ ...ACCOUNT }] }, /acc12345 is already an account/],
    ['half an account', { accounts: [{ apiKey: 'half' }] }, /apiSecret/],
  ])('refuses %s, and stays as it was', async (_, patch, why) => {
    const before = await stage.client.config();
    await expect(stage.client.putConfig(patch)).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(why) as string,
    });
    expect(await stage.client.config()).toEqual(before);
  });

  it('keeps it over a reset', async () => {
    await stage.client.reset();
    expect((await stage.client.config()).accounts).toEqual([
      { apiKey: OWN.apiKey, apiSecret: OWN.apiSecret, signatureSecret: OWN.signatureSecret },
    ]);
  });
});
