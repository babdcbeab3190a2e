import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { findJanus } from './janus-binary.ts';

let janus: TestJanus;
beforeAll(async () => {
  janus = await createTestJanus();
});
afterAll(() => janus.stop());

/** Sends one request on a connection of its own. */
function ask(url: string, protocol: string, request: object): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocol);
    socket.addEventListener('error', () => reject(new Error(`${url} does not answer`)));
    socket.addEventListener('open', () => socket.send(JSON.stringify({ transaction: 'test', ...request })));
    socket.addEventListener('message', ({ data }) => {
      resolve(JSON.parse(String(data)) as Record<string, unknown>);
      socket.close();
    });
  });
}
const askJanus = (request: object): Promise<Record<string, unknown>> => ask(janus.url, 'janus-protocol', request);
const askAdmin = (request: object): Promise<Record<string, unknown>> =>
  ask(janus.adminUrl, 'janus-admin-protocol', request);

it('Janus offers SIP, AudioBridge and VideoRoom over WebSockets, and nothing else', async () => {
  const info = await askJanus({ janus: 'info' });
  expect(Object.keys(info.plugins as object).toSorted()).toEqual([
    'janus.plugin.audiobridge',
    'janus.plugin.sip',
    'janus.plugin.videoroom',
  ]);
  expect(Object.keys(info.transports as object)).toEqual(['janus.transport.websockets']);
  expect(info).toMatchObject({ 'session-timeout': 20, 'reclaim-session-timeout': 0 });
});

it('Janus creates a session with its secret only', async () => {
  const forbidden = { janus: 'error', error: { code: 403 } };
  expect(await askJanus({ janus: 'create' })).toMatchObject(forbidden);
  expect(await askJanus({ janus: 'create', apisecret: janus.adminSecret })).toMatchObject(forbidden);
  expect(await askJanus({ janus: 'create', apisecret: janus.apiSecret })).toMatchObject({ janus: 'success' });
  expect(await askAdmin({ janus: 'list_sessions', admin_secret: janus.apiSecret })).toMatchObject(forbidden);
  expect(await askAdmin({ janus: 'list_sessions', admin_secret: janus.adminSecret })).toMatchObject({
    janus: 'success',
  });
});

it('a restarted Janus has the same ports and secrets, and no sessions', async () => {
  await askJanus({ janus: 'create', apisecret: janus.apiSecret });
  const { pid } = janus;
  await janus.crash();
  await expect(askJanus({ janus: 'info' })).rejects.toThrow('does not answer');
  await janus.restart();
  expect(janus.pid).not.toBe(pid);
  expect(await askAdmin({ janus: 'list_sessions', admin_secret: janus.adminSecret })).toMatchObject({ sessions: [] });
  expect(await askJanus({ janus: 'create', apisecret: janus.apiSecret })).toMatchObject({ janus: 'success' });
});

it('a paused Janus answers after it is resumed', async () => {
  await janus.pause();
  let answered = false;
  const answer = askJanus({ janus: 'ping' }).then((reply) => {
    answered = true;
    return reply;
  });
  // The services answer, and Janus does not.
  const other = await createTestJanus();
  await other.stop();
  expect(answered).toBe(false);
  await janus.resume();
  expect(await answer).toMatchObject({ janus: 'pong' });
});

it('findJanus rejects a program that is no Janus', async () => {
  vi.stubEnv('JANUS_BIN', process.execPath);
  await expect(findJanus(() => undefined)).rejects.toThrow(
    /^JANUS_BIN is \S+, which cannot be executed. Set it to a program janus, or unset it.$/,
  );
});
