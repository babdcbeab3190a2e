import { startBrowser, type Browser, type Tab } from '@partyline/dev/browser/browser';
import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { levelOf } from '@partyline/testing/tones';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startBrowserGateway, type BrowserGateway } from '../testing/browser-gateway.ts';
import { buildRoomPage } from '../testing/room-page.ts';

const ANNA_HZ = 440;
const BOB_HZ = 1000;
/** Tests of a busy machine wait so long for sound and pictures. */
const MEDIA_WAIT = { timeout: 30_000, interval: 200 };

let janus: TestJanus;
let gateway: BrowserGateway;
/** Each says another tone and shows another colour. */
let annas: Browser;
let bobs: Browser;
const tabs: Tab[] = [];
let conference: string;
let conferences = 0;

beforeAll(async () => {
  const files = await buildRoomPage();
  janus = await createTestJanus();
  gateway = await startBrowserGateway(janus, { files });
  annas = await startBrowser({ microphone: { hz: ANNA_HZ, dbfs: -20 }, camera: [0, 200, 0] });
  bobs = await startBrowser({ microphone: { hz: BOB_HZ, dbfs: -20 }, camera: [200, 0, 0] });
});
afterAll(async () => {
  await Promise.all([annas.stop(), bobs.stop()]);
  await gateway.stop();
  await janus.stop();
});
afterEach(async () => {
  await Promise.all(tabs.splice(0).map((tab) => tab.close()));
  conferences += 1;
});

interface Visitor {
  readonly tab: Tab;
  readonly id: string;
}

/** Opens a page, joins with JSON options, and waits until the audio is up. */
async function visit(
  browser: Browser,
  options: Record<string, unknown> = {},
  where = (conference = `conf-${conferences}`),
  context: Parameters<Browser['open']>[1] = {},
): Promise<Visitor> {
  const tab = await browser.open(gateway.origin, context);
  tabs.push(tab);
  const all = { token: gateway.token(where), ...options };
  const id = await tab.page.evaluate<string>(`join(${JSON.stringify(all)})`);
  const visitor = { tab, id };
  await expect.poll(() => summaryOf(visitor), MEDIA_WAIT).toContain('connected');
  return visitor;
}

async function level({ tab }: Visitor, hz: number): Promise<number> {
  const { samples, rate } = await tab.heard();
  return samples.length === 0 ? -144 : levelOf(samples, hz, rate);
}

async function hears(visitor: Visitor, hz: number): Promise<void> {
  await expect.poll(() => level(visitor, hz), MEDIA_WAIT).toBeGreaterThan(-35);
}

async function hearsNothing(visitor: Visitor, hz: number): Promise<void> {
  await expect.poll(() => level(visitor, hz), MEDIA_WAIT).toBeLessThan(-70);
}

/** Waits for more than a second of further sound. */
async function moreSound({ tab }: Visitor): Promise<void> {
  const packets = async (): Promise<number> => (await tab.receivedAudio())[0]?.packetsReceived ?? 0;
  const before = await packets();
  await expect.poll(packets, MEDIA_WAIT).toBeGreaterThan(before + 75);
}

const run = <T>({ tab }: Visitor, script: string): Promise<T> => tab.page.evaluate<T>(script);
const eventNames = (visitor: Visitor) => run<string[]>(visitor, 'events.map(({ name }) => name)');
const selectorOf = ({ id }: Visitor, source: string): string => `#video-${id.replace('.', '-')}-${source}`;

/** The colour of a video of another, once it has one. */
const colour = async (viewer: Visitor, of: Visitor, source: string): Promise<readonly number[] | undefined> => {
  const isShown = `(document.querySelector('${selectorOf(of, source)}')?.videoWidth ?? 0) > 0`;
  return (await run<boolean>(viewer, isShown)) ? viewer.tab.colourOf(selectorOf(of, source)) : undefined;
};
const framesOf = async ({ tab }: Visitor): Promise<number> =>
  (await tab.receivedVideo()).reduce((sum, { framesDecoded }) => sum + framesDecoded, 0);

const summaryOf = ({ id }: Visitor): string[] =>
  gateway
    .webhooks()
    .filter(({ connectionId }) => connectionId === id)
    .map(({ kind, reason }) => `${kind} ${reason}`.trim());

