import { startBrowser, type Browser, type Tab } from '@partyline/dev/browser/browser';
import type { Log } from '@partyline/dev/processes/processes';
import { levelOf } from '@partyline/testing/tones';

/** A person with a browser, who speaks in one tone and wears one colour. */
export interface Participant {
  readonly name: string;
  readonly hz: number;
  readonly browser: Browser;
  readonly tab: Tab;
}

/** What the page of the demo offers to this process (room-page.ts). */
interface DemoPage {
  join(options: { url: string; token: string; name: string }): Promise<string>;
  room: { microphone: { enabled: boolean } | null };
  ended?: string;
}

const TONE_DBFS = -20;

/** Opens the page in a browser of its own, and joins. Resolves when its audio is connected. */
export async function joinByBrowser(
  pageUrl: string,
  { name, hz, camera }: { name: string; hz: number; camera: readonly [number, number, number] },
  client: { readonly application: string; readonly token: string },
  log: Log,
): Promise<Participant> {
  const browser = await startBrowser({ microphone: { hz, dbfs: TONE_DBFS }, camera, log });
  const tab = await browser.open(pageUrl);
  await tab.page.waitForFunction('typeof join === "function"');
  await tab.page.evaluate((options) => (globalThis as unknown as DemoPage).join(options), {
    url: client.application,
    token: client.token,
    name,
  });
  return { name, hz, browser, tab };
}

/** The level of a tone in what a browser hears, in dBFS. */
export async function browserHears({ tab }: Participant, hz: number): Promise<number> {
  const { samples, rate } = await tab.heard();
  return samples.length === 0 ? -120 : levelOf(samples, hz, rate);
}

/** Switches the microphone on or off, in the browser alone. Returns when, in milliseconds since 1970. */
export const setMicrophone = ({ tab }: Participant, enabled: boolean): Promise<number> =>
  tab.page.evaluate((isOn) => {
    const { microphone } = (globalThis as unknown as DemoPage).room;
    if (microphone) microphone.enabled = isOn;
    return Date.now();
  }, enabled);

/** How many video frames of others a browser has decoded. */
export async function framesDecoded({ tab }: Participant): Promise<number> {
  return (await tab.receivedVideo()).reduce((sum, { framesDecoded: frames }) => sum + frames, 0);
}

/** Whether the page was told that its participation has ended. */
export const hasEnded = ({ tab }: Participant): Promise<boolean> =>
  tab.page.evaluate(() => (globalThis as unknown as DemoPage).ended !== undefined);
