import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JanusConnection } from '../connection.ts';
import { connect, LIMIT_MS } from '../testing/connect.ts';
import { createWebrtcPeer, type WebrtcPeer } from '../testing/webrtc-peer.ts';
import { attachVideoRoom, VIDEO_ROOM_ERRORS, type VideoRoom, type VideoRoomHandle } from './video-room-handle.ts';

let janus: TestJanus;
let connection: JanusConnection;
let manager: VideoRoomHandle;
let rooms = 0;
let room: string;
const peers: WebrtcPeer[] = [];

beforeAll(async () => {
  janus = await createTestJanus();
});
afterAll(() => janus.stop());
beforeEach(async () => {
  connection = await connect(janus);
  manager = await attachVideoRoom(connection, 'test:manager');
  room = `room-${(rooms += 1)}`;
  await createRoom(room);
});
afterEach(async () => {
  await manager.destroyRoom(room, 'secret');
  await connection.close();
  await Promise.all(peers.splice(0).map((peer) => peer.close()));
});

const createRoom = (name: string, settings: Partial<VideoRoom> = {}) =>
  manager.createRoom({
    room: name,
    adminKey: janus.adminKey,
    secret: 'secret',
    maxPublishers: 3,
    videoCodecs: ['vp8', 'h264'],
    audioCodecs: ['opus'],
    notifiesJoining: true,
    ...settings,
  });

function createPeer(): WebrtcPeer {
  const peer = createWebrtcPeer('vp8');
  peers.push(peer);
  return peer;
}

async function join(id: string): Promise<VideoRoomHandle> {
  const handle = await attachVideoRoom(connection, `test:${id}`);
  expect(await handle.joinAsPublisher({ room, id, display: id.toUpperCase() })).toMatchObject({ id });
  return handle;
}

/** Joins, publishes VP8 and sends it. */
async function publish(id: string): Promise<VideoRoomHandle> {
  const handle = await join(id);
  const peer = createPeer();
  const up = handle.waitFor(['webrtc-up'], LIMIT_MS);
  const { answer } = await handle.publish(await peer.offer(), { videoCodec: 'vp8' });
  await peer.acceptAnswer(answer);
  await up;
  peer.startSending();
  return handle;
}

async function subscribe(feed: string) {
  const handle = await attachVideoRoom(connection, 'test:subscriber');
  const peer = createPeer();
  const up = handle.waitFor(['webrtc-up'], LIMIT_MS);
  const { offer, streams } = await handle.joinAsSubscriber({ room, streams: [{ feed }] });
  await handle.start(await peer.answer(offer));
  await up;
  return { handle, peer, streams };
}

describe('rooms', () => {
  it('are created once, and destroyed once', async () => {
    expect(await createRoom('other')).toEqual({ isNew: true });
    expect(await createRoom('other')).toEqual({ isNew: false });
    expect(await manager.roomExists('other')).toBe(true);
    expect(await manager.destroyRoom('other', 'secret')).toEqual({ existed: true });
    expect(await manager.destroyRoom('other', 'secret')).toEqual({ existed: false });
    expect(await manager.roomExists('other')).toBe(false);
  });

  it('are not created without the admin key, nor joined without the PIN', async () => {
    const create = createRoom('other', { adminKey: 'not-the-key' });
    await expect(create).rejects.toMatchObject({ code: VIDEO_ROOM_ERRORS.unauthorized });
    await createRoom('other', { pin: '1234' });
    const guest = await attachVideoRoom(connection, 'test:guest');
    const joining = guest.joinAsPublisher({ room: 'other', id: 'guest', pin: '4321' });
    await expect(joining).rejects.toMatchObject({ code: VIDEO_ROOM_ERRORS.unauthorized });
    expect(await guest.joinAsPublisher({ room: 'other', id: 'guest', pin: '1234' })).toMatchObject({ publishers: [] });
    await manager.destroyRoom('other', 'secret');
  });

  it('tell their participants when they are destroyed', async () => {
    const anna = await join('anna');
    const destroyed = anna.waitFor(['room-destroyed'], LIMIT_MS);
    await manager.destroyRoom(room, 'secret');
    expect(await destroyed).toEqual({ type: 'room-destroyed', room });
  });
});

