import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  chromium,
  type Browser as Chromium,
  type BrowserContextOptions,
  type ConsoleMessage,
  type Page,
} from 'playwright-core';
import { findBeside } from '../packages/find-program.ts';
import { findChromium } from '../packages/programs.ts';
import { soundOf, type Microphone } from '../phones/microphone.ts';
import { encodeWav, firstChannel, type Pcm } from '../phones/wav.ts';
import { encodeCamera, type Rgb } from './camera.ts';

export interface BrowserOptions {
  /** What all its pages say. Silence by default. A file is repeated. */
  microphone?: Microphone;
  /** The colour that the camera of all its pages sees. A test picture by default. */
  camera?: Rgb;
  /** Gets notes of a download. */
  log?: (line: string) => void;
}

/** A Chromium without a window, with an empty profile, a microphone and a camera. */
export interface Browser {
  readonly version: string;
  /** Opens a page that shares no cookies and no storage with others. */
  open(url: string, context?: BrowserContextOptions): Promise<Tab>;
  /** Ends the program and removes its profile. */
  stop(): Promise<void>;
}

/** A page, and what it receives through its peer connections. */
export interface Tab {
  readonly page: Page;
  /** Returns the last 0.68 s of all remote audio tracks together, at 48 kHz. */
  heard(): Promise<Pcm>;
  /** Returns the counters of each remote audio track. */
  receivedAudio(): Promise<ReceivedAudio[]>;
  /** Returns the counters of each remote video track. */
  receivedVideo(): Promise<ReceivedVideo[]>;
  /** Returns the colour in the middle of a video element, by its CSS selector. */
  colourOf(selector: string): Promise<Rgb>;
  /** Returns the errors that the page has thrown or logged. */
  problems(): readonly string[];
  close(): Promise<void>;
}

export interface ReceivedAudio {
  readonly trackId: string;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  readonly concealedSamples: number;
  readonly totalSamples: number;
}

export interface ReceivedVideo {
  readonly trackId: string;
  readonly framesDecoded: number;
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number;
}

const MICROPHONE_RATE = 48_000;
const PROBE = join(import.meta.dirname, 'page-probe.js');
const LAUNCH_TIMEOUT_MS = 60_000;

/** Starts a Chromium. It ends with this process, because it reads commands from a pipe of it. */
export async function startBrowser(options: BrowserOptions = {}): Promise<Browser> {
  const program = await findChromium(options.log ?? (() => undefined));
  const folder = mkdtempSync(join(tmpdir(), 'partyline-browser-'));
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('microphone.wav'), encodeWav(soundOf(options.microphone ?? 'silence', MICROPHONE_RATE)));
  if (options.camera) writeFileSync(path('camera.y4m'), encodeCamera(options.camera));
  mkdirSync(path('home'));
  try {
    const browser = await chromium.launch({
      executablePath: program.path,
      timeout: LAUNCH_TIMEOUT_MS,
      args: [
        // Chromium refuses to run as root with its sandbox. It opens only pages of this machine.
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]',
        '--autoplay-policy=no-user-gesture-required',
        '--use-fake-ui-for-media-stream',
        '--use-fake-device-for-media-stream',
        `--use-file-for-fake-audio-capture=${path('microphone.wav')}`,
        ...(options.camera ? [`--use-file-for-fake-video-capture=${path('camera.y4m')}`] : []),
        // Gathers candidates of 127.0.0.1, for machines without a network.
        '--allow-loopback-in-peer-connection',
      ],
      env: {
        PATH: process.env.PATH,
        HOME: path('home'),
        TMPDIR: folder,
        ...program.env,
        ...fontSettings(program.path, folder),
      },
    });
    return new RunningBrowser(browser, folder);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** On a system without fonts, the packages of Chromium include some. */
function fontSettings(programPath: string, folder: string): NodeJS.ProcessEnv {
  const fonts = findBeside({ path: programPath }, '../share/fonts');
  if (fonts === undefined) return {};
  const settings = join(folder, 'fonts.conf');
  writeFileSync(
    settings,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd"><fontconfig>` +
      `<dir>${fonts}</dir><dir>/usr/share/fonts</dir><cachedir>${join(folder, 'fonts')}</cachedir></fontconfig>`,
  );
  return { FONTCONFIG_FILE: settings };
}

class RunningBrowser implements Browser {
  readonly version: string;
  readonly #browser: Chromium;
  readonly #folder: string;

  constructor(browser: Chromium, folder: string) {
    this.version = browser.version();
    this.#browser = browser;
    this.#folder = folder;
  }

  async open(url: string, options: BrowserContextOptions = {}): Promise<Tab> {
    const context = await this.#browser.newContext({ permissions: ['microphone', 'camera'], ...options });
    await context.addInitScript({ path: PROBE });
    const page = await context.newPage();
    const tab = new OpenTab(page);
    await page.goto(url);
    return tab;
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

class OpenTab implements Tab {
  readonly page: Page;
  readonly #problems: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error: Error) => this.#problems.push(error.message));
    page.on('console', (message: ConsoleMessage) => {
      if (message.type() === 'error') this.#problems.push(message.text());
    });
  }

  async heard(): Promise<Pcm> {
    const { rate, samples } = await this.page.evaluate<{ rate: number; samples: string }>('partylineProbe.heard()');
    return { rate, samples: firstChannel(Buffer.from(samples, 'base64'), 1) };
  }

  receivedAudio(): Promise<ReceivedAudio[]> {
    return this.page.evaluate<ReceivedAudio[]>('partylineProbe.receivedAudio()');
  }

  receivedVideo(): Promise<ReceivedVideo[]> {
    return this.page.evaluate<ReceivedVideo[]>('partylineProbe.receivedVideo()');
  }

  colourOf(selector: string): Promise<Rgb> {
    const element = `document.querySelector(${JSON.stringify(selector)})`;
    return this.page.evaluate<Rgb>(`partylineProbe.colourOf(${element})`);
  }

  problems(): readonly string[] {
    return this.#problems;
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}
