import { fileURLToPath } from 'node:url';
import { build, type Rollup } from 'vite';

/** A file that the server of a test gateway serves. */
export interface ServedFile {
  readonly type: string;
  readonly body: string;
}

/**
 * A page for tests of room-client. `join(options)` joins and keeps the room in `room`, the names of
 * its events in `events`, all sockets in `sockets` and all peer connections in `connections`. `icePolicy` is that of
 * further peer connections.
 */
const PAGE = `<!doctype html><html lang="en"><title>Room</title><link rel="icon" href="data:,"><audio id="audio" autoplay></audio>
<script type="module">
  import { joinRoom } from '/room-client.js';
  window.events = [];
  window.sockets = [];
  window.connections = [];
  window.icePolicy = 'all';
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration) {
      super({ ...configuration, iceTransportPolicy: window.icePolicy });
      connections.push(this);
    }
  };
  /** Until then, sockets cannot be opened. */
  window.blockedUntil = 0;
  class TestSocket extends WebSocket {
    constructor(url) {
      super(Date.now() < blockedUntil ? 'ws://127.0.0.1:1' : url);
      sockets.push(this);
    }
  }
  const NAMES = ['participant-joined', 'participant-changed', 'participant-left', 'track-added', 'track-removed',
    'muted', 'local-track-ended', 'reconnecting', 'reconnected', 'ended'];
  const idOf = ({ participantId, source }) => 'video-' + participantId.replace('.', '-') + '-' + source;
  window.join = async (options) => {
    const room = await joinRoom({
      url: location.origin.replace('http', 'ws') + '/v1/socket', WebSocket: TestSocket, ...options });
    window.room = room;
    for (const name of NAMES) room.on(name, (argument) => events.push({ name, argument }));
    document.querySelector('#audio').srcObject = room.audio;
    const show = (remote) => {
      const video = Object.assign(document.createElement('video'), {
        id: idOf(remote), autoplay: true, muted: true, srcObject: new MediaStream([remote.track]) });
      document.body.append(video);
    };
    room.tracks.forEach(show);
    room.on('track-added', show);
    room.on('track-removed', (remote) => document.getElementById(idOf(remote))?.remove());
    return room.id;
  };
  /** A track of one colour, as of a screen. */
  window.paint = (colour, width = 320, height = 240) => {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const drawing = canvas.getContext('2d');
    let frame = 0;
    setInterval(() => {
      drawing.fillStyle = colour;
      drawing.fillRect(0, 0, width, height);
      drawing.fillStyle = 'white';
      drawing.fillRect((frame += 4) % width, 0, 8, 8);
    }, 100);
    return canvas.captureStream(10).getVideoTracks()[0];
  };
</script></html>`;

/** Bundles room-client, and returns the files of its test page by their paths. */
export async function buildRoomPage(): Promise<ReadonlyMap<string, ServedFile>> {
  const built = (await build({
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@partyline/source'] },
    build: {
      write: false,
      minify: false,
      lib: { entry: fileURLToPath(import.meta.resolve('@partyline/room-client')), formats: ['es'] },
    },
  })) as Rollup.RollupOutput[];
  const body = built.flatMap(({ output }) => output).map((chunk) => ('code' in chunk ? chunk.code : ''));
  return new Map([
    ['/', { type: 'text/html', body: PAGE }],
    ['/room-client.js', { type: 'text/javascript', body: body.join('\n') }],
  ]);
}
