import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { attachAudioBridge } from '../audio-bridge/audio-bridge-handle.ts';
import type { JanusConnection } from '../connection.ts';
import { attachSip } from '../sip/sip-handle.ts';
import { connect, LIMIT_MS } from '../testing/connect.ts';
import { connectJanusAdmin, type JanusAdmin } from './janus-admin.ts';

let janus: TestJanus;
let connection: JanusConnection;
let admin: JanusAdmin;

beforeAll(async () => {
  janus = await createTestJanus();
});
afterAll(() => janus.stop());
beforeEach(async () => {
  connection = await connect(janus, { keepAlive: { intervalMs: 50, timeoutMs: LIMIT_MS } });
  admin = await connectJanusAdmin({
    url: janus.adminUrl,
    adminSecret: janus.adminSecret,
    requestTimeoutMs: LIMIT_MS,
  });
});
afterEach(async () => {
  admin.close();
  await connection.close();
});

it('finds every handle by its opaque id, with the state of its plugin', async () => {
  const bridge = await attachAudioBridge(connection, 'leg_1');
  await bridge.createRoom({
    room: 'room',
    adminKey: janus.adminKey,
    secret: 'secret',
    samplingRate: 16_000,
    allowRtpParticipants: true,
  });
  await bridge.joinByRtp({ room: 'room', id: 'anna', codec: 'pcmu', rtp: { ip: '127.0.0.1', port: 9 } });
  const sip = await attachSip(connection, 'leg_2');

  expect(await admin.listSessions()).toContain(connection.sessionId);
  expect(new Set(await admin.listHandles(connection.sessionId))).toEqual(new Set([bridge.id, sip.id]));
  const handles = await admin.describeAllHandles();
  expect(handles.filter(({ sessionId }) => sessionId === connection.sessionId)).toHaveLength(2);
  expect(handles.find(({ opaqueId }) => opaqueId === 'leg_1')).toMatchObject({
    sessionId: connection.sessionId,
    handleId: bridge.id,
    plugin: 'janus.plugin.audiobridge',
    pluginState: { room: 'room', id: 'anna' },
  });
  expect(handles.find(({ opaqueId }) => opaqueId === 'leg_2')).toMatchObject({
    plugin: 'janus.plugin.sip',
    pluginState: { call_status: 'idle' },
  });
});

it('ends a handle, which its owner learns', async () => {
  const handle = await attachSip(connection, 'leg_1');
  const detached = handle.waitFor(['detached'], LIMIT_MS);
  expect(await admin.detachHandle(connection.sessionId, handle.id)).toEqual({ existed: true });
  await detached;
  expect(await admin.detachHandle(connection.sessionId, handle.id)).toEqual({ existed: false });
  expect(await admin.describeHandle(connection.sessionId, handle.id)).toBeUndefined();
});

it('ends a session, which its owner learns', async () => {
  const handle = await attachSip(connection, 'leg_1');
  expect(await admin.destroySession(connection.sessionId)).toEqual({ existed: true });
  await expect(connection.closed).resolves.toBe('session-lost');
  expect(handle.isDetached).toBe(true);
  expect(await admin.destroySession(connection.sessionId)).toEqual({ existed: false });
  expect(await admin.listHandles(connection.sessionId)).toEqual([]);
});

it('is rejected with a wrong secret', async () => {
  const other = await connectJanusAdmin({
    url: janus.adminUrl,
    adminSecret: 'not-the-secret',
    requestTimeoutMs: LIMIT_MS,
  });
  await expect(other.listSessions()).rejects.toMatchObject({ code: 403, request: 'admin.list_sessions' });
  await expect(other.destroySession(connection.sessionId)).rejects.toMatchObject({ code: 403 });
  other.close();
});

it('reports the loss of Janus', async () => {
  let closes = 0;
  const lost = await connectJanusAdmin({
    url: janus.adminUrl,
    adminSecret: janus.adminSecret,
    requestTimeoutMs: LIMIT_MS,
    onClosed: () => (closes += 1),
  });
  await janus.crash();
  await expect.poll(() => closes).toBe(1);
  await expect(lost.listSessions()).rejects.toMatchObject({ kind: 'closed' });
  await janus.restart();
});
