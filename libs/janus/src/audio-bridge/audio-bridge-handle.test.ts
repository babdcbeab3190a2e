import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JanusConnection } from '../connection.ts';
import { connect, LIMIT_MS } from '../testing/connect.ts';
import { silentOggOpus } from '../testing/ogg-opus.ts';
import { createWebrtcPeer } from '../testing/webrtc-peer.ts';
import { AUDIO_BRIDGE_ERRORS, attachAudioBridge, type AudioBridgeHandle } from './audio-bridge-handle.ts';

let janus: TestJanus;
let connection: JanusConnection;
let manager: AudioBridgeHandle;
let rooms = 0;
let room: string;
const sockets: Socket[] = [];

beforeAll(async () => {
  janus = await createTestJanus();
});
afterAll(() => janus.stop());
beforeEach(async () => {
  connection = await connect(janus);
  manager = await attachAudioBridge(connection, 'test:manager');
  room = `room-${(rooms += 1)}`;
  await createRoom(room);
});
afterEach(async () => {
  await manager.destroyRoom(room, 'secret');
  await connection.close();
  for (const socket of sockets.splice(0)) socket.close();
});

const createRoom = (name: string) =>
  manager.createRoom({
    room: name,
    adminKey: janus.adminKey,
    secret: 'secret',
    samplingRate: 16_000,
    allowRtpParticipants: true,
    reportsTalking: true,
  });

/** Joins the room with plain RTP and sends silence, so that Janus sends the mix. */
async function joinByRtp(id: string): Promise<{ handle: AudioBridgeHandle; received: () => number }> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  let received = 0;
  socket.on('message', () => (received += 1));
  const handle = await attachAudioBridge(connection, `test:${id}`);
  const { rtp } = await handle.joinByRtp({
    room,
    id,
    display: id.toUpperCase(),
    codec: 'opus',
    quality: 1,
    rtp: { ip: '127.0.0.1', port: socket.address().port, payloadType: 100 },
  });
  const packet = Buffer.alloc(15);
  packet.writeUInt16BE(0x8064);
  packet.writeUInt32BE(4711, 8);
  Buffer.from([0xf8, 0xff, 0xfe]).copy(packet, 12);
  socket.send(packet, rtp.port, rtp.ip);
  return { handle, received: () => received };
}

describe('rooms', () => {
  it('are created once, and destroyed once', async () => {
    expect(await createRoom('other')).toEqual({ isNew: true });
    expect(await createRoom('other')).toEqual({ isNew: false });
    expect(await manager.roomExists('other')).toBe(true);
    expect(await manager.destroyRoom('other', 'secret')).toEqual({ existed: true });
    expect(await manager.destroyRoom('other', 'secret')).toEqual({ existed: false });
    expect(await manager.roomExists('other')).toBe(false);
    await expect(manager.listParticipants('other')).rejects.toMatchObject({ code: AUDIO_BRIDGE_ERRORS.noSuchRoom });
  });

  it('are not created without the admin key, nor destroyed without the secret', async () => {
    const create = manager.createRoom({
      room: 'other',
      adminKey: 'not-the-key',
      secret: 'secret',
      samplingRate: 16_000,
      allowRtpParticipants: true,
    });
    await expect(create).rejects.toMatchObject({ code: AUDIO_BRIDGE_ERRORS.unauthorized });
    await expect(create).rejects.not.toThrow(/not-the-key/u);
    await expect(manager.destroyRoom(room, 'wrong')).rejects.toMatchObject({ code: AUDIO_BRIDGE_ERRORS.unauthorized });
  });

  it('tell their participants when they are destroyed', async () => {
    const { handle } = await joinByRtp('anna');
    const destroyed = handle.waitFor(['room-destroyed'], LIMIT_MS);
    await manager.destroyRoom(room, 'secret');
    expect(await destroyed).toEqual({ type: 'room-destroyed', room });
  });
});

