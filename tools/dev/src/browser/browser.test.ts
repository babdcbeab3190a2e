import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { levelOf } from '@partyline/testing/tones';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser, type Browser, type Tab } from './browser.ts';

const PAGE = `<!doctype html><html lang="en"><title>Peer</title>
<style>body { background: rgb(20, 120, 220) }</style><h1>Peer</h1><video id="remote" autoplay muted playsinline></video>
<script>
  const gathered = (pc) => new Promise((done) => {
    if (pc.iceGatheringState === 'complete') return done();
    pc.addEventListener('icegatheringstatechange', () => pc.iceGatheringState === 'complete' && done());
  });
  async function connect() {
    const pc = new RTCPeerConnection();
    pc.addEventListener('track', ({ track, streams }) => {
      if (track.kind === 'video') document.querySelector('#remote').srcObject = streams[0];
    });
    const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    for (const track of media.getTracks()) pc.addTrack(track, media);
    window.pc = pc;
    return pc;
  }
  async function offer() {
    const pc = await connect();
    await pc.setLocalDescription();
    await gathered(pc);
    return pc.localDescription.sdp;
  }
  async function answer(sdp) {
    const pc = await connect();
    await pc.setRemoteDescription({ type: 'offer', sdp });
    await pc.setLocalDescription();
    await gathered(pc);
    return pc.localDescription.sdp;
  }
</script></html>`;

let server: Server;
let url: string;
let green: Browser;
let red: Browser;

beforeAll(async () => {
  server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(PAGE));
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  green = await startBrowser({ microphone: { hz: 440, dbfs: -20 }, camera: [0, 200, 0] });
  red = await startBrowser({ microphone: { hz: 1000, dbfs: -26 }, camera: [200, 0, 0] });
});

afterAll(async () => {
  await Promise.all([green.stop(), red.stop()]);
  server.closeAllConnections();
  server.close();
});

async function connectTabs(one: Tab, two: Tab): Promise<void> {
  const sdp = await one.page.evaluate<string>('offer()');
  const answer = await two.page.evaluate<string>(`answer(${JSON.stringify(sdp)})`);
  await one.page.evaluate(`pc.setRemoteDescription({ type: 'answer', sdp: ${JSON.stringify(answer)} })`);
}

async function heardLevel(tab: Tab, hz: number): Promise<number> {
  const { samples, rate } = await tab.heard();
  return levelOf(samples, hz, rate);
}

describe('Chromium', () => {
  it('hears and sees the page of another Chromium', async () => {
    const [one, two] = [await green.open(url), await red.open(url)];
    await connectTabs(one, two);

    await expect.poll(() => heardLevel(one, 1000)).toBeCloseTo(-26, 0);
    await expect.poll(() => heardLevel(two, 440)).toBeCloseTo(-20, 0);
    expect(await heardLevel(one, 440)).toBeLessThan(-60);
    expect(await heardLevel(two, 1000)).toBeLessThan(-60);
    await expect.poll(async () => (await one.receivedVideo())[0]?.framesDecoded).toBeGreaterThan(30);
    await expect.poll(async () => (await two.receivedVideo())[0]?.width).toBeGreaterThan(100);
    await expect.poll(async () => (await one.receivedAudio())[0]?.packetsReceived).toBeGreaterThan(20);
    const [redPart, greenPart] = await one.colourOf('#remote');
    expect(redPart).toBeGreaterThan(150);
    expect(greenPart).toBeLessThan(50);
    expect([...one.problems(), ...two.problems()]).toEqual([]);
    await Promise.all([one.close(), two.close()]);
  });

  it('isolates the pages of one Chromium', async () => {
    const [one, two] = [await green.open(url), await green.open(url)];
    await one.page.evaluate("document.cookie = 'who=one'; localStorage.setItem('who', 'one')");

    expect(await two.page.evaluate('[document.cookie, localStorage.getItem("who")]')).toEqual(['', null]);
    await Promise.all([one.close(), two.close()]);
  });

  it('draws pages', async () => {
    const tab = await green.open(url);
    const picture = await tab.page.screenshot();
    await tab.page.setContent(`<img id="picture" src="data:image/png;base64,${picture.toString('base64')}">`);
    const colours = await tab.page.evaluate<number[][]>(`(async () => {
      const image = document.querySelector('#picture');
      await image.decode();
      const canvas = new OffscreenCanvas(image.width, 100);
      const drawing = canvas.getContext('2d');
      drawing.drawImage(image, 0, 0);
      const { data } = drawing.getImageData(0, 0, image.width, 100);
      const colours = new Map();
      for (let at = 0; at < data.length; at += 4) colours.set(String(data.slice(at, at + 3)), [...data.slice(at, at + 3)]);
      return [...colours.values()];
    })()`);

    expect(colours).toContainEqual([20, 120, 220]);
    // The letters of the heading.
    expect(colours).toContainEqual([0, 0, 0]);
    await tab.close();
  });

  it('reports the errors of a page', async () => {
    const tab = await green.open(url);
    await tab.page.evaluate("setTimeout(() => { throw new Error('broken') })");

    await expect.poll(() => tab.problems()).toEqual(['broken']);
    await tab.close();
  });
});
