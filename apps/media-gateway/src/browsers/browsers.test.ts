import { attachAudioBridge } from '@partyline/janus/audio-bridge/audio-bridge-handle';
import { createWebrtcPeer } from '@partyline/janus/testing/webrtc-peer';
import { attachVideoRoom } from '@partyline/janus/video-room/video-room-handle';
import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startBrowserGateway, type BrowserGateway, type BrowserGatewayOptions } from '../testing/browser-gateway.ts';
import { connectPeer, joinWithAudio, openSocket, type TestBrowser } from '../testing/socket-client.ts';

let janus: TestJanus;
const gateways: BrowserGateway[] = [];
const opened: TestBrowser[] = [];

beforeAll(async () => {
  janus = await createTestJanus();
});
afterAll(() => janus.stop());
afterEach(async () => {
  await Promise.all(opened.splice(0).map((browser) => browser.close()));
  await Promise.all(gateways.splice(0).map((gateway) => gateway.stop()));
});

async function start(options: BrowserGatewayOptions = {}): Promise<BrowserGateway> {
  const gateway = await startBrowserGateway(janus, options);
  gateways.push(gateway);
  return gateway;
}

async function open(
  gateway: BrowserGateway,
  conference: string,
  options: Parameters<typeof joinWithAudio>[2] & Parameters<BrowserGateway['token']>[1] = {},
): Promise<TestBrowser> {
  const { name, receivesVideo, ...claims } = options;
  const browser = await joinWithAudio(gateway.url, gateway.token(conference, claims), {
    ...(name === undefined ? {} : { name }),
    ...(receivesVideo === undefined ? {} : { receivesVideo }),
  });
  opened.push(browser);
  const { connectionId } = browser.joined;
  await expect
    .poll(() => gateway.browsers.list(conference).map((connection) => connection.connectionId))
    .toContain(connectionId);
  return browser;
}

const summary = (gateway: BrowserGateway) => gateway.webhooks().map(({ kind, reason }) => `${kind} ${reason}`.trim());

describe('a connection', () => {
  it('is reported when its audio is up, and once when it left', async () => {
    const gateway = await start();
    const { joined, socket } = await open(gateway, 'conf', { data: 'anna' });
    const { connectionId } = joined;
    await expect.poll(() => summary(gateway)).toEqual(['connected']);
    expect(gateway.webhooks()[0]).toMatchObject({ conference: 'conf', connectionId, data: 'anna', reason: '' });
    expect(gateway.browsers.list('conf')).toEqual([
      { connectionId, createdAt: gateway.webhooks()[0]?.since, data: 'anna' },
    ]);
    expect(gateway.browsers.list('other')).toEqual([]);
    await socket.request({ do: 'leave' });
    await socket.closed;
    await expect.poll(() => summary(gateway)).toEqual(['connected', 'disconnected left']);
    const [connected, disconnected] = gateway.webhooks();
    expect(disconnected).toMatchObject({ connectionId, data: 'anna', since: connected?.at });
    expect(gateway.browsers.list('conf')).toEqual([]);
    expect(gateway.browsers.count).toBe(0);
    expect(gateway.errors).toEqual([]);
  });

  it('that never had audio is not reported, and ends in time', async () => {
    const gateway = await start({ speed: 20 });
    const socket = await openSocket(gateway.url);
    await socket.request({ do: 'join', token: gateway.token('conf') });
    expect(await socket.closed).toMatchObject({ reason: 'media-failed' });
    expect(socket.events('ended')).toEqual([{ event: 'ended', reason: 'media-failed' }]);
    await expect.poll(() => gateway.browsers.count).toBe(0);
    expect(gateway.webhooks()).toEqual([]);
  });

  it('replaces its audio by another peer connection', async () => {
    const gateway = await start();
    const anna = await open(gateway, 'conf');
    const audio = createWebrtcPeer('opus');
    await connectPeer(anna.socket, audio, 'audio');
    audio.startSending();
    await expect.poll(() => audio.received()).toBeGreaterThan(5);
    await audio.close();
    expect(anna.socket.events('ended')).toEqual([]);
    await expect.poll(() => summary(gateway)).toEqual(['connected']);
  });

  it('of the same token is another connection', async () => {
    const gateway = await start();
    const token = gateway.token('conf');
    const browsers = await Promise.all([joinWithAudio(gateway.url, token), joinWithAudio(gateway.url, token)]);
    opened.push(...browsers);
    await expect.poll(() => gateway.browsers.list('conf')).toHaveLength(2);
  });
});

