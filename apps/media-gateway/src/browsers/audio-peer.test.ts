import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowserGateway } from '../testing/browser-gateway.ts';
import { startJanusProxy } from '../testing/janus-proxy.ts';
import { joinWithAudio } from '../testing/socket-client.ts';

let janus: TestJanus;
beforeAll(async () => {
  janus = await createTestJanus();
});
afterAll(() => janus.stop());

interface JanusRequest {
  readonly janus: string;
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
});
