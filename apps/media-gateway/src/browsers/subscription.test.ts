import { createWebrtcPeer, type WebrtcPeer } from '@partyline/janus/testing/webrtc-peer';
import { attachVideoRoom } from '@partyline/janus/video-room/video-room-handle';
import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startBrowserGateway, type BrowserGateway } from '../testing/browser-gateway.ts';
import {
  connectPeer,
  joinWithAudio,
  openSocket,
  type SocketClient,
  type TestBrowser,
} from '../testing/socket-client.ts';

let janus: TestJanus;
let gateway: BrowserGateway;
const opened: { close(): Promise<unknown> }[] = [];

beforeAll(async () => {
  janus = await createTestJanus();
  gateway = await startBrowserGateway(janus);
});
afterAll(async () => {
  await gateway.stop();
  await janus.stop();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
});

async function join(conference: string, receivesVideo = true): Promise<TestBrowser> {
  const browser = await joinWithAudio(gateway.url, gateway.token(conference), { receivesVideo });
  opened.push(browser);
  await expect.poll(() => participantIds(browser.socket)).toContain(browser.joined.connectionId);
  return browser;
}

const participantIds = (socket: SocketClient): string[] =>
  socket.events('participant').map(({ participant }) => participant.id);

async function publish({ socket }: TestBrowser, source: 'camera' | 'screen'): Promise<WebrtcPeer> {
  const peer = createWebrtcPeer('vp8');
  opened.push(peer);
  await connectPeer(socket, peer, source);
  peer.startSending();
  return peer;
}

/** Answers the offer with this number, which may arrive later, with one of three receiving peers. */
async function answer(socket: SocketClient, peer: WebrtcPeer, revision: number): Promise<void> {
  await expect.poll(() => socket.events('subscription').at(-1)?.revision).toBe(revision);
  const { offer } = socket.events('subscription').at(-1)!;
  const { sdp } = await peer.answer({ type: 'offer', sdp: offer });
  expect(await socket.request({ do: 'answer-subscription', revision, answer: sdp })).not.toHaveProperty('problem');
}

function receiver(): WebrtcPeer {
  const peer = createWebrtcPeer('vp8');
  opened.push(peer);
  return peer;
}

it('offers the video of the others as it starts and stops', async () => {
  const anna = await join('conf-1');
  const bob = await join('conf-1');
  const participantId = anna.joined.connectionId;
  await publish(anna, 'camera');
  const video = receiver();
  await answer(bob.socket, video, 1);
  expect(bob.socket.events('subscription')[0]).toMatchObject({
    isNew: true,
    streams: [{ mid: '0', participantId, source: 'camera' }],
  });
  await expect.poll(() => video.received()).toBeGreaterThan(5);
  expect(anna.socket.events('subscription')).toEqual([]);

  await publish(anna, 'screen');
  await answer(bob.socket, video, 2);
  expect(bob.socket.events('subscription')[1]).toMatchObject({
    isNew: false,
    streams: [
      { mid: '0', participantId, source: 'camera' },
      { mid: '1', participantId, source: 'screen' },
    ],
  });
  await expect
    .poll(() => bob.socket.events('participant').at(-1)?.participant)
    .toMatchObject({ id: participantId, sources: ['camera', 'screen'] });

  await anna.socket.request({ do: 'unpublish', source: 'camera' });
  await answer(bob.socket, video, 3);
  expect(bob.socket.events('subscription')[2]?.streams).toEqual([{ mid: '1', participantId, source: 'screen' }]);
  // The media line of the camera is used again.
  await publish(anna, 'camera');
  await answer(bob.socket, video, 4);
  expect(bob.socket.events('subscription')[3]?.streams).toEqual([
    { mid: '0', participantId, source: 'camera' },
    { mid: '1', participantId, source: 'screen' },
  ]);
  const before = video.received();
  await expect.poll(() => video.received()).toBeGreaterThan(before + 50);

  await anna.socket.request({ do: 'leave' });
  await expect.poll(() => bob.socket.events('subscription').at(-1)?.streams).toEqual([]);
  expect(gateway.errors).toEqual([]);
});