describe('a gateway that drains', () => {
  it('begins no new conference, and waits for the connections that it has', async () => {
    const gateway = await start();
    const anna = await open(gateway, 'conf');
    let isDrained = false;
    const drained = gateway.browsers.drain().then(() => (isDrained = true));
    const late = await openSocket(gateway.url);
    expect(await late.problemOf({ do: 'join', token: gateway.token('other') })).toBe('gateway-not-ready');
    const socket = await openSocket(gateway.url);
    expect((await socket.request({ do: 'resume', secret: anna.joined.secret })).joined).toBeDefined();
    expect(isDrained).toBe(false);
    await socket.request({ do: 'leave' });
    await drained;
    await expect.poll(() => summary(gateway)).toEqual(['connected', 'disconnected left']);
  });
});

describe('a control request', () => {
  it('disconnects a connection of its conference', async () => {
    const gateway = await start();
    const { joined, socket } = await open(gateway, 'conf');
    expect(await gateway.browsers.disconnect('other', joined.connectionId)).toBe(false);
    expect(await gateway.browsers.disconnect('conf', 'gw-1.0123456789012345678901')).toBe(false);
    expect(await gateway.browsers.disconnect('conf', joined.connectionId)).toBe(true);
    expect(await socket.closed).toEqual({ code: 1000, reason: 'kicked' });
    await expect.poll(() => summary(gateway)).toEqual(['connected', 'disconnected kicked']);
    expect(await gateway.browsers.disconnect('conf', joined.connectionId)).toBe(false);
  });

  it('mutes a browser, which cannot unmute itself', async () => {
    const gateway = await start();
    const { joined, socket } = await open(gateway, 'conf');
    const { connectionId } = joined;
    expect(await gateway.browsers.mute('other', connectionId, true)).toBe(false);
    expect(await gateway.browsers.mute('conf', connectionId, true)).toBe(true);
    await expect.poll(() => socket.events('muted')).toEqual([{ event: 'muted', isMuted: true, isMutedByHost: true }]);
    expect(await socket.problemOf({ do: 'mute', muted: false })).toBe('muted-by-host');
    expect(await isMutedInJanus(gateway, 'conf', connectionId)).toBe(true);
    expect(await gateway.browsers.mute('conf', connectionId, false)).toBe(true);
    await expect.poll(() => isMutedInJanus(gateway, 'conf', connectionId)).toBe(false);
  });

  it('to unmute leaves a browser muted that has muted itself', async () => {
    const gateway = await start();
    const { joined, socket } = await open(gateway, 'conf');
    const { connectionId } = joined;
    await socket.request({ do: 'mute', muted: true });
    await gateway.browsers.mute('conf', connectionId, true);
    await gateway.browsers.mute('conf', connectionId, false);
    expect(await isMutedInJanus(gateway, 'conf', connectionId)).toBe(true);
    expect(await socket.request({ do: 'mute', muted: false })).not.toHaveProperty('problem');
    expect(await isMutedInJanus(gateway, 'conf', connectionId)).toBe(false);
  });

  it('to mute also holds for audio that connects later, and again', async () => {
    const gateway = await start();
    const socket = await openSocket(gateway.url);
    const { joined } = await socket.request({ do: 'join', token: gateway.token('conf') });
    const { connectionId } = joined!;
    await gateway.browsers.mute('conf', connectionId, true);
    for (let times = 0; times < 2; times += 1) {
      const audio = createWebrtcPeer('opus');
      await connectPeer(socket, audio, 'audio');
      expect(await isMutedInJanus(gateway, 'conf', connectionId)).toBe(true);
      await audio.close();
    }
    await socket.close();
  });
});