describe('participants', () => {
  it('join with plain RTP, hear the mix, and are reported to the others', async () => {
    const anna = await joinByRtp('anna');
    const joined = anna.handle.waitFor(['participant-joined'], LIMIT_MS);
    const bob = await joinByRtp('bob');
    expect(await joined).toMatchObject({ room, participant: { id: 'bob', display: 'BOB', isMuted: false } });
    expect(await manager.listParticipants(room)).toMatchObject([{ id: 'anna' }, { id: 'bob' }]);
    await expect.poll(() => Math.min(anna.received(), bob.received())).toBeGreaterThan(5);

    const left = anna.handle.waitFor(['participant-left'], LIMIT_MS);
    await bob.handle.leave();
    expect(await left).toEqual({ type: 'participant-left', room, id: 'bob' });
    await expect(bob.handle.leave()).rejects.toMatchObject({ code: AUDIO_BRIDGE_ERRORS.notJoined });
  });

  it('leave when their handle is detached', async () => {
    const anna = await joinByRtp('anna');
    const left = anna.handle.waitFor(['participant-left'], LIMIT_MS);
    const bob = await joinByRtp('bob');
    await bob.handle.detach();
    expect(await left).toMatchObject({ id: 'bob' });
  });

  it('join with WebRTC and hear the mix', async () => {
    const anna = await joinByRtp('anna');
    const changed = anna.handle.waitFor(['participant-changed'], LIMIT_MS);
    const peer = createWebrtcPeer('opus');
    const handle = await attachAudioBridge(connection, 'test:browser');
    const up = handle.waitFor(['webrtc-up'], LIMIT_MS);
    const joined = await handle.joinByWebrtc({ room, id: 'browser', offer: await peer.offer() });
    expect(joined).toMatchObject({ id: 'browser', participants: [{ id: 'anna' }], answer: { type: 'answer' } });
    await peer.acceptAnswer(joined.answer);
    await up;
    peer.startSending();
    await expect.poll(() => peer.received()).toBeGreaterThan(5);
    expect(await changed).toMatchObject({ participant: { id: 'browser', isSetUp: true } });

    const down = handle.waitFor(['webrtc-down'], LIMIT_MS);
    const left = anna.handle.waitFor(['participant-left'], LIMIT_MS);
    await handle.closePeerConnection();
    expect(await down).toMatchObject({ reason: expect.any(String) });
    expect(await left).toMatchObject({ id: 'browser' });
    await peer.close();
  });

  it('cannot use the identifier of another', async () => {
    await joinByRtp('anna');
    await expect(joinByRtp('anna')).rejects.toMatchObject({ code: AUDIO_BRIDGE_ERRORS.idExists });
  });

  it('mute themselves and are muted by the secret of the room', async () => {
    const anna = await joinByRtp('anna');
    const bob = await joinByRtp('bob');
    const muted = [false];
    anna.handle.onEvent((event) => {
      // At any time, a change reports that Janus hears the participant, and repeats the rest.
      if (event.type !== 'participant-changed' || event.participant.isMuted === muted.at(-1)) return;
      muted.push(event.participant.isMuted);
    });
    await bob.handle.configure({ isMuted: true });
    await manager.setMuted(room, 'secret', 'bob', false);
    await manager.setMuted(room, 'secret', 'bob', true);
    await expect.poll(() => muted).toEqual([false, true, false, true]);
    await expect(manager.setMuted(room, 'wrong', 'bob', false)).rejects.toMatchObject({
      code: AUDIO_BRIDGE_ERRORS.unauthorized,
    });
  });

  it('are kicked', async () => {
    const anna = await joinByRtp('anna');
    const bob = await joinByRtp('bob');
    const told = Promise.all([anna, bob].map(({ handle }) => handle.waitFor(['participant-kicked'], LIMIT_MS)));
    await manager.kick(room, 'secret', 'bob');
    expect(await told).toMatchObject([{ id: 'bob' }, { id: 'bob' }]);
    await expect.poll(() => manager.listParticipants(room)).toMatchObject([{ id: 'anna' }]);
    await expect(manager.kick(room, 'secret', 'bob')).rejects.toMatchObject({
      code: AUDIO_BRIDGE_ERRORS.noSuchParticipant,
    });
  });

  it('change the room', async () => {
    const other = `${room}-other`;
    await createRoom(other);
    const anna = await joinByRtp('anna');
    const bob = await joinByRtp('bob');
    const left = anna.handle.waitFor(['participant-left'], LIMIT_MS);
    expect(await bob.handle.changeRoom({ room: other, id: 'bob' })).toEqual({ id: 'bob', participants: [] });
    expect(await left).toMatchObject({ id: 'bob' });
    expect(await manager.listParticipants(other)).toMatchObject([{ id: 'bob' }]);
    await manager.destroyRoom(other, 'secret');
  });
});

describe('files', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'partyline-janus-'));
    await writeFile(join(folder, 'short.opus'), silentOggOpus(1));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('are played to the room to their end, or until they are stopped', async () => {
    const { handle } = await joinByRtp('anna');
    const play = { room, secret: 'secret', adminKey: janus.adminKey, filename: join(folder, 'short.opus') };
    const started = handle.waitFor(['file-started'], LIMIT_MS);
    const stopped = handle.waitFor(['file-stopped'], LIMIT_MS);
    const { fileId } = await manager.playFile(play);
    expect(await started).toEqual({ type: 'file-started', room, fileId });
    expect(await stopped).toEqual({ type: 'file-stopped', room, fileId });

    const music = handle.waitFor(['file-started'], LIMIT_MS);
    await manager.playFile({ ...play, fileId: 'music', isLoop: true });
    expect(await music).toMatchObject({ fileId: 'music' });
    const end = handle.waitFor(['file-stopped'], LIMIT_MS);
    await manager.stopFile({ room, secret: 'secret', adminKey: janus.adminKey, fileId: 'music' });
    expect(await end).toMatchObject({ fileId: 'music' });
  });

  it('are rejected if Janus cannot read them', async () => {
    await joinByRtp('anna');
    const play = { room, secret: 'secret', adminKey: janus.adminKey, filename: join(folder, 'none.opus') };
    await expect(manager.playFile(play)).rejects.toMatchObject({ kind: 'rejected' });
  });
});
