import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findSipp } from '../packages/programs.ts';
import { startChild, type Child } from '../processes/child.ts';
import { findFreePort, reserveMediaPorts } from '../processes/ports.ts';
import { encodePcap } from './pcap.ts';
import type { Phone } from './phone.ts';
import type { SipMessage } from './sip-message.ts';
import { parseSippLog, parseSippStatistics, type SippStatistics } from './sipp-log.ts';
import { describeScenario, type Scenario } from './sipp-scenario.ts';

export interface SippOptions {
  scenario: Scenario;
  /** Where a caller sends its calls, e.g. `127.0.0.1:5060`. */
  target?: string;
  /** Ends after this number of calls. One by default for a caller, unlimited for a callee. */
  calls?: number;
  /** New calls of a caller per second. All at once by default. */
  callsPerSecond?: number;
  /** Calls of a caller that are up at the same time, at most. */
  maxCallsUp?: number;
  logFile?: string;
  /** Gets notes of a download. */
  log?: (line: string) => void;
}

export interface SippResult extends SippStatistics {
  /** 0 if all calls went as the scenario says. */
  readonly exitCode: number | null;
  /** What SIPp says about calls that did not go as the scenario says. */
  readonly errors: string;
}

/** A SIPp that plays one scenario. */
export interface SippPhone extends Phone {
  readonly sipPort: number;
  /** Resolves when SIPp has ended: after its calls, or by `stop`. */
  readonly finished: Promise<SippResult>;
}

/** SIPp sends sound through raw sockets, so that each call has its own source port. */
export const canSendSound = process.getuid?.() === 0;

const POLL_MS = 10;
const READY_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 2000;
/** A caller starts its calls within one period. */
const AT_ONCE_PER_SECOND = 1000;

/** Starts a SIPp 3.6 on a free port of loopback, with an empty folder of its own. */
export async function startSipp(options: SippOptions): Promise<SippPhone> {
  const { scenario } = options;
  const script = describeScenario(scenario);
  if (script.captures.size > 0 && !canSendSound) throw new Error('SIPp needs root to send sound; baresip does not.');
  const program = await findSipp(options.log ?? (() => undefined));
  const [sipPort, controlPort] = [await findFreePort(), await findFreePort()];
  // SIPp opens two ports for audio and two for video, and ends if one is taken.
  const media = await reserveMediaPorts(4);
  const folder = mkdtempSync(join(tmpdir(), 'partyline-sipp-'));
  const path = (name: string): string => join(folder, name);
  const calls = options.calls ?? (scenario.kind === 'caller' ? 1 : undefined);
  // Only the first call has the port that SIPp has opened.
  const mediaKeyword = calls === 1 ? '[media_port]' : '[auto_media_port]';
  writeFileSync(path('scenario.xml'), script.xml.replaceAll('[MEDIA_PORT]', mediaKeyword));
  for (const [name, packets] of script.captures) writeFileSync(path(name), encodePcap(packets));
  const child = startChild({
    name: 'sipp',
    command: program.path,
    args: describeArguments(options, { sipPort, mediaPort: media.first, controlPort, calls }),
    env: { PATH: process.env.PATH, TZ: 'UTC0', TERM: 'xterm', ...program.env },
    cwd: folder,
    stopTimeoutMs: STOP_TIMEOUT_MS,
    ...(options.logFile !== undefined && { logFile: options.logFile }),
  });
  const phone = new RunningSipp(scenario, sipPort, folder, child);
  void child.ended.then(() => media.release());
  if (scenario.kind === 'callee') await waitUntilReady(phone, child);
  return phone;
}

function describeArguments(
  { scenario, target, callsPerSecond = AT_ONCE_PER_SECOND, maxCallsUp }: SippOptions,
  ports: { sipPort: number; mediaPort: number; controlPort: number; calls: number | undefined },
): string[] {
  const options: Record<string, string | number | undefined> = {
    '-sf': 'scenario.xml',
    '-i': '127.0.0.1',
    '-p': ports.sipPort,
    '-mi': '127.0.0.1',
    '-mp': ports.mediaPort,
    '-ci': '127.0.0.1',
    '-cp': ports.controlPort,
    '-m': ports.calls,
    '-r': scenario.kind === 'caller' ? callsPerSecond : undefined,
    '-l': maxCallsUp,
    '-message_file': 'messages.log',
    '-error_file': 'errors.log',
    '-stf': 'statistics.csv',
    '-fd': 1,
  };
  return [
    ...(scenario.kind === 'caller' && target !== undefined ? [target] : []),
    ...Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)])),
    // Answers OPTIONS, INFO, NOTIFY and UPDATE at any time.
    '-aa',
    '-nostdin',
    '-trace_msg',
    '-trace_err',
    '-trace_stat',
  ];
}

class RunningSipp implements Phone {
  readonly name: string;
  readonly uri: string;
  readonly sipPort: number;
  readonly finished: Promise<SippResult>;
  readonly #folder: string;
  readonly #child: Child;
  #frozen = false;
  /** The parsed log, as long as it has this size. */
  #parsed: { readonly size: number; readonly messages: readonly SipMessage[] } = { size: 0, messages: [] };
  /** The log of an ended SIPp, whose folder has been removed. */
  #lastMessages: readonly SipMessage[] | undefined;

  constructor(scenario: Scenario, sipPort: number, folder: string, child: Child) {
    this.name = scenario.kind === 'caller' ? (scenario.from ?? 'sipp') : 'sipp';
    this.uri = `sip:${this.name}@127.0.0.1:${sipPort}`;
    this.sipPort = sipPort;
    this.#folder = folder;
    this.#child = child;
    this.finished = child.ended.then(({ code }) => this.#conclude(code));
  }

  hasStarted(): boolean {
    return this.#read('statistics.csv') !== '';
  }

  messages(): readonly SipMessage[] {
    if (this.#lastMessages !== undefined) return this.#lastMessages;
    const size = statSync(join(this.#folder, 'messages.log'), { throwIfNoEntry: false })?.size ?? 0;
    if (size !== this.#parsed.size) this.#parsed = { size, messages: parseSippLog(this.#read('messages.log')) };
    return this.#parsed.messages;
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
    if (this.#frozen) return this.vanish();
    await this.#child.stop();
    await this.finished;
  }

  async vanish(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.finished;
  }

  #conclude(exitCode: number | null): SippResult {
    this.#lastMessages = parseSippLog(this.#read('messages.log'));
    const statistics = parseSippStatistics(this.#read('statistics.csv'));
    const errors = this.#read('errors.log') || (exitCode === 0 ? '' : this.#child.tail());
    rmSync(this.#folder, { recursive: true, force: true });
    return { created: 0, successful: 0, failed: 0, retransmissions: 0, ...statistics, exitCode, errors };
  }

  #read(name: string): string {
    const path = join(this.#folder, name);
    return existsSync(path) ? readFileSync(path, 'latin1') : '';
  }
}

/** SIPp prints nothing when it is ready, but writes its first statistics once its ports are open. */
async function waitUntilReady(phone: RunningSipp, child: Child): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (child.isRunning && Date.now() < deadline) {
    if (phone.hasStarted()) return;
    await new Promise((resume) => setTimeout(resume, POLL_MS));
  }
  const { errors } = await phone.stop().then(() => phone.finished);
  throw new Error(`SIPp did not start. Its last output:\n${errors}`);
}
