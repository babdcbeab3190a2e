import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBaresip } from '../packages/programs.ts';
import { startChild, type Child } from '../processes/child.ts';
import { findFreePort, reserveMediaPorts, type PortWindow } from '../processes/ports.ts';
import { waitUntilReady } from '../processes/readiness.ts';
import { createSelfSignedCertificate } from '@partyline/testing/certificate';
import {
  CERTIFICATE_FILE,
  CODECS,
  describeAccount,
  describeConfig,
  MICROPHONE_FILE,
  type BaresipAccount,
  type Codec,
  type Registration,
} from './baresip-config.ts';
import { preventEncoderDumps } from './encoder-dumps.ts';
import { openControl, type ControlAddress, type ControlConnection, type ControlEvent } from './control-connection.ts';
import { MIN_MICROPHONE_SECONDS, soundOf, type Microphone } from './microphone.ts';
import type { OwnNetwork } from './own-network.ts';
import { PhoneEvents, type PhoneEvent, type PhoneEventKind } from './phone-events.ts';
import type { Phone } from './phone.ts';
import { Recording, type Window } from './recording.ts';
import type { SipMessage } from './sip-message.ts';
import { sipTraceReader } from './sip-trace.ts';
import { encodeWav, type Pcm } from './wav.ts';

export interface BaresipOptions {
  /** The loopback address of its SIP; its sound is at 127.0.0.1. 127.0.0.1 by default. */
  address?: string;
  /** Runs the phone there, with all its addresses. */
  network?: OwnNetwork;
  /** The user of its SIP URI. */
  user: string;
  displayName?: string;
  /** The domain of its SIP URI. Its own address by default. */
  domain?: string;
  registration?: Registration;
  /** A proxy that gets all its requests, e.g. `127.0.0.1:5060`. The registrar by default. */
  outboundProxy?: string;
  /** Signals by TLS and encrypts its sound. It listens for TLS on the port after its own. */
  encrypts?: boolean;
  /** In order of preference. PCMU and PCMA by default. */
  codecs?: readonly [Codec, ...Codec[]];
  ptimeMs?: number;
  /** Silence by default. */
  microphone?: Microphone;
  /** Whether it answers by itself. `manual` by default. */
  answer?: 'auto' | 'manual';
  /** It refuses further calls with 486. One by default. */
  maxCalls?: number;
  /** Packets that its jitter buffer holds, at least and at most. Without, it plays what arrives. */
  jitterBuffer?: readonly [min: number, max: number];
  logFile?: string;
  /** Gets notes of a download. */
  log?: (line: string) => void;
}

/** A baresip that is a phone with sound, keys and one line. */
export interface BaresipPhone extends Phone {
  readonly sipPort: number;
  /** Calls a SIP URI. Resolves when the call is placed; wait for `established` or `closed`. */
  dial(uri: string): Promise<void>;
  /** Answers an incoming call. */
  answer(): Promise<void>;
  /** Ends the call, cancels it while it rings there, or refuses it with 486 while it rings here. */
  hangUp(): Promise<void>;
  /**
   * Sends keys as telephone-events of RFC 4733, in the stream of its sound. Resolves at once; each
   * key takes about 240 ms.
   */
  pressKeys(keys: string): Promise<void>;
  /** Puts the call on hold by a re-INVITE. */
  hold(): Promise<void>;
  resume(): Promise<void>;
  setMuted(muted: boolean): Promise<void>;
  setAnswer(answer: 'auto' | 'manual'): Promise<void>;
  /** Refers the other side to a SIP URI (blind transfer). */
  transfer(uri: string): Promise<void>;
  /** Changes what it says, also during a call. A file needs the rate of the one before. */
  speak(microphone: Microphone): Promise<void>;
  /**
   * Returns what it heard in its latest call: in a window of time, or all of it. Silence stands
   * where no packets arrived. Sound in stereo is reduced to its left channel.
   */
  heard(window?: Window): Pcm;
  /** The file with what it has heard in its latest call, without the silence between packets. */
  heardFile(): string | undefined;
  /** Returns the keys that the other side pressed in the latest call. */
  keysReceived(): string;
  /** All events, oldest first. */
  events(): readonly PhoneEvent[];
  /** Returns the next event of a kind that no earlier wait returned. Rejects after 30 s by default. */
  waitFor(kind: PhoneEventKind, withinMs?: number): Promise<PhoneEvent>;
}

/** A call takes two of them at random, and tries others if they are taken. */
const RTP_PORTS = 100;
const DEFAULT_CODECS: readonly [Codec, ...Codec[]] = ['PCMU', 'PCMA'];
const DEFAULT_PTIME_MS = 20;
const MAX_BIND_ATTEMPTS = 3;
/** It sends its BYEs at once, and would then wait for the answer of a vanished peer. */
const STOP_TIMEOUT_MS = 2000;
const DUMP_LINE = /sndfile: dumping decode audio to (\S+)/;