describe('two browsers in one conference', () => {
  it('hear and see each other, and a third in another conference nothing', async () => {
    const anna = await visit(annas, { name: 'Anna', video: true, simulcast: false });
    const bob = await visit(bobs, { name: 'Bob', video: true, simulcast: false });
    const stranger = await visit(annas, {}, 'elsewhere');
    await hears(anna, BOB_HZ);
    await hears(bob, ANNA_HZ);
    await expect.poll(() => colour(bob, anna, 'camera'), MEDIA_WAIT).toSatisfy(isGreen);
    await expect.poll(() => colour(anna, bob, 'camera'), MEDIA_WAIT).toSatisfy(isRed);
    const before = await framesOf(bob);
    await expect.poll(() => framesOf(bob), MEDIA_WAIT).toBeGreaterThan(before + 10);
    for (const hz of [ANNA_HZ, BOB_HZ]) expect(await level(stranger, hz)).toBeLessThan(-70);
    expect(await level(anna, ANNA_HZ)).toBeLessThan(-60);
    expect(await run(anna, 'room.participants')).toMatchObject([{ id: bob.id, name: 'Bob', sources: ['camera'] }]);
    expect(await run(stranger, 'room.participants')).toEqual([]);
    expect(tabs.flatMap((tab) => tab.problems())).toEqual([]);
  });

  it('see who talks', async () => {
    const anna = await visit(annas);
    const bob = await visit(bobs, { audio: false });
    const annas_ = `room.participants.find(({ id }) => id === '${anna.id}')?.isTalking`;
    await expect.poll(() => run(bob, annas_), MEDIA_WAIT).toBe(true);
    await run(anna, 'room.setMuted(true)');
    await expect.poll(() => run(bob, annas_)).toBe(false);
  });

  it('cannot speak when a host has muted them, until a host unmutes them', async () => {
    const anna = await visit(annas);
    const bob = await visit(bobs);
    await hears(bob, ANNA_HZ);
    expect(await gateway.browsers.mute(conference, anna.id, true)).toBe(true);
    await hearsNothing(bob, ANNA_HZ);
    expect(await run(anna, 'room.setMuted(false).catch(({ reason }) => reason)')).toBe('muted-by-host');
    // Even if the page sends sound.
    await run(anna, 'room.microphone.enabled = true');
    await moreSound(bob);
    expect(await level(bob, ANNA_HZ)).toBeLessThan(-70);
    expect(await run(bob, 'room.participants')).toMatchObject([{ isMuted: true, isMutedByHost: true }]);
    await gateway.browsers.mute(conference, anna.id, false);
    await hears(bob, ANNA_HZ);
    expect(await run(anna, 'room.isMuted')).toBe(false);
  });

  it('mute themselves', async () => {
    const anna = await visit(annas);
    const bob = await visit(bobs);
    await hears(bob, ANNA_HZ);
    await run(anna, 'room.setMuted(true)');
    await hearsNothing(bob, ANNA_HZ);
    await expect.poll(() => run(bob, 'room.participants')).toMatchObject([{ isMuted: true, isMutedByHost: false }]);
    await run(anna, 'room.setMuted(false)');
    await hears(bob, ANNA_HZ);
  });

  it('share a screen beside the camera', async () => {
    const anna = await visit(annas, { video: true, simulcast: false });
    const bob = await visit(bobs);
    await expect.poll(() => colour(bob, anna, 'camera'), MEDIA_WAIT).toSatisfy(isGreen);
    await run(anna, "room.shareScreen(paint('rgb(0, 0, 220)'))");
    await expect.poll(() => colour(bob, anna, 'screen'), MEDIA_WAIT).toSatisfy(isBlue);
    expect(await colour(bob, anna, 'camera')).toSatisfy(isGreen);
    await run(anna, 'room.stopSharing()');
    await expect.poll(() => run(bob, 'room.tracks.map(({ source }) => source)')).toEqual(['camera']);
    await run(anna, 'room.setCamera(false)');
    await expect.poll(() => run(bob, 'room.tracks.length')).toBe(0);
    expect(await run(anna, 'room.camera')).toBeNull();
    await run(anna, "room.setCamera(paint('rgb(0, 0, 220)'))");
    await expect.poll(() => colour(bob, anna, 'camera'), MEDIA_WAIT).toSatisfy(isBlue);
  });

  it('share what the user chooses', async () => {
    const anna = await visit(annas);
    const bob = await visit(bobs);
    await run(anna, 'room.shareScreen()');
    await expect.poll(() => framesOf(bob), MEDIA_WAIT).toBeGreaterThan(2);
    // The user stops it in the browser.
    await run(anna, "room.screen.dispatchEvent(new Event('ended'))");
    await expect.poll(() => run(bob, 'room.tracks.length')).toBe(0);
    expect(await eventNames(anna)).toContain('local-track-ended');
  });

  it('choose the size of a camera that is sent in several', async () => {
    const anna = await visit(annas);
    await run(anna, "room.setCamera(paint('rgb(0, 0, 220)', 960, 540))");
    const bob = await visit(bobs);
    const width = async (): Promise<number | undefined> => (await bob.tab.receivedVideo())[0]?.width;
    await expect.poll(() => run(bob, 'room.tracks.length'), MEDIA_WAIT).toBe(1);
    await run(bob, 'room.tracks[0].setQuality({ substream: 0 })');
    await expect.poll(width, MEDIA_WAIT).toBe(240);
    await run(bob, 'room.tracks[0].setQuality({ substream: 1 })');
    await expect.poll(width, MEDIA_WAIT).toBe(480);
    await run(bob, 'room.tracks[0].setQuality({ paused: true })');
    let last = -1;
    const isPaused = async (): Promise<boolean> => last === (last = await framesOf(bob));
    await expect.poll(isPaused, { timeout: 30_000, interval: 500 }).toBe(true);
    // The pause does not hold for the next video on the same media line.
    await run(anna, 'room.setCamera(false)');
    await expect.poll(() => run(bob, 'room.tracks.length')).toBe(0);
    await run(anna, "room.setCamera(paint('rgb(0, 0, 220)', 960, 540))");
    const before = await framesOf(bob);
    await expect.poll(() => framesOf(bob), MEDIA_WAIT).toBeGreaterThan(before + 5);
  });

  it('change the microphone', async () => {
    const anna = await visit(annas, { audio: false });
    const bob = await visit(bobs);
    await hears(anna, BOB_HZ);
    expect(await level(bob, ANNA_HZ)).toBeLessThan(-70);
    const device = '(await room.devices()).microphones[0].deviceId';
    await run(anna, `(async () => room.setMicrophone(${device}))()`);
    await hears(bob, ANNA_HZ);
    await run(anna, 'room.setMicrophone(false)');
    await hearsNothing(bob, ANNA_HZ);
  });
});

