import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { captureFailure } from '@partyline/provider-contract/testing/provider-fault';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import { opentokMedia } from './media/opentok-media.ts';
import { startStubProvider, type StubProvider } from './testing/stub-provider.ts';

// What the emulator does not play: replies that only a broken vendor or a proxy gives.

const SESSION = `1_${Buffer.from('1~46000001~x~y~z~').toString('base64url')}`;
const EXPIRES = new Date(Date.now() + 60_000);
const DIAL = {
  mediaSessionId: SESSION,
  number: '+442079460000',
  headers: { 'X-Leg': 'l' },
  data: 'd',
  expiresAt: EXPIRES,
};

let vendor: StubProvider;
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
  vendor = await startStubProvider();
  media = opentokMedia.create(account(vendor.url), { timeoutMs: 5_000 });
});
afterAll(() => vendor.stop());

describe('opentok', () => {
  const statuses: [number, string, string][] = [
    [400, 'refused', 'vendor-400'],
    [403, 'refused', 'vendor-credentials'],
    [404, 'not-found', 'vendor-404'],
    [409, 'refused', 'vendor-409'],
    [429, 'busy', 'vendor-429'],
    [500, 'unknown', 'vendor-500'],
    [503, 'busy', 'vendor-503'],
  ];

  it.each(statuses)('keeps the status of a dial, which the SDK throws away: %i', async (status, failure, reason) => {
    vendor.setReply({ status, type: 'application/json', body: '{"message":"words"}', headers: { 'retry-after': '3' } });
    expect(await captureFailure(() => media.dialSip(DIAL))).toMatchObject({ failure, reason, retryAfterMs: 3_000 });
    expect(await captureFailure(() => media.openSession())).toMatchObject({ failure, reason, retryAfterMs: 3_000 });
  });

  const useless: [string, string, string][] = [
    ['HTML', 'text/html', '<html>'],
    ['HTML that says it is JSON', 'application/json', '<html>'],
    ['XML, for which the SDK gives no id and no error', 'application/xml', '<sessions/>'],
    ['nothing', 'application/json', ''],
    ['an empty list', 'application/json', '[]'],
    ['null', 'application/json', 'null'],
    ['an id that is no text', 'application/json', '[{"session_id":5,"id":5,"connectionId":5}]'],
  ];

  it.each(useless)('takes %s for no answer, since the vendor may have done it', async (_what, type, body) => {
    vendor.setReply({ status: 200, type, body });
    expect(await captureFailure(() => media.openSession())).toMatchObject({ failure: 'unknown' });
    expect(await captureFailure(() => media.dialSip(DIAL))).toMatchObject({ failure: 'unknown' });
    expect(await captureFailure(() => media.listConnections(SESSION))).toMatchObject({ failure: 'unknown' });
  });

  it('asks for a routed session without archive, and for a dial with our header, digest and encryption', async () => {
    vendor.setReply({ status: 200, type: 'application/json', body: '[{"session_id":"s"}]' });
    expect(await media.openSession()).toEqual({ mediaSessionId: 's' });
    expect(Object.fromEntries(new URLSearchParams(vendor.requests[0]?.body))).toEqual({
      archiveMode: 'manual',
      'p2p.preference': 'disabled',
    });
    vendor.setReply({ status: 200, type: 'application/json', body: '{"id":"i","connectionId":"c","streamId":"s"}' });
    expect(await media.dialSip(DIAL)).toEqual({ connectionId: 'c', sipCallId: 'i' });
    expect(vendor.requests[0]?.url).toBe('/v2/project/46000001/dial');
    expect(JSON.parse(vendor.requests[0]?.body ?? '')).toEqual({
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

  it('reads a list of connections in pages, and gives no part of one', async () => {
    vendor.setReply({
      status: 200,
      type: 'application/json',
      body: '{"count":1,"items":[{"connectionId":"c","connectionState":"Connected","createdAt":1}]}',
    });
    expect(await media.listConnections(SESSION)).toEqual([{ connectionId: 'c' }]);
    vendor.setReply({ status: 200, type: 'application/json', body: '{"count":3,"items":[]}' });
    expect(await captureFailure(() => media.listConnections(SESSION))).toMatchObject({ failure: 'unknown' });
    vendor.setReply({ status: 200, type: 'application/json', body: '{"count":2,"items":[{"connectionId":"c"},{}]}' });
    expect(await captureFailure(() => media.listConnections(SESSION))).toMatchObject({ failure: 'unknown' });
  });

  it('does not follow a redirect with its token', async () => {
    vendor.setReply({ status: 302, type: 'text/plain', body: '', headers: { location: '/elsewhere' } });
    expect(await captureFailure(() => media.disconnect({ mediaSessionId: SESSION, connectionId: 'c' }))).toMatchObject({
      failure: 'unknown',
    });
    expect(vendor.requests).toHaveLength(1);
  });

  it('refuses a token for another project’s session', () => {
    const foreign = `1_${Buffer.from('1~99~x~y~z~').toString('base64url')}`;
    expect(() => media.issueToken({ mediaSessionId: foreign, data: '', expiresAt: EXPIRES })).toThrow(
      expect.objectContaining({ failure: 'refused' }),
    );
  });
});

describe('a hang-up that the vendor refuses to hear', () => {
  it('ends a process through the SDK, and is a mere error through us', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const nowhere = `http://127.0.0.1:${(free.address() as AddressInfo).port}`;
    free.close();
    await once(free, 'close');
    const script = `require('opentok')('46000001', 's', '${nowhere}').forceDisconnect('s', 'c', () => process.exit(0));`;
    // why `rest.ts` exists: if this line fails, the SDK is mended and may be used for the hang-up
    const theirs = spawnSync(process.execPath, ['-e', script], { cwd: import.meta.dirname, encoding: 'utf8' });
    expect({ status: theirs.status, died: /TypeError.*null/.test(theirs.stderr) }).toEqual({ status: 1, died: true });
    const ours = opentokMedia.create(account(nowhere), { timeoutMs: 5_000 });
    expect(await captureFailure(() => ours.disconnect({ mediaSessionId: SESSION, connectionId: 'c' }))).toMatchObject({
      failure: 'busy',
      reason: 'vendor-unreachable',
    });
  });
});