const EVENT_KINDS: Readonly<Record<string, PhoneEventKind>> = {
  REGISTER_OK: 'registered',
  REGISTER_FAIL: 'registration-failed',
  CALL_INCOMING: 'incoming',
  CALL_RINGING: 'ringing',
  CALL_ESTABLISHED: 'established',
  CALL_CLOSED: 'closed',
};

/** Starts a baresip 1.0.0 on a free port of loopback, with an empty folder of its own. */
export async function startBaresip(options: BaresipOptions): Promise<BaresipPhone> {
  const program = await findBaresip(options.log ?? (() => undefined));
  const codecs = options.codecs ?? DEFAULT_CODECS;
  const mainAddress = options.network?.address ?? '127.0.0.1';
  const address = options.address ?? mainAddress;
  const sound = soundOf(options.microphone ?? 'silence', CODECS[codecs[0]].rate);
  for (let attempt = 1; ; attempt += 1) {
    const sipPort = await findFreePort();
    const controlPort = await findFreePort();
    const rtpPorts = await reserveMediaPorts(RTP_PORTS);
    const folder = mkdtempSync(join(tmpdir(), 'partyline-baresip-'));
    const account: BaresipAccount = {
      domain: `${address}:${sipPort}`,
      answer: 'manual',
      ptimeMs: DEFAULT_PTIME_MS,
      ...options,
      codecs,
    };
    const config = describeConfig({
      address,
      mainAddress,
      sipPort,
      controlPort,
      modules: program.modules,
      codecs,
      microphoneRate: sound.rate,
      maxCalls: options.maxCalls ?? 1,
      rtpPorts,
      ...(options.jitterBuffer && { jitterBuffer: options.jitterBuffer }),
      ...(options.encrypts && { encrypts: true }),
    });
    writeFileSync(join(folder, 'config'), config);
    writeFileSync(join(folder, MICROPHONE_FILE), encodeWav(sound));
    if (options.encrypts) {
      const { cert, key } = createSelfSignedCertificate(address);
      writeFileSync(join(folder, CERTIFICATE_FILE), `${key}\n${cert}`);
    }
    // -s logs each SIP message.
    const args = ['-f', '.', '-s'];
    const child = startChild({
      name: `baresip ${options.user}`,
      ...(options.network?.commandOf(program.path, args) ?? { command: program.path, args }),
      env: { PATH: process.env.PATH, HOME: folder, TZ: 'UTC0', ...program.env },
      cwd: folder,
      stopTimeoutMs: STOP_TIMEOUT_MS,
      ...(options.logFile !== undefined && { logFile: options.logFile }),
    });
    const phone = new RunningBaresip(options.user, { address, sipPort }, rtpPorts, folder, child, sound.rate);
    try {
      await waitUntilReady(child, { line: /baresip is ready/ });
      await phone.connect({ host: mainAddress, port: controlPort }, describeAccount(account));
      return phone;
    } catch (error) {
      await phone.stop();
      // Another process bound a port after the probe (EADDRINUSE is 98).
      if (attempt < MAX_BIND_ATTEMPTS && /in use|exit code 98/i.test(String(error))) continue;
      throw error;
    }
  }
}

class RunningBaresip implements BaresipPhone {
  readonly name: string;
  readonly uri: string;
  readonly sipPort: number;
  readonly #rtpPorts: PortWindow;
  readonly #folder: string;
  readonly #child: Child;
  readonly #microphoneRate: number;
  readonly #messages: SipMessage[] = [];
  readonly #events = new PhoneEvents();
  #control: ControlConnection | undefined;
  readonly #stopBlocking: () => void;
  #recording: Recording | undefined;
  #isFirstSound = true;
  #keys = '';
  #muted = false;
  #frozen = false;
  #repetition: NodeJS.Timeout | undefined;