async function isMutedInJanus(gateway: BrowserGateway, conference: string, id: string): Promise<boolean | undefined> {
  const handle = await attachAudioBridge(gateway.connection, 'test');
  const participants = await handle.listParticipants(conference);
  await handle.detach();
  return participants.find((participant) => participant.id === id)?.isMuted;
}

describe('the roster', () => {
  it('shows the browsers of the own conference, their names and states', async () => {
    const gateway = await start();
    const anna = await open(gateway, 'conf', { name: ' Anna \u202E ' });
    const stranger = await open(gateway, 'other', { name: 'Stranger' });
    const bob = await open(gateway, 'conf');
    const annas = { kind: 'browser', isMuted: false, isMutedByHost: false, isTalking: false, sources: [] };
    expect(bob.joined.participants).toEqual([{ ...annas, id: anna.joined.connectionId, name: 'Anna' }]);
    await expect
      .poll(() => anna.socket.events('participant').map(({ participant }) => participant))
      .toEqual([
        { ...annas, id: anna.joined.connectionId, name: 'Anna' },
        { ...annas, id: bob.joined.connectionId, name: null },
      ]);
    await anna.socket.request({ do: 'mute', muted: true });
    await expect
      .poll(() => bob.socket.events('participant').at(-1)?.participant)
      .toMatchObject({
        id: anna.joined.connectionId,
        isMuted: true,
        isMutedByHost: false,
      });
    await anna.socket.request({ do: 'leave' });
    await expect
      .poll(() => bob.socket.events('participant-left'))
      .toEqual([{ event: 'participant-left', id: anna.joined.connectionId }]);
    expect(JSON.stringify(stranger.socket.messages)).not.toContain(anna.joined.connectionId);
    expect(JSON.stringify(bob.socket.messages)).not.toContain(stranger.joined.connectionId);
    expect(JSON.stringify(bob.socket.messages)).not.toContain(anna.joined.secret);
  });
});

describe('a connection whose socket broke', () => {
  let gateway: BrowserGateway;
  beforeEach(async () => {
    gateway = await start();
  });

  it('is resumed on another socket, without an event', async () => {
    const anna = await open(gateway, 'conf', { name: 'Anna' });
    await gateway.browsers.mute('conf', anna.joined.connectionId, true);
    anna.socket.cut();
    const socket = await openSocket(gateway.url);
    const { joined } = await socket.request({ do: 'resume', secret: anna.joined.secret });
    expect(joined).toMatchObject({
      connectionId: anna.joined.connectionId,
      isMuted: true,
      isMutedByHost: true,
      peers: ['audio'],
      participants: [{ id: anna.joined.connectionId, name: 'Anna', isMuted: true }],
    });
    await expect.poll(() => anna.audio.received()).toBeGreaterThan(5);
    await socket.request({ do: 'leave' });
    await expect.poll(() => summary(gateway)).toEqual(['connected', 'disconnected left']);
  });

  it('moves to a second socket while the first is open', async () => {
    const anna = await open(gateway, 'conf');
    const socket = await openSocket(gateway.url);
    expect((await socket.request({ do: 'resume', secret: anna.joined.secret })).joined).toBeDefined();
    expect(await anna.socket.closed).toEqual({ code: 1000, reason: 'resumed-elsewhere' });
    expect(await socket.request({ do: 'mute', muted: true })).not.toHaveProperty('problem');
    await socket.request({ do: 'leave' });
  });

  it('is not resumed with a wrong secret', async () => {
    const anna = await open(gateway, 'conf');
    for (const secret of ['', anna.joined.connectionId, `${anna.joined.secret.slice(0, -1)}_`, '__proto__']) {
      const socket = await openSocket(gateway.url);
      expect(await socket.problemOf({ do: 'resume', secret })).toBe('no-such-connection');
      expect(await socket.closed).toMatchObject({ code: 1008 });
    }
    expect(anna.socket.isOpen).toBe(true);
  });

  it('is over after ten seconds', async () => {
    const hasty = await start({ speed: 10 });
    const anna = await open(hasty, 'conf');
    anna.socket.cut();
    await expect.poll(() => summary(hasty)).toEqual(['connected', 'disconnected timeout']);
    const socket = await openSocket(hasty.url);
    expect(await socket.problemOf({ do: 'resume', secret: anna.joined.secret })).toBe('no-such-connection');
  });
});