describe('a browser without permissions', () => {
  it('listens', async () => {
    const anna = await visit(annas);
    const bob = await visit(bobs, { audio: false }, conference, { permissions: [] });
    await hears(bob, ANNA_HZ);
    expect(await run(anna, 'room.participants')).toMatchObject([{ id: bob.id, kind: 'browser' }]);
  });
});

describe('a browser whose socket broke', () => {
  it('takes over its connection within ten seconds, with its sound and pictures', async () => {
    const anna = await visit(annas, { video: true, simulcast: false });
    const bob = await visit(bobs, { video: true, simulcast: false });
    await hears(bob, ANNA_HZ);
    await expect.poll(() => colour(anna, bob, 'camera'), MEDIA_WAIT).toSatisfy(isRed);
    const users = await iceUsers(anna);
    await run(anna, 'blockedUntil = Date.now() + 4_000; sockets.at(-1).close()');
    await expect.poll(() => run(anna, 'room.state')).toBe('reconnecting');
    await run(anna, 'room.setMuted(true)');
    await expect.poll(() => run(anna, 'room.state')).toBe('joined');
    expect(await eventNames(anna)).toEqual(expect.arrayContaining(['reconnecting', 'reconnected']));
    // ICE is negotiated anew for all peer connections, which stay the same.
    await expect.poll(async () => (await iceUsers(anna)).filter((user) => users.includes(user))).toEqual([]);
    expect(await iceUsers(anna)).toHaveLength(3);
    await expect.poll(() => run(bob, 'room.participants')).toMatchObject([{ isMuted: true }]);
    expect(await run(anna, 'room.microphone.enabled')).toBe(false);
    await run(anna, 'room.setMuted(false)');
    await hears(bob, ANNA_HZ);
    await hears(anna, BOB_HZ);
    for (const visitor of [anna, bob]) {
      const before = await framesOf(visitor);
      await expect.poll(() => framesOf(visitor), MEDIA_WAIT).toBeGreaterThan(before + 10);
    }
    expect(summaryOf(anna)).toEqual(['connected']);
    expect((await eventNames(bob)).filter((name) => name === 'participant-left')).toEqual([]);
  });

  it('learns that it came too late', async () => {
    const anna = await visit(annas);
    await run(anna, 'blockedUntil = Date.now() + 11_000; sockets.at(-1).close()');
    await expect.poll(() => summaryOf(anna)).toEqual(['connected', 'disconnected timeout']);
    await expect.poll(() => run(anna, 'events.at(-1)')).toEqual({ name: 'ended', argument: 'timeout' });
  });
});