  constructor(
    user: string,
    { address, sipPort }: { readonly address: string; readonly sipPort: number },
    rtpPorts: PortWindow,
    folder: string,
    child: Child,
    microphoneRate: number,
  ) {
    this.#rtpPorts = rtpPorts;
    this.name = user;
    this.uri = `sip:${user}@${address}:${sipPort}`;
    this.sipPort = sipPort;
    this.#folder = folder;
    this.#child = child;
    this.#microphoneRate = microphoneRate;
    this.#stopBlocking = preventEncoderDumps(folder);
    const readTrace = sipTraceReader(`${address}:${sipPort}`, (message) => this.#messages.push(message));
    child.onLine((line) => {
      if (readTrace(line)) return;
      const dump = DUMP_LINE.exec(line)?.[1];
      if (dump !== undefined) this.#follow(join(folder, dump));
    });
  }

  async connect(control: ControlAddress, account: string): Promise<void> {
    this.#control = await openControl(control, (event) => this.#handle(event));
    // Not from a file: it would register before this connection hears of it.
    await this.#run('uanew', account);
  }

  messages(): readonly SipMessage[] {
    return this.#messages;
  }

  events(): readonly PhoneEvent[] {
    return this.#events.all();
  }

  waitFor(kind: PhoneEventKind, withinMs?: number): Promise<PhoneEvent> {
    return this.#events.next(kind, () => `Last output of ${this.#child.name}:\n${this.#child.tail()}`, withinMs);
  }

  async dial(uri: string): Promise<void> {
    await this.#run('dial', uri);
  }

  async answer(): Promise<void> {
    await this.#run('accept');
  }

  async hangUp(): Promise<void> {
    await this.#run('hangup');
  }

  async pressKeys(keys: string): Promise<void> {
    if (!/^[0-9*#A-D]+$/.test(keys)) throw new Error('Keys are 0 to 9, *, #, and A to D.');
    await this.#run('sndcode', keys);
  }

  async hold(): Promise<void> {
    await this.#run('hold');
  }

  async resume(): Promise<void> {
    await this.#run('resume');
  }

  async setMuted(muted: boolean): Promise<void> {
    // The command toggles.
    if (muted !== this.#muted) await this.#run('mute');
    this.#muted = muted;
  }

  async setAnswer(answer: 'auto' | 'manual'): Promise<void> {
    await this.#run('answermode', answer);
  }

  async transfer(uri: string): Promise<void> {
    await this.#run('transfer', uri);
  }

  async speak(microphone: Microphone): Promise<void> {
    const sound = soundOf(microphone, this.#microphoneRate);
    if (sound.rate !== this.#microphoneRate)
      throw new Error(`This phone needs sound at ${this.#microphoneRate} Hz, not at ${sound.rate} Hz.`);
    writeFileSync(join(this.#folder, MICROPHONE_FILE), encodeWav(sound));
    await this.#restartMicrophone();
  }

  heard(window?: Window): Pcm {
    return this.#recording?.cut(window) ?? { samples: new Int16Array(), rate: this.#microphoneRate };
  }

  heardFile(): string | undefined {
    return this.#recording?.path;
  }

  keysReceived(): string {
    return this.#keys;
  }

  freeze(): void {
    this.#frozen = true;
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#frozen = false;
    this.#child.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    // It would send a BYE when it continues.
    if (this.#frozen) return this.vanish();
    await this.#child.stop();
    this.#tidy();
  }

  async vanish(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#child.ended;
    this.#tidy();
  }

  #tidy(): void {
    clearInterval(this.#repetition);
    this.#stopBlocking();
    this.#rtpPorts.release();
    this.#recording?.close();
    this.#control?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #run(command: string, params?: string): Promise<string> {
    if (!this.#control) throw new Error(`${this.#child.name} is not ready.`);
    return this.#control.run(command, params);
  }

  #handle(event: ControlEvent): void {
    const base = {
      atMs: Date.now(),
      ...(event.id !== undefined && { callId: event.id }),
      ...(event.peeruri !== undefined && { peer: event.peeruri }),
    };
    if (event.type === 'CALL_DTMF_START') {
      this.#keys += event.param ?? '';
      this.#events.add({ kind: 'key', ...base, key: event.param ?? '' });
      return;
    }
    const kind = EVENT_KINDS[event.type];
    if (kind === undefined) return;
    if (kind === 'established') this.#startCall();
    if (kind === 'closed') this.#endCall();
    this.#events.add({ kind, ...base, ...(event.param !== undefined && { reason: event.param }) });
  }

  #startCall(): void {
    this.#keys = '';
    this.#muted = false;
    clearInterval(this.#repetition);
    // At the end of the file, baresip would end the call.
    this.#repetition = setInterval(
      () => {
        this.#restartMicrophone().catch(() => undefined);
      },
      (MIN_MICROPHONE_SECONDS * 1000) / 2,
    );
    this.#repetition.unref();
  }

  #endCall(): void {
    clearInterval(this.#repetition);
    this.#recording?.close();
    this.#isFirstSound = true;
  }

  async #restartMicrophone(): Promise<void> {
    await this.#run('ausrc', `aufile,${MICROPHONE_FILE}`);
  }

  #follow(path: string): void {
    if (this.#isFirstSound) {
      this.#recording?.close();
      this.#recording = new Recording();
      this.#isFirstSound = false;
    }
    this.#recording?.follow(path);
  }
}
