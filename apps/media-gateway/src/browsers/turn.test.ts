import { startBrowser, type Browser, type Tab } from '@partyline/dev/browser/browser';
import { startCoturn, type TurnServer } from '@partyline/dev/turn/coturn';
import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { levelOf } from '@partyline/testing/tones';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startBrowserGateway, type BrowserGateway } from '../testing/browser-gateway.ts';
import { buildRoomPage } from '../testing/room-page.ts';

const [RELAYED_HZ, DIRECT_HZ] = [440, 1000];
const MEDIA_WAIT = { timeout: 30_000, interval: 200 };

let turn: TurnServer;
let janus: TestJanus;
let gateway: BrowserGateway;
let relayedBrowser: Browser;
let directBrowser: Browser;
beforeAll(async () => {
  const files = await buildRoomPage();
  [turn, janus] = await Promise.all([startCoturn(), createTestJanus()]);
  const ice = { stunUrls: [], turnUrls: [turn.url], turnSecret: turn.secret };
  gateway = await startBrowserGateway(janus, { files, ice });
  const start = (hz: number) => startBrowser({ microphone: { hz, dbfs: -20 }, camera: [0, 200, 0] });
  [relayedBrowser, directBrowser] = await Promise.all([start(RELAYED_HZ), start(DIRECT_HZ)]);
});
afterAll(async () => {
  await Promise.all([relayedBrowser.stop(), directBrowser.stop()]);
  await gateway.stop();
  await Promise.all([janus.stop(), turn.stop()]);
});

async function visit(browser: Browser, icePolicy: 'all' | 'relay'): Promise<Tab> {
  const tab = await browser.open(gateway.origin);
  await tab.page.evaluate(`window.icePolicy = '${icePolicy}'`);
  await tab.page.evaluate(`join(${JSON.stringify({ token: gateway.token('conf') })})`);
  return tab;
}

async function level(tab: Tab, hz: number): Promise<number> {
  const { samples, rate } = await tab.heard();
  return samples.length === 0 ? -144 : levelOf(samples, hz, rate);
}

/** The kinds of the local candidates that carry the media of a page. */
const usedCandidates = (tab: Tab): Promise<string[]> =>
  tab.page.evaluate(`Promise.all(connections.map(async (connection) => {
    const stats = [...(await connection.getStats()).values()];
    const pair = stats.find(({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded');
    return stats.find(({ id }) => id === pair?.localCandidateId)?.candidateType ?? 'none';
  }))`);

it('a browser that reaches nothing but the TURN server hears, and is heard', async () => {
  const [relayed, direct] = [await visit(relayedBrowser, 'relay'), await visit(directBrowser, 'all')];
  await expect.poll(() => level(relayed, DIRECT_HZ), MEDIA_WAIT).toBeGreaterThan(-35);
  await expect.poll(() => level(direct, RELAYED_HZ), MEDIA_WAIT).toBeGreaterThan(-35);
  expect(new Set(await usedCandidates(relayed))).toEqual(new Set(['relay']));
});
