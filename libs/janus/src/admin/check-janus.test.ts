import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { AUDIO_BRIDGE_PLUGIN } from '../audio-bridge/audio-bridge-handle.ts';
import { SIP_PLUGIN } from '../sip/sip-handle.ts';
import { LIMIT_MS } from '../testing/connect.ts';
import { VIDEO_ROOM_PLUGIN } from '../video-room/video-room-handle.ts';
import { checkJanus, type CheckJanusOptions } from './check-janus.ts';

let janus: TestJanus;

beforeAll(async () => {
  janus = await createTestJanus();
});
afterAll(() => janus.stop());

const check = (options: Partial<CheckJanusOptions> = {}) =>
  checkJanus({
    url: janus.url,
    apiSecret: janus.apiSecret,
    admin: { url: janus.adminUrl, secret: janus.adminSecret },
    adminKey: janus.adminKey,
    plugins: [SIP_PLUGIN, AUDIO_BRIDGE_PLUGIN, VIDEO_ROOM_PLUGIN],
    requestTimeoutMs: LIMIT_MS,
    ...options,
  });

it('accepts a Janus that can serve', async () => {
  const result = await check();
  expect(result).toMatchObject({ isUsable: true, version: expect.stringMatching(/^\d+\.\d+\.\d+$/u) });
  expect(await check({ admin: undefined })).toEqual(result);
});

it.each<[string, () => Partial<CheckJanusOptions>, RegExp]>([
  ['unreachable', () => ({ url: 'ws://127.0.0.1:1' }), /ECONNREFUSED.*check JANUS_URL/u],
  ['wrong-api-secret', () => ({ apiSecret: 'not-it' }), /Set JANUS_API_SECRET to the value of api_secret/u],
  ['wrong-admin-key', () => ({ adminKey: 'not-it' }), /Set JANUS_ADMIN_KEY .* janus\.plugin\.audiobridge\.jcfg/u],
  ['missing-plugin', () => ({ plugins: [SIP_PLUGIN, 'janus.plugin.none'] }), /has not loaded janus\.plugin\.none/u],
  ['admin-unreachable', () => ({ admin: { url: 'ws://127.0.0.1:1', secret: 'any' } }), /admin_ws = true/u],
  ['wrong-admin-secret', () => ({ admin: { url: janus.adminUrl, secret: 'not-it' } }), /admin_secret in janus\.jcfg/u],
])('reports the problem %s and its fix', async (problem, options, message) => {
  const result = await check(options());
  expect(result).toEqual({ isUsable: false, problem, message: expect.stringMatching(message) });
  expect(JSON.stringify(result)).not.toContain('not-it');
});

it('reports a Janus that does not answer', async () => {
  await janus.pause();
  const result = await check({ requestTimeoutMs: 200 });
  await janus.resume();
  // A frozen Janus does not complete the WebSocket handshake.
  expect(result).toMatchObject({ isUsable: false, problem: 'unreachable' });
});

it.each([
  ['1.0.4', { isUsable: false, problem: 'too-old', message: 'Janus 1.0.4 is too old. Install Janus 1.1 or later.' }],
  ['0.15.4', { isUsable: false, problem: 'too-old' }],
  ['dev', { isUsable: false, problem: 'too-old' }],
  ['1.1.0', { isUsable: true, reportsRtpDigits: false }],
  ['1.2.0', { isUsable: true, reportsRtpDigits: false }],
  ['1.2.1', { isUsable: true, reportsRtpDigits: true }],
  ['2.0.0', { isUsable: true, reportsRtpDigits: true }],
])('judges the version %s', async (version, expected) => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => 'janus-protocol' });
  await once(server, 'listening');
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const { transaction } = JSON.parse(data.toString()) as { transaction: string };
      socket.send(JSON.stringify({ janus: 'success', transaction, version_string: version }));
    });
  });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await check({ url, plugins: [], admin: undefined, adminKey: undefined })).toMatchObject(expected);
  server.close();
});
