import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { attachAudioBridge } from './audio-bridge/audio-bridge-handle.ts';
import type { JanusConnection } from './connection.ts';
import { connect, LIMIT_MS } from './testing/connect.ts';

let janus: TestJanus;
const opened: JanusConnection[] = [];

beforeAll(async () => {
  janus = await createTestJanus();
});
afterAll(() => janus.stop());
afterEach(async () => {
  await Promise.all(opened.splice(0).map((connection) => connection.close()));
});

async function open(options: Parameters<typeof connect>[1] = {}): Promise<JanusConnection> {
  const connection = await connect(janus, options);
  opened.push(connection);
  return connection;
}

describe('connecting', () => {
  it('rejects a wrong API secret with 403 and does not repeat it', async () => {
    const failure = connect(janus, { apiSecret: 'not-the-secret' });
    await expect(failure).rejects.toMatchObject({ kind: 'rejected', request: 'create', code: 403 });
    await expect(failure).rejects.not.toThrow(/not-the-secret/u);
  });

  it('rejects an address without a server', async () => {
    await expect(connect(janus, { url: 'ws://127.0.0.1:1' })).rejects.toMatchObject({
      kind: 'unreachable',
      message: 'Janus cannot be reached: ECONNREFUSED',
    });
  });

  it('rejects a server that is no Janus', async () => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    server.on('connection', (socket) => {
      socket.on('message', () => {
        for (const text of ['', '{', '[]', 'null', '{"janus":"success"}', '{"transaction":"1","data":[]}'])
          socket.send(text);
      });
    });
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(connect(janus, { url })).rejects.toMatchObject({ kind: 'unexpected', request: 'create' });
    server.close();
  });
});

describe('handles', () => {
  it('rejects a plugin that Janus has not loaded', async () => {
    const connection = await open();
    const attach = connection.attach('janus.plugin.none', 'test', () => ({
      receive: () => undefined,
      receiveDetached: () => undefined,
    }));
    await expect(attach).rejects.toMatchObject({ kind: 'rejected', code: 460, request: 'attach janus.plugin.none' });
  });

  it('report their end once, and reject later requests', async () => {
    const handle = await attachAudioBridge(await open(), 'test:detach');
    const events: string[] = [];
    handle.onEvent(({ type }) => void events.push(type));
    await Promise.all([handle.detach(), handle.waitFor(['detached'], LIMIT_MS)]);
    await handle.detach();
    expect(events).toEqual(['detached']);
    expect(handle.isDetached).toBe(true);
    await expect(handle.roomExists('any')).rejects.toMatchObject({ kind: 'detached' });
    await expect(handle.waitFor(['webrtc-up'], LIMIT_MS)).rejects.toMatchObject({ kind: 'detached' });
  });

  it('report an error of a listener and call the others', async () => {
    const errors: unknown[] = [];
    const connection = await open({ onListenerError: (error) => void errors.push(error) });
    const handle = await attachAudioBridge(connection, 'test:listener');
    let calls = 0;
    handle.onEvent(() => {
      throw new Error('listener');
    });
    handle.onEvent(() => void (calls += 1));
    await handle.detach();
    expect(errors).toMatchObject([{ message: 'listener' }]);
    expect(calls).toBe(1);
  });

  it('give up waiting for an event', async () => {
    const handle = await attachAudioBridge(await open(), 'test:wait');
    await expect(handle.waitFor(['webrtc-up'], 5)).rejects.toMatchObject({ kind: 'timed-out' });
  });
});

describe('the end of a connection', () => {
  it('detaches the handles when we close it', async () => {
    const reasons: string[] = [];
    const connection = await open({ onClosed: (reason) => void reasons.push(reason) });
    const handle = await attachAudioBridge(connection, 'test:close');
    await connection.close();
    expect(handle.isDetached).toBe(true);
    await expect(connection.closed).resolves.toBe('requested');
    await connection.close();
    expect(reasons).toEqual(['requested']);
    await expect(attachAudioBridge(connection, 'test:late')).rejects.toMatchObject({ kind: 'closed' });
  });

  it('is noticed when a frozen Janus leaves a keep-alive unanswered', async () => {
    const connection = await open({ keepAlive: { intervalMs: 100, timeoutMs: 2_000 } });
    const handle = await attachAudioBridge(connection, 'test:frozen');
    await janus.pause();
    const pending = handle.roomExists('any');
    const failure = pending.catch((error: unknown) => error);
    const pausedAt = performance.now();
    await expect(connection.closed).resolves.toBe('unresponsive');
    expect(performance.now() - pausedAt).toBeGreaterThan(1_800);
    expect(handle.isDetached).toBe(true);
    expect(await failure).toMatchObject({ kind: 'closed', request: 'audiobridge.exists' });
    await janus.resume();
  });

  it('leaves a request unanswered no longer than its limit', async () => {
    const connection = await open({ requestTimeoutMs: 2_000 });
    const handle = await attachAudioBridge(connection, 'test:limit');
    await janus.pause();
    await expect(handle.roomExists('any')).rejects.toMatchObject({ kind: 'timed-out', request: 'audiobridge.exists' });
    await janus.resume();
    // The connection survives, and ignores the late answer.
    await expect(attachAudioBridge(connection, 'test:after')).resolves.toMatchObject({ isDetached: false });
  });

  it('survives a stall of this process that is longer than the limit of a keep-alive', async () => {
    const connection = await open({ keepAlive: { intervalMs: 20, timeoutMs: 1_500 } });
    await attachAudioBridge(connection, 'test:stall');
    await new Promise((resolve) => setImmediate(resolve));
    const until = performance.now() + 2_000;
    while (performance.now() < until);
    await expect(attachAudioBridge(connection, 'test:after-stall')).resolves.toMatchObject({ isDetached: false });
  });

  it('is noticed at once when Janus is killed', async () => {
    const connection = await open();
    const handle = await attachAudioBridge(connection, 'test:killed');
    const pending = handle.waitFor(['webrtc-up'], LIMIT_MS);
    const failure = pending.catch((error: unknown) => error);
    await janus.crash();
    await expect(connection.closed).resolves.toBe('socket-closed');
    expect(await failure).toMatchObject({ kind: 'detached' });
    await expect(handle.roomExists('any')).rejects.toMatchObject({ kind: 'detached' });
    await janus.restart();
    await expect(open()).resolves.toMatchObject({ sessionId: expect.any(Number) });
  });
});