const iceUsers = (visitor: Visitor): Promise<string[]> =>
  run(
    visitor,
    `connections.filter(({ connectionState }) => connectionState === 'connected')
      .map(({ localDescription }) => /a=ice-ufrag:(\\S+)/.exec(localDescription.sdp)[1])`,
  );

describe('a browser whose peer connections end', () => {
  it('makes new ones, and stays connected', async () => {
    const anna = await visit(annas, { video: true, simulcast: false });
    const bob = await visit(bobs, { video: true, simulcast: false });
    await hears(bob, ANNA_HZ);
    await expect.poll(() => colour(anna, bob, 'camera'), MEDIA_WAIT).toSatisfy(isRed);
    const closed = await run<number>(anna, 'connections.splice(0).map((connection) => connection.close()).length');
    expect(closed).toBe(3);
    await expect.poll(() => run<number>(anna, 'connections.length')).toBe(3);
    await hears(anna, BOB_HZ);
    await hears(bob, ANNA_HZ);
    await expect.poll(() => colour(anna, bob, 'camera'), MEDIA_WAIT).toSatisfy(isRed);
    await expect.poll(() => colour(bob, anna, 'camera'), MEDIA_WAIT).toSatisfy(isGreen);
    expect(summaryOf(anna)).toEqual(['connected']);
  });
});

describe('the end', () => {
  it('is reported once when a browser leaves', async () => {
    const anna = await visit(annas);
    await run(anna, 'room.leave()');
    expect(await run(anna, 'events.at(-1)')).toEqual({ name: 'ended', argument: 'left' });
    await expect.poll(() => summaryOf(anna)).toEqual(['connected', 'disconnected left']);
    expect(await run(anna, 'room.setCamera(true).catch(({ reason }) => reason)')).toBe('ended');
  });

  it('is reported when a page is closed', async () => {
    const anna = await visit(annas);
    await tabs.pop()?.close();
    await expect.poll(() => summaryOf(anna).length).toBe(2);
    expect(summaryOf(anna)[1]).toMatch(/^disconnected (left|timeout)$/);
  });

  it('is told to a browser that is disconnected', async () => {
    const anna = await visit(annas);
    await gateway.browsers.disconnect(conference, anna.id);
    await expect.poll(() => run(anna, 'events.at(-1)')).toEqual({ name: 'ended', argument: 'kicked' });
    expect(await run(anna, 'room.microphone.readyState')).toBe('ended');
  });

  it('is a rejection for a browser without a valid token', async () => {
    const tab = await annas.open(gateway.origin);
    tabs.push(tab);
    expect(await tab.page.evaluate("join({ token: 'x' }).catch(({ reason }) => reason)")).toBe('token-rejected');
  });

  it('is told when Janus dies', async () => {
    const anna = await visit(annas);
    await janus.crash();
    await expect.poll(() => run(anna, 'events.at(-1)')).toEqual({ name: 'ended', argument: 'gateway-lost' });
    await expect.poll(() => summaryOf(anna)).toEqual(['connected', 'disconnected gateway-lost']);
  });
});

type Colour = readonly number[] | undefined;
const isMostly = (index: number) => (rgb: Colour) =>
  rgb !== undefined && rgb.every((part, at) => (at === index ? part > 120 : part < 100));
const isRed = isMostly(0);
const isGreen = isMostly(1);
const isBlue = isMostly(2);