describe('publishers', () => {
  it('are reported when they join, publish, unpublish and leave', async () => {
    const anna = await join('anna');
    const joined = anna.waitFor(['participant-joined'], LIMIT_MS);
    const published = anna.waitFor(['published'], LIMIT_MS);
    const bob = await publish('bob');
    expect(await joined).toEqual({ type: 'participant-joined', room, id: 'bob', display: 'BOB' });
    expect(await published).toMatchObject({
      room,
      publishers: [{ id: 'bob', display: 'BOB', streams: [{ kind: 'video', codec: 'vp8', isDisabled: false }] }],
    });
    expect(await manager.listParticipants(room)).toEqual([
      { id: 'anna', display: 'ANNA', isPublishing: false },
      { id: 'bob', display: 'BOB', isPublishing: true },
    ]);
    const unpublished = anna.waitFor(['unpublished'], LIMIT_MS);
    await bob.unpublish();
    expect(await unpublished).toEqual({ type: 'unpublished', room, id: 'bob' });
    const left = anna.waitFor(['participant-left'], LIMIT_MS);
    await bob.leave();
    expect(await left).toEqual({ type: 'participant-left', room, id: 'bob' });
  });

  it('are known to those who join later', async () => {
    await publish('bob');
    const late = await attachVideoRoom(connection, 'test:late');
    await expect
      .poll(async () => (await manager.listParticipants(room)).filter((each) => each.isPublishing))
      .toHaveLength(1);
    expect(await late.joinAsPublisher({ room, id: 'late' })).toMatchObject({
      privateId: expect.any(Number),
      publishers: [{ id: 'bob', streams: [{ codec: 'vp8' }] }],
    });
  });

  it('cannot publish twice', async () => {
    const bob = await publish('bob');
    const again = bob.publish(await createPeer().offer());
    await expect(again).rejects.toMatchObject({ kind: 'rejected', request: 'videoroom.publish' });
  });

  it('change their settings', async () => {
    const bob = await publish('bob');
    const changed = await bob.configurePublisher({ bitrate: 200_000, streams: [{ mid: '0', isSending: false }] });
    expect(changed).toEqual({ answer: undefined });
  });

  it('are moderated and kicked by the secret of the room', async () => {
    const anna = await join('anna');
    const published = anna.waitFor(['published'], LIMIT_MS);
    const bob = await publish('bob');
    const mid = (await published).publishers[0]?.streams[0]?.mid ?? '';
    const moderated = anna.waitFor(['moderated'], LIMIT_MS);
    await manager.moderate({ room, secret: 'secret', id: 'bob', mid, isMuted: true });
    expect(await moderated).toEqual({ type: 'moderated', room, id: 'bob', mid, isMuted: true });

    const kicked = bob.waitFor(['kicked'], LIMIT_MS);
    const told = anna.waitFor(['participant-kicked'], LIMIT_MS);
    await manager.kick(room, 'secret', 'bob');
    expect(await kicked).toEqual({ type: 'kicked', room });
    expect(await told).toEqual({ type: 'participant-kicked', room, id: 'bob' });
    await expect(manager.kick(room, 'wrong', 'anna')).rejects.toMatchObject({ code: VIDEO_ROOM_ERRORS.unauthorized });
  });
});

describe('subscribers', () => {
  it('receive the video of a publisher, pause and resume', async () => {
    await publish('bob');
    const { handle, peer, streams } = await subscribe('bob');
    expect(streams).toMatchObject([{ kind: 'video', codec: 'vp8', feed: 'bob', isActive: true }]);
    await expect.poll(() => peer.received()).toBeGreaterThan(5);
    await handle.pause();
    await handle.start();
    const before = peer.received();
    await expect.poll(() => peer.received()).toBeGreaterThan(before);
  });

  it('are rejected before anything is published', async () => {
    await join('bob');
    const handle = await attachVideoRoom(connection, 'test:early');
    const early = handle.joinAsSubscriber({ room, streams: [{ feed: 'bob' }] });
    await expect(early).rejects.toMatchObject({ code: VIDEO_ROOM_ERRORS.noSuchFeed });
  });

  it('add and remove streams by a new offer', async () => {
    await publish('bob');
    await publish('carol');
    const { handle, peer } = await subscribe('bob');
    const more = await handle.updateSubscription({ subscribe: [{ feed: 'carol' }] });
    expect(more).toMatchObject({
      offer: { type: 'offer' },
      streams: [{ feed: 'bob' }, { feed: 'carol' }],
      isPostponed: false,
    });
    // The offer above is not answered yet.
    const updated = handle.waitFor(['subscription-updated'], LIMIT_MS);
    const postponed = await handle.updateSubscription({ unsubscribe: [{ feed: 'bob' }] });
    expect(postponed).toMatchObject({ offer: undefined, isPostponed: true });
    if (more.offer) await handle.start(await peer.answer(more.offer));
    expect(await updated).toMatchObject({
      room,
      offer: { type: 'offer' },
      streams: [{ isActive: false }, { isActive: true, feed: 'carol' }],
    });
  });

  it.each(['unpublish', 'detach'] as const)('are told of the %s of the publisher', async (end) => {
    const bob = await publish('bob');
    const { handle } = await subscribe('bob');
    const updated = handle.waitFor(['subscription-updated'], LIMIT_MS);
    await bob[end]();
    expect(await updated).toMatchObject({ streams: [{ isActive: false }], offer: { type: 'offer' } });
  });

  it('switch to another publisher without an offer', async () => {
    await publish('bob');
    await publish('carol');
    const { handle, peer, streams } = await subscribe('bob');
    const subscriptionMid = streams[0]?.mid ?? '';
    const switched = await handle.switchStreams([{ feed: 'carol', mid: '0', subscriptionMid }]);
    expect(switched).toMatchObject({ changes: 1, streams: [{ feed: 'carol', isActive: true }] });
    const before = peer.received();
    await expect.poll(() => peer.received()).toBeGreaterThan(before);
  });

  it('choose layers, and restart ICE', async () => {
    await publish('bob');
    const { handle, streams } = await subscribe('bob');
    const mid = streams[0]?.mid ?? '';
    expect(await handle.configureSubscription({ streams: [{ mid, substream: 0, temporal: 1 }] })).toEqual({
      offer: undefined,
    });
    expect(await handle.configureSubscription({ restartsIce: true })).toMatchObject({ offer: { type: 'offer' } });
  });
});