it('waits with the next offer for the answer to the last', async () => {
  const anna = await join('conf-2');
  const bob = await join('conf-2');
  await publish(anna, 'camera');
  await expect.poll(() => bob.socket.events('subscription')).toHaveLength(1);
  await publish(anna, 'screen');
  await expect.poll(() => bob.socket.events('participant').at(-1)?.participant.sources).toEqual(['camera', 'screen']);
  expect(await bob.socket.problemOf({ do: 'answer-subscription', revision: 2, answer: 'v=0' })).toBe('stale-answer');
  expect(bob.socket.events('subscription')).toHaveLength(1);
  const video = receiver();
  await answer(bob.socket, video, 1);
  expect(await bob.socket.problemOf({ do: 'answer-subscription', revision: 1, answer: 'v=0' })).toBe('stale-answer');
  await answer(bob.socket, video, 2);
});

it('sends the offer again to the socket that resumes', async () => {
  const anna = await join('conf-3');
  const bob = await join('conf-3');
  await publish(anna, 'camera');
  await expect.poll(() => bob.socket.events('subscription')).toHaveLength(1);
  bob.socket.cut();
  const socket = await openSocket(gateway.url);
  opened.push(socket);
  await socket.request({ do: 'resume', secret: bob.joined.secret });
  const video = receiver();
  await answer(socket, video, 1);
  await expect.poll(() => video.received()).toBeGreaterThan(5);
});

it('offers an ICE restart, or a new peer connection', async () => {
  const anna = await join('conf-4');
  const bob = await join('conf-4');
  await publish(anna, 'camera');
  await answer(bob.socket, receiver(), 1);
  await bob.socket.request({ do: 'restart-subscription', isLost: false });
  await expect.poll(() => bob.socket.events('subscription')).toHaveLength(2);
  const [first, second] = bob.socket.events('subscription');
  expect(second).toMatchObject({ isNew: false, streams: first?.streams });
  expect(iceUser(second?.offer)).not.toBe(iceUser(first?.offer));
  await bob.socket.request({ do: 'restart-subscription', isLost: true });
  const video = receiver();
  await answer(bob.socket, video, 3);
  expect(bob.socket.events('subscription')[2]).toMatchObject({ isNew: true, streams: first?.streams });
  await expect.poll(() => video.received()).toBeGreaterThan(5);
});

const iceUser = (sdp: string | undefined): string | undefined => /^a=ice-ufrag:(\S+)/m.exec(sdp ?? '')?.[1];

it('pauses a stream, and lets it go on', async () => {
  const anna = await join('conf-5');
  const bob = await join('conf-5');
  await publish(anna, 'camera');
  const video = receiver();
  await answer(bob.socket, video, 1);
  await expect.poll(() => video.received()).toBeGreaterThan(5);
  expect(await bob.socket.request({ do: 'choose-quality', mid: '0', paused: true })).not.toHaveProperty('problem');
  let last = -1;
  await expect.poll(() => last === (last = video.received()), { interval: 300 }).toBe(true);
  const before = video.received();
  await bob.socket.request({ do: 'choose-quality', mid: '0', paused: false, substream: 0, temporal: 0 });
  await expect.poll(() => video.received()).toBeGreaterThan(before + 5);
  expect(await bob.socket.problemOf({ do: 'choose-quality', mid: '1', paused: true })).toBe('no-such-stream');
});

it('tells of a video that ended by itself', async () => {
  const anna = await join('conf-8');
  const bob = await join('conf-8');
  await publish(anna, 'camera');
  await answer(bob.socket, receiver(), 1);
  const manager = await attachVideoRoom(gateway.connection, 'test');
  const [publisher] = await manager.listParticipants('conf-8');
  await manager.kick('conf-8', 'secret-of-conf-8', publisher?.id ?? '');
  await expect.poll(() => anna.socket.events('peer-lost')).toEqual([{ event: 'peer-lost', peer: 'camera' }]);
  await expect.poll(() => lastStreams(bob.socket)).toEqual([]);
  await manager.detach();
});

/** The streams that the gateway told last. */
function lastStreams(socket: SocketClient): unknown {
  const message = socket.messages.findLast((each) => 'event' in each && 'streams' in each);
  return message !== undefined && 'streams' in message ? message.streams : undefined;
}

it('offers nothing to browsers that want no video, nor to other conferences', async () => {
  const anna = await join('conf-6');
  const bob = await join('conf-6', false);
  const carl = await join('conf-6');
  const stranger = await join('conf-7');
  await publish(anna, 'camera');
  await expect.poll(() => carl.socket.events('subscription')).toHaveLength(1);
  await expect.poll(() => bob.socket.events('participant').at(-1)?.participant.sources).toEqual(['camera']);
  for (const { socket } of [anna, bob, stranger]) expect(socket.events('subscription')).toEqual([]);
});