describe('the conference', () => {
  it('starts for those who wait when a browser is heard that starts it', async () => {
    const gateway = await start();
    let started = 0;
    const caller = { id: 'caller', onStarted: () => (started += 1), onEnded: () => undefined };
    await gateway.conferences.enter('conf', caller, false);
    await open(gateway, 'conf', { startsConference: false });
    const socket = await openSocket(gateway.url);
    await socket.request({ do: 'join', token: gateway.token('conf') });
    expect(started).toBe(0);
    await open(gateway, 'conf');
    expect(started).toBe(1);
    gateway.conferences.leave('conf', caller);
    await socket.close();
  });

  it('ends for browsers when a member leaves whose exit ends it, and its rooms are destroyed', async () => {
    const gateway = await start();
    const host = { id: 'host', onStarted: () => undefined, onEnded: () => undefined };
    await gateway.conferences.enter('conf', host, true);
    const { socket } = await open(gateway, 'conf');
    gateway.conferences.end('conf', 'host');
    gateway.conferences.leave('conf', host);
    expect(await socket.closed).toMatchObject({ reason: 'conference-ended' });
    await expect.poll(() => summary(gateway)).toEqual(['connected', 'disconnected conference-ended']);
    await expect.poll(() => roomsExist(gateway, 'conf')).toEqual([false, false]);
  });

  it('has rooms for sound and video while it has browsers', async () => {
    const gateway = await start();
    const anna = await open(gateway, 'conf');
    const bob = await open(gateway, 'conf');
    await anna.socket.request({ do: 'leave' });
    await anna.socket.closed;
    expect(await roomsExist(gateway, 'conf')).toEqual([true, true]);
    await bob.socket.request({ do: 'leave' });
    await expect.poll(() => roomsExist(gateway, 'conf')).toEqual([false, false]);
    await open(gateway, 'conf');
    expect(await roomsExist(gateway, 'conf')).toEqual([true, true]);
  });
});

async function roomsExist(gateway: BrowserGateway, room: string): Promise<boolean[]> {
  const handles = await Promise.all([
    attachAudioBridge(gateway.connection, 'test'),
    attachVideoRoom(gateway.connection, 'test'),
  ]);
  const exist = await Promise.all(handles.map((handle) => handle.roomExists(room)));
  await Promise.all(handles.map((handle) => handle.detach()));
  return exist;
}

describe('the end of Janus', () => {
  it('ends all connections at once, and reports each once', async () => {
    const gateway = await start();
    const anna = await open(gateway, 'conf');
    const waiting = await openSocket(gateway.url);
    await waiting.request({ do: 'join', token: gateway.token('conf') });
    await janus.crash();
    for (const socket of [anna.socket, waiting]) {
      expect(await socket.closed).toMatchObject({ reason: 'gateway-lost' });
      expect(socket.events('ended')).toEqual([{ event: 'ended', reason: 'gateway-lost' }]);
    }
    await expect.poll(() => summary(gateway)).toEqual(['connected', 'disconnected gateway-lost']);
    const late = await openSocket(gateway.url);
    expect(await late.problemOf({ do: 'join', token: gateway.token('other') })).toBe('gateway-not-ready');
    await janus.restart();
    expect(gateway.browsers.count).toBe(0);
    expect(gateway.errors).toEqual([]);
  });

  it('is reported when a browser was leaving a frozen Janus', async () => {
    const gateway = await start();
    const anna = await open(gateway, 'conf');
    await janus.pause();
    await gateway.browsers.disconnect('conf', anna.joined.connectionId);
    await anna.socket.closed;
    await expect.poll(() => summary(gateway)).toEqual(['connected']);
    await janus.resume();
    await expect.poll(() => summary(gateway)).toEqual(['connected', 'disconnected kicked']);
  });
});
