import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTcp, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failureOf } from '@partyline/provider-contract/testing/vendor-fault';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import { opentokMedia } from './opentok-media.ts';

// What the emulator does not play: replies that only a broken vendor or a proxy gives.

const SESSION = `1_${Buffer.from('1~46000001~x~y~z~').toString('base64url')}`;
const EXPIRES = new Date(Date.now() + 60_000);
const DIAL = { mediaSessionId: SESSION, number: '+442079460000', headers: { 'X-Leg': 'l' }, data: 'd', expiresAt: EXPIRES };

let reply: { status: number; type: string; body: string; headers?: Record<string, string> } = { status: 200, type: 'text/plain', body: '' };
let asked: { method: string | undefined; url: string | undefined; body: string }[] = [];
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    asked.push({ method: request.method, url: request.url, body: Buffer.concat(chunks).toString('utf8') });
    response.writeHead(reply.status, { 'content-type': reply.type, ...reply.headers }).end(reply.body);
  });
});
let media: MediaProvider;

const account = (apiHost: string): Parameters<typeof opentokMedia.create>[0] =>
  opentokMedia.account.parse({ apiKey: '46000001', apiSecret: 'project-secret', apiHost, sip: { username: 'u', password: 'p' }, callbackSecret: 'c'.repeat(32) });

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  media = opentokMedia.create(account(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), { timeoutMs: 5_000 });
});
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

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
    reply = { status, type: 'application/json', body: '{"message":"words"}', headers: { 'retry-after': '3' } };
    expect(await failureOf(() => media.dialSip(DIAL))).toMatchObject({ failure, reason, retryAfterMs: 3_000 });
    expect(await failureOf(() => media.openSession())).toMatchObject({ failure, reason, retryAfterMs: 3_000 });
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
    reply = { status: 200, type, body };
    expect(await failureOf(() => media.openSession())).toMatchObject({ failure: 'unknown' });
    expect(await failureOf(() => media.dialSip(DIAL))).toMatchObject({ failure: 'unknown' });
    expect(await failureOf(() => media.listConnections(SESSION))).toMatchObject({ failure: 'unknown' });
  });

  it('asks for a routed session without archive, and for a dial with our header, digest and encryption', async () => {
    asked = [];
    reply = { status: 200, type: 'application/json', body: '[{"session_id":"s"}]' };
    expect(await media.openSession()).toEqual({ mediaSessionId: 's' });
    reply = { status: 200, type: 'application/json', body: '{"id":"i","connectionId":"c","streamId":"s"}' };
    expect(await media.dialSip(DIAL)).toEqual({ connectionId: 'c', sipCallId: 'i' });
    expect(Object.fromEntries(new URLSearchParams(asked[0]?.body))).toEqual({ archiveMode: 'manual', 'p2p.preference': 'disabled' });
    expect(asked[1]?.url).toBe('/v2/project/46000001/dial');
    expect(JSON.parse(asked[1]?.body ?? '')).toEqual({
      sessionId: SESSION,
      token: expect.any(String),
      sip: { uri: 'sip:442079460000@sip.nexmo.com;transport=tls', headers: { 'X-Leg': 'l' }, auth: { username: 'u', password: 'p' }, secure: true },
    });
  });

  it('reads a list of connections in pages, and gives no part of one', async () => {
    reply = { status: 200, type: 'application/json', body: '{"count":1,"items":[{"connectionId":"c","connectionState":"Connected","createdAt":1}]}' };
    expect(await media.listConnections(SESSION)).toEqual([{ connectionId: 'c' }]);
    reply = { ...reply, body: '{"count":3,"items":[]}' };
    expect(await failureOf(() => media.listConnections(SESSION))).toMatchObject({ failure: 'unknown' });
    reply = { ...reply, body: '{"count":2,"items":[{"connectionId":"c"},{}]}' };
    expect(await failureOf(() => media.listConnections(SESSION))).toMatchObject({ failure: 'unknown' });
  });

  it('does not follow a redirect with its token', async () => {
    reply = { status: 302, type: 'text/plain', body: '', headers: { location: '/elsewhere' } };
    asked = [];
    expect(await failureOf(() => media.disconnect({ mediaSessionId: SESSION, connectionId: 'c' }))).toMatchObject({ failure: 'unknown' });
    expect(asked).toHaveLength(1);
  });

  it('refuses a token for another project’s session', () => {
    const foreign = `1_${Buffer.from('1~99~x~y~z~').toString('base64url')}`;
    expect(() => media.issueToken({ mediaSessionId: foreign, data: '', expiresAt: EXPIRES })).toThrow(expect.objectContaining({ failure: 'refused' }));
  });
});

describe('a hang-up that the vendor refuses to hear', () => {
  it('ends a process through the SDK, and is a mere error through us', async () => {
    const free = createTcp().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const nowhere = `http://127.0.0.1:${(free.address() as AddressInfo).port}`;
    free.close();
    await once(free, 'close');
    const script = `require('opentok')('46000001', 's', '${nowhere}').forceDisconnect('s', 'c', () => process.exit(0));`;
    // why `rest.ts` exists: if this line fails, the SDK is mended and may be used for the hang-up
    const theirs = spawnSync(process.execPath, ['-e', script], { cwd: import.meta.dirname, encoding: 'utf8' });
    expect({ status: theirs.status, died: /TypeError.*null/.test(theirs.stderr) }).toEqual({ status: 1, died: true });
    const ours = opentokMedia.create(account(nowhere), { timeoutMs: 5_000 });
    expect(await failureOf(() => ours.disconnect({ mediaSessionId: SESSION, connectionId: 'c' }))).toMatchObject({ failure: 'busy', reason: 'vendor-unreachable' });
  });
});
