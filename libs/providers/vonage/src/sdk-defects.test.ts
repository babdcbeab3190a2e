import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { captureFailure } from '@partyline/provider-contract/testing/provider-fault';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import { opentokMedia } from './media/opentok-media.ts';
import { startStubProvider, type StubProvider } from './testing/stub-provider.ts';

// Replies that only a broken provider or a proxy gives, which the emulator does not cover.

const SESSION = `1_${Buffer.from('1~46000001~x~y~z~').toString('base64url')}`;
const EXPIRES = new Date(Date.now() + 60_000);
const DIAL = {
  mediaSessionId: SESSION,
  number: '+442079460000',
  headers: { 'X-Leg': 'l' },
  data: 'd',
  expiresAt: EXPIRES,
};

let stub: StubProvider;
let media: MediaProvider;

const account = (apiHost: string): Parameters<typeof opentokMedia.create>[0] =>
  opentokMedia.account.parse({
    apiKey: '46000001',
    apiSecret: 'project-secret',
    apiHost,
    sip: { username: 'u', password: 'p' },
    callbackSecret: 'c'.repeat(32),
  });

beforeAll(async () => {
  stub = await startStubProvider();
  media = opentokMedia.create(account(stub.url), providerDeps(5_000));
});
afterAll(() => stub.stop());

describe('opentok', () => {
  const statuses: [number, string, string][] = [
    [400, 'refused', 'upstream-400'],
    [403, 'refused', 'upstream-credentials'],
    [404, 'not-found', 'upstream-404'],
    [409, 'refused', 'upstream-409'],
    [429, 'busy', 'upstream-429'],
    [500, 'unknown', 'upstream-500'],
    [503, 'busy', 'upstream-503'],
  ];

  it.each(statuses)('keeps the status of a failed dial, which the SDK drops: %i', async (status, failure, reason) => {
    stub.setReply({ status, type: 'application/json', body: '{"message":"words"}', headers: { 'retry-after': '3' } });
    expect(await captureFailure(() => media.dialSip(DIAL))).toMatchObject({ failure, reason, retryAfterMs: 3_000 });
    expect(await captureFailure(() => media.openSession({ conversation: 'c' }))).toMatchObject({
      failure,
      reason,
      retryAfterMs: 3_000,
    });
  });

  const unusable: [string, string, string][] = [
    ['HTML', 'text/html', '<html>'],
    ['HTML with the content type of JSON', 'application/json', '<html>'],
    ['XML, for which the SDK returns no id and no error', 'application/xml', '<sessions/>'],
    ['an empty body', 'application/json', ''],
    ['an empty list', 'application/json', '[]'],
    ['null', 'application/json', 'null'],
    ['an id that is not a string', 'application/json', '[{"session_id":5,"id":5,"connectionId":5}]'],
  ];

  it.each(unusable)('fails as unknown for %s, because the request may have taken effect', async (_what, type, body) => {
    stub.setReply({ status: 200, type, body });
    expect(await captureFailure(() => media.openSession({ conversation: 'c' }))).toMatchObject({ failure: 'unknown' });
    expect(await captureFailure(() => media.dialSip(DIAL))).toMatchObject({ failure: 'unknown' });
    expect(await captureFailure(() => media.listConnections(SESSION))).toMatchObject({ failure: 'unknown' });
  });

  it('requests a routed session without archive, and dials with header, credentials and encryption', async () => {
    stub.setReply({ status: 200, type: 'application/json', body: '[{"session_id":"s"}]' });
    expect(await media.openSession({ conversation: 'c' })).toEqual({ mediaSessionId: 's' });
    expect(Object.fromEntries(new URLSearchParams(stub.requests[0]?.body))).toEqual({
      archiveMode: 'manual',
      'p2p.preference': 'disabled',
    });
    stub.setReply({ status: 200, type: 'application/json', body: '{"id":"i","connectionId":"c","streamId":"s"}' });
    expect(await media.dialSip(DIAL)).toEqual({ connectionId: 'c', sipCallId: 'i' });
    expect(stub.requests[0]?.url).toBe('/v2/project/46000001/dial');
    expect(JSON.parse(stub.requests[0]?.body ?? '')).toEqual({
      sessionId: SESSION,
      token: expect.any(String),
      sip: {
        uri: 'sip:442079460000@sip.nexmo.com;transport=tls',
        headers: { 'X-Leg': 'l' },
        auth: { username: 'u', password: 'p' },
        secure: true,
      },
    });
  });

  it('lists connections in pages, and never returns a partial list', async () => {
    stub.setReply({
      status: 200,
      type: 'application/json',
      body: '{"count":1,"items":[{"connectionId":"c","connectionState":"Connected","createdAt":1}]}',
    });
    expect(await media.listConnections(SESSION)).toEqual([{ connectionId: 'c', createdAt: null }]);
    stub.setReply({ status: 200, type: 'application/json', body: '{"count":3,"items":[]}' });
    expect(await captureFailure(() => media.listConnections(SESSION))).toMatchObject({ failure: 'unknown' });
    stub.setReply({ status: 200, type: 'application/json', body: '{"count":2,"items":[{"connectionId":"c"},{}]}' });
    expect(await captureFailure(() => media.listConnections(SESSION))).toMatchObject({ failure: 'unknown' });
  });

  it('does not follow a redirect with its token', async () => {
    stub.setReply({ status: 302, type: 'text/plain', body: '', headers: { location: '/elsewhere' } });
    expect(await captureFailure(() => media.disconnect({ mediaSessionId: SESSION, connectionId: 'c' }))).toMatchObject({
      failure: 'unknown',
    });
    expect(stub.requests).toHaveLength(1);
  });

  it('rejects a token for a session of another project', () => {
    const foreign = `1_${Buffer.from('1~99~x~y~z~').toString('base64url')}`;
    expect(() => media.issueToken({ mediaSessionId: foreign, data: '', expiresAt: EXPIRES })).toThrow(
      expect.objectContaining({ failure: 'refused' }),
    );
  });
});

describe('a hang-up at a provider that refuses connections', () => {
  it('ends the process through the SDK, and is an error through our code', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const closedUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.close();
    await once(server, 'close');
    const script = `
      const client = require('opentok')('46000001', 's', '${closedUrl}');
      client.forceDisconnect('s', 'c', () => process.exit(0));`;
    // The reason for rest.ts. If this assertion fails, the SDK is fixed and can be used for the
    // hang-up.
    const sdk = spawnSync(process.execPath, ['-e', script], { cwd: import.meta.dirname, encoding: 'utf8' });
    expect({ status: sdk.status, isCrash: /TypeError.*null/.test(sdk.stderr) }).toEqual({ status: 1, isCrash: true });
    const provider = opentokMedia.create(account(closedUrl), providerDeps(5_000));
    expect(
      await captureFailure(() => provider.disconnect({ mediaSessionId: SESSION, connectionId: 'c' })),
    ).toMatchObject({
      failure: 'busy',
      reason: 'upstream-unreachable',
    });
  });
});
