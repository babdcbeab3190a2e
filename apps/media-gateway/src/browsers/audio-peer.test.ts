import { createWebrtcPeer } from '@partyline/janus/testing/webrtc-peer';
import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowserGateway } from '../testing/browser-gateway.ts';
import { startJanusProxy } from '../testing/janus-proxy.ts';
import { connectPeer, joinWithAudio, openSocket } from '../testing/socket-client.ts';

let janus: TestJanus;
beforeAll(async () => {
  janus = await createTestJanus();
});
afterAll(() => janus.stop());

interface JanusRequest {
  readonly janus: string;
  readonly transaction?: string;
  readonly session_id?: number;
  readonly handle_id?: number;
  readonly body?: { readonly request?: string; readonly muted?: boolean; readonly room?: string };
  readonly jsep?: unknown;
}

describe('a browser that sends sound', () => {
  it.each(['leaves', 'is disconnected'] as const)(
    'is muted and leaves the room before its handle ends: it %s',
    async (how) => {
      const requests: JanusRequest[] = [];
      const proxy = await startJanusProxy(janus.url, (message) => {
        const request = JSON.parse(message) as JanusRequest;
        if (request.janus === 'message' || request.janus === 'detach') requests.push(request);
        return false;
      });
      const gateway = await startBrowserGateway({ ...janus, url: proxy.url });
      const { socket, audio, joined } = await joinWithAudio(gateway.url, gateway.token('conf'));
      audio.startSending();
      await expect.poll(() => audio.received()).toBeGreaterThan(5);
      const { handle_id } = requests.find(({ body, jsep }) => body?.request === 'join' && jsep !== undefined)!;
      const before = requests.length;
      if (how === 'leaves') await socket.request({ do: 'leave' });
      else await gateway.browsers.disconnect('conf', joined.connectionId);
      await expect.poll(() => gateway.browsers.count).toBe(0);
      expect(requests.slice(before).filter((request) => request.handle_id === handle_id)).toMatchObject([
        { janus: 'message', body: { request: 'configure', muted: true } },
        { janus: 'message', body: { request: 'leave' } },
        { janus: 'detach' },
      ]);
      expect(gateway.errors).toEqual([]);
      await audio.close();
      await gateway.stop();
      proxy.stop();
    },
  );

  it('leaves the room although it cannot be muted', async () => {
    const requests: string[] = [];
    const proxy = await startJanusProxy(janus.url, (message, send) => {
      const { janus: type, transaction, session_id, body } = JSON.parse(message) as JanusRequest;
      if (body?.request === 'configure' || body?.request === 'leave') requests.push(body.request);
      if (type !== 'message' || body?.request !== 'configure') return false;
      send(JSON.stringify({ janus: 'error', session_id, transaction, error: { code: 490, reason: 'test' } }));
      return true;
    });
    const gateway = await startBrowserGateway({ ...janus, url: proxy.url });
    const browser = await joinWithAudio(gateway.url, gateway.token('conf'));
    await browser.socket.request({ do: 'leave' });
    await expect.poll(() => gateway.browsers.count).toBe(0);
    expect(requests).toEqual(['configure', 'leave']);
    await browser.audio.close();
    await gateway.stop();
    proxy.stop();
  });

  it('is over when its old peer connection has left, if it ends while that is replaced', async () => {
    let join: JanusRequest | undefined;
    let answerLeave: (() => void) | undefined;
    const onLeave = Promise.withResolvers<void>();
    const countsAtDetach: number[] = [];
    const proxy = await startJanusProxy(janus.url, (message, send) => {
      const request = JSON.parse(message) as JanusRequest;
      const { janus: type, transaction, session_id, handle_id, body, jsep } = request;
      if (body?.request === 'join' && jsep !== undefined) join ??= request;
      if (join === undefined || handle_id !== join.handle_id) return false;
      if (type === 'detach') countsAtDetach.push(gateway.browsers.count);
      if (body?.request !== 'leave') return false;
      const data = { audiobridge: 'left', room: 'conf', id: joined.connectionId };
      const plugindata = { plugin: 'janus.plugin.audiobridge', data };
      answerLeave = () =>
        send(JSON.stringify({ janus: 'event', session_id, sender: handle_id, transaction, plugindata }));
      onLeave.resolve();
      return true;
    });
    const gateway = await startBrowserGateway({ ...janus, url: proxy.url });
    const { socket, audio, joined } = await joinWithAudio(gateway.url, gateway.token('conf'));
    const next = createWebrtcPeer('opus');
    const connecting = Promise.allSettled([connectPeer(socket, next, 'audio')]);
    await onLeave.promise;
    void gateway.browsers.disconnect('conf', joined.connectionId);
    await socket.closed;
    answerLeave?.();
    await expect.poll(() => gateway.browsers.count).toBe(0);
    expect(countsAtDetach).toEqual([1]);
    await connecting;
    await Promise.all([audio.close(), next.close()]);
    await gateway.stop();
    proxy.stop();
  });

  it('leaves the room before its handle ends, also while its join is not answered', async () => {
    const requests: JanusRequest[] = [];
    const onAnswer = Promise.withResolvers<void>();
    let join: JanusRequest | undefined;
    const proxy = await startJanusProxy(janus.url, (message) => {
      const request = JSON.parse(message) as JanusRequest;
      if (request.body?.request === 'join' && request.jsep !== undefined) join = request;
      else if (join !== undefined && request.handle_id === join.handle_id) requests.push(request);
      if (request.janus !== 'event' || request.transaction !== join?.transaction) return false;
      onAnswer.resolve();
      return true;
    });
    const gateway = await startBrowserGateway({ ...janus, url: proxy.url });
    const socket = await openSocket(gateway.url);
    const { joined } = await socket.request({ do: 'join', token: gateway.token('conf') });
    const audio = createWebrtcPeer('opus');
    const connecting = Promise.allSettled([connectPeer(socket, audio, 'audio')]);
    await onAnswer.promise;
    await gateway.browsers.disconnect('conf', joined!.connectionId);
    expect(await connecting).toMatchObject([{ reason: { message: expect.stringMatching('closed') } }]);
    await expect.poll(() => gateway.browsers.count).toBe(0);
    expect(requests.filter(({ janus: type }) => type === 'message' || type === 'detach')).toMatchObject([
      { janus: 'message', body: { request: 'configure', muted: true } },
      { janus: 'message', body: { request: 'leave' } },
      { janus: 'detach' },
    ]);
    await audio.close();
    await gateway.stop();
    proxy.stop();
  });
});
