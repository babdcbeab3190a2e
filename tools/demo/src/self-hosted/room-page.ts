import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build, type Rollup } from 'vite';

/**
 * A page that joins a room with room-client. `join({ url, token, name })` resolves when the page is
 * in; `room` is the room, and `ended` the reason of its end.
 */
const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Partyline demo</title>
<link rel="icon" href="data:,">
<style>
  body { margin: 0; background: #14181f; color: #e8ecf2; font: 16px system-ui, sans-serif; }
  main { display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 12px; padding: 12px; }
  figure { margin: 0; border-radius: 8px; overflow: hidden; background: #222833; }
  video { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: cover; }
  figcaption { padding: 8px 12px; }
</style>
<main></main>
<audio autoplay></audio>
<script type="module">
  import { joinRoom } from '/room-client.js';
  const show = (id, name, track, isOwn) => {
    const figure = document.createElement('figure');
    figure.id = id;
    const video = Object.assign(document.createElement('video'), { autoplay: true, muted: true, playsInline: true });
    video.srcObject = new MediaStream([track]);
    figure.append(video, Object.assign(document.createElement('figcaption'), { textContent: isOwn ? name + ' (you)' : name }));
    document.querySelector('main').append(figure);
  };
  window.join = async (options) => {
    const room = (window.room = await joinRoom({ ...options, audio: true, video: true }));
    document.querySelector('audio').srcObject = room.audio;
    const nameOf = (id) => room.participants.find((each) => each.id === id)?.name ?? 'Guest';
    const showRemote = ({ participantId, source, track }) =>
      show('remote-' + participantId + '-' + source, nameOf(participantId), track, false);
    if (room.camera) show('own', options.name, room.camera, true);
    room.tracks.forEach(showRemote);
    room.on('track-added', showRemote);
    room.on('track-removed', ({ participantId, source }) =>
      document.getElementById('remote-' + participantId + '-' + source)?.remove());
    room.on('ended', (reason) => (window.ended = reason));
    return room.id;
  };
</script>
`;

/** Serves the page on loopback. */
export async function servePage(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const client = await bundleRoomClient();
  const server = createServer((request, response) => {
    const isClient = request.url === '/room-client.js';
    response.setHeader('content-type', isClient ? 'text/javascript' : 'text/html');
    response.end(isClient ? client : PAGE);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function bundleRoomClient(): Promise<string> {
  const built = (await build({
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@partyline/source'] },
    build: {
      write: false,
      lib: { entry: fileURLToPath(import.meta.resolve('@partyline/room-client')), formats: ['es'] },
    },
  })) as Rollup.RollupOutput[];
  return built.flatMap(({ output }) => output.map((chunk) => ('code' in chunk ? chunk.code : ''))).join('\n');
}
