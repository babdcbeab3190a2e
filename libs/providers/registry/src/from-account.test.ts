import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { VonageCredentials } from '@partyline/provider-contract/account-credentials';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAccountBuilder, settingsFromAccount } from './from-account.ts';

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const requests: { path: string; body: string }[] = [];
/** Answers each request as an empty list of calls and as a dial. */
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    requests.push({ path: request.url?.split('?')[0] ?? '', body });
    const reply = { count: 0, _embedded: { calls: [] }, id: 'i', connectionId: 'c', streamId: 's' };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(reply));
  });
});
let url: string;
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => void (requests.length = 0));
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

const credentials = (voice: Partial<VonageCredentials['voice']> = {}): VonageCredentials => ({
  voice: {
    kind: 'vonage',
    apiKey: 'own12345',
    apiSecret: 'own-api-secret',
    applicationId: 'a1b2c3d4-0000-4000-8000-000000000002',
    privateKey,
    signatureSecret: 's'.repeat(32),
    ...voice,
  },
  video: { kind: 'unified' },
  callbackSecret: 'c'.repeat(32),
});
const NEW = { tenantId: 'ten_1', accountId: 'acct_1', old: null, isNew: true };
const build = (voice?: Partial<VonageCredentials['voice']>) =>
  createAccountBuilder(
    {
      VONAGE_APPLICATION_ID: 'a1b2c3d4-0000-4000-8000-000000000001',
      VIDEO_API_HOST: url,
      VONAGE_REGION_HOSTS: { eu: url, ap: `${url}/ap` },
      SIP_HOST: 'sip.nexmo.com',
    },
    providerDeps(5_000),
    () => undefined,
  )(credentials(voice), NEW);

describe('createAccountBuilder', () => {
  it("sends requests to the host of the account's region", async () => {
    await build({ region: 'eu' }).voice.listLiveCalls();
    await build({ region: 'ap' }).voice.listLiveCalls();
    expect([...new Set(requests.map(({ path }) => path))]).toEqual(['/v1/calls', '/ap/v1/calls']);
  });

  it.each([
    ['us', { eu: 'https://api.example' }, 'https://api-us.vonage.com', 1],
    ['ap', {}, 'https://api-ap.vonage.com', 1],
    ['eu', { eu: 'https://api.example' }, 'https://api.example', 0],
    ['eu', undefined, 'https://api-eu.vonage.com', 0],
  ] as const)('keeps the region %s of a stored account with the hosts %j', (region, hosts, apiHost, warnings) => {
    const warned: unknown[] = [];
    const settings = settingsFromAccount(
      { SIP_HOST: 'sip.nexmo.com', VONAGE_API_HOST: url, VONAGE_REGION_HOSTS: hosts },
      credentials({ region }),
      { ...NEW, isNew: false },
      (account) => void warned.push(account),
    );
    expect(settings.voice.account).toMatchObject({ apiHost });
    expect(warned).toEqual(Array.from({ length: warnings }, () => ({ tenantId: 'ten_1', region })));
  });

  it('rejects a region of a new account that the platform does not list, and names those that it lists', () => {
    expect(() => build({ region: 'us' })).toThrow(
      expect.objectContaining({
        verdict: { outcome: 'client', reason: 'region-not-available' },
        field: '/voice/region',
        fix: 'Use eu, ap, or leave the field out.',
      }),
    );
  });

  const dial = async (voice?: Partial<VonageCredentials['voice']>): Promise<unknown> => {
    await build(voice).media.dialSip({
      mediaSessionId: '1_s',
      number: '+442079460000',
      headers: {},
      data: '',
      expiresAt: new Date(Date.now() + 60_000),
    });
    return (JSON.parse(requests[0]?.body ?? '{}') as { sip: unknown }).sip;
  };

  it('dials the gateway of all accounts with the API key and secret', async () => {
    expect(await dial()).toMatchObject({
      uri: 'sip:442079460000@sip.nexmo.com;transport=tls',
      auth: { username: 'own12345', password: 'own-api-secret' },
    });
  });

  it("dials the account's own SIP domain with its user", async () => {
    const sip = { domain: 'example.sip-eu.vonage.com', username: 'partyline', password: 'sip-password' };
    expect(await dial({ sip })).toMatchObject({
      uri: 'sip:442079460000@example.sip-eu.vonage.com;transport=tls',
      auth: { username: 'partyline', password: 'sip-password' },
    });
  });
});
