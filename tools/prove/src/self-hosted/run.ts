import { buildApps } from '@partyline/dev/build';
import { hearsSound } from '@partyline/dev/phones/hears-sound';
import { callIdOf } from '@partyline/dev/phones/sip-message';
import { canSendSound, type SippPhone } from '@partyline/dev/phones/sipp';
import { poll, until } from '@partyline/dev/processes/until';
import type { GatewayInstance, SelfHosted } from '@partyline/dev/stack/self-hosted';
import { startStack, type Stack } from '@partyline/dev/stack/stack';
import { EVERY_TENANT, openStore } from '@partyline/store/database/store';
import { openTenantClient } from '../real/tenant-client.ts';
import { isUp, startCallees, type Caller } from './caller.ts';
import { measureEnds, Meeting, type MeetingDeps } from './meeting.ts';
import { playPhoneFaults } from './play-phone-faults.ts';
import { playStackFault } from './play-stack-fault.ts';
import { countAllHandles, playStorm } from './play-storm.ts';
import { judge, readDialogs, type Row } from './row.ts';
import { STACK_FAULTS, type StackFault } from './stack-faults.ts';

export interface SelfHostedOptions {
  readonly seed: number;
  /** A subset of the rows, with a shorter media timeout. */
  readonly quick: boolean;
  /** Only rows whose name contains this text. */
  readonly row?: string;
  readonly log: (line: string) => void;
}

export interface SelfHostedResult {
  readonly rows: readonly Row[];
  /** Calls that the platform ended although nothing had to end them. */
  readonly falseKills: number;
  /** Calls that were placed again, because the first attempt failed. */
  readonly failedCalls: number;
  readonly calls: number;
  readonly callsUpAfter: number;
  readonly dialogsAfter: number;
  /** Handles of the SIP plugin that are in a call, of every Janus. */
  readonly handlesInUseAfter: number;
  readonly skipped: readonly string[];
  readonly problems: readonly string[];
}

const GATEWAYS = 2;
/** Of each room, at each gateway. */
const CALLERS = 2;
const MEDIA_TIMEOUT_S = { quick: 8, full: 30 };
/** Longer than any injected outage. */
const API_RETRY_MS = 60_000;
const SOUND_TIMEOUT_MS = 5_000;
const TIDY_TIMEOUT_MS = 15_000;
/**
 * Partyline confirms the hang-ups so long after the end of the room and of the fault. It does not
 * believe a kamailio that was started less than a minute ago that a call is over.
 */
const CONFIRM_BOUND_S = 30;
const DISTRUST_S = 90;
/** Kamailio repeats a BYE that no phone answers for so long. */
const UNANSWERED_BYE_S = 64;
const CONFIRM_TIMEOUT_MS = 150_000;
/** Without a fault, every call ends this soon after the decision. */
const BOUND_OF_END_S = 2;
const WATCH_LONGER_MS = 30_000;
const LOGGED_MESSAGES = 8;
const NAME_WIDTH = 74;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Plays the rows of the guarantee of the self-hosted provider, with real phones, kamailio, two
 * Januses with their gateways, and the services. Only the logs of the phones, kamailio's dialogs and
 * Janus' handles say what happened. Stops every process that it started, also after an error or a
 * signal.
 */
export async function proveSelfHosted({ seed, quick, row, log }: SelfHostedOptions): Promise<SelfHostedResult> {
  const mediaTimeoutS = MEDIA_TIMEOUT_S[quick ? 'quick' : 'full'];
  await buildApps({ log });
  const callees = canSendSound ? await startCallees(log) : undefined;
  const stack = await startStack({
    mode: 'unified',
    gateways: GATEWAYS,
    breakable: true,
    useOwnServers: true,
    log: () => undefined,
    environment: {
      LOG_LEVEL: 'warn',
      MEDIA_TIMEOUT_SECONDS: String(mediaTimeoutS),
      ...(callees && { SIP_TRUNK: `127.0.0.1:${callees.sipPort}` }),
    },
  });
  const stop = new AbortController();
  const interrupt = (): void => {
    stop.abort();
    void stack.stop().finally(() => process.exit(130));
  };
  for (const signal of SIGNALS) process.once(signal, interrupt);
  const run = new Run(stack, stack.selfHosted!, { seed, log, callees, stop: stop.signal });
  try {
    log(`  ${GATEWAYS} gateways run; logs: ${stack.logFolder}`);
    await removeTenantLimits(stack);
    const isWanted = (name: string, isQuick = false): boolean =>
      (!quick || isQuick) && (row === undefined || name.includes(row));
    if (isWanted('phones', true)) await run.playPhoneFaults(mediaTimeoutS);
    for (const fault of STACK_FAULTS) if (isWanted(fault.name, fault.isQuick)) await run.playStackFault(fault);
    if (isWanted('storm')) await run.playStorm();
    return await run.conclude();
  } finally {
    await run.stopPhones();
    await callees?.stop();
    stop.abort();
    await stack.stop();
    for (const signal of SIGNALS) process.removeListener(signal, interrupt);
  }
}

/** The run proves that calls end, not the limits of tenants. */
async function removeTenantLimits(stack: Stack): Promise<void> {
  const store = openStore({ url: stack.databaseUrl, max: 1, onError: () => undefined });
  try {
    await store.query(EVERY_TENANT, {
      text: 'UPDATE tenant SET max_requests_per_minute = 1000000, max_dial_outs_per_minute = 1000000',
    });
  } finally {
    await store.close();
  }
}

/** What a row did to its room and to the other one. */
interface PlayedRow {
  readonly rows: readonly Row[];
  /** From when on Partyline can confirm the hang-ups, in milliseconds since 1970. */
  readonly confirmableAt: number;
  /** Callers of the other room whose calls the row had to end. */
  readonly touched?: readonly Caller[];
  /** Callers of the row's own room that should have stayed. */
  readonly falseKills?: number;
}

interface RunOptions extends Pick<SelfHostedOptions, 'seed' | 'log'> {
  readonly callees: SippPhone | undefined;
  readonly stop: AbortSignal;
}

class Run {
  readonly #stack: Stack;
  readonly #selfHosted: SelfHosted;
  readonly #seed: number;
  readonly #log: (line: string) => void;
  readonly #deps: MeetingDeps;
  readonly #startedAt = Date.now();
  readonly #meetings: Meeting[] = [];
  readonly #rows: Row[] = [];
  readonly #problems: string[] = [];
  readonly #skipped: string[] = [];
  /** The confirmations of rooms that have ended, which go on beside the next rows. */
  readonly #confirmations: Promise<void>[] = [];
  #falseKills = 0;
  #failedCalls = 0;
  #callsUp = 0;
  #kamailioStartedAt = Date.now();
  /** The room that goes on from row to row. */
  #other: Meeting | undefined;

  constructor(stack: Stack, selfHosted: SelfHosted, { seed, log, callees, stop }: RunOptions) {
    this.#stack = stack;
    this.#selfHosted = selfHosted;
    this.#seed = seed;
    this.#log = (line) => log(`  ${((Date.now() - this.#startedAt) / 1_000).toFixed(1).padStart(5)} s  ${line}`);
    this.#deps = {
      tenant: openTenantClient(stack.urls['room-api'], stack.apiKey, API_RETRY_MS, stop),
      line: { sip: selfHosted.kamailio.sipUri, number: stack.numbers[0]!.e164, log: this.#log },
      callees,
      gatewayIds: selfHosted.gateways.map(({ id }) => id),
      onFailedCall: (error) => {
        this.#failedCalls += 1;
        this.#log(`        a call failed: ${toMessage(error)}`);
      },
    };
  }

  playStackFault(fault: StackFault): Promise<void> {
    return this.#play(fault.name, CALLERS, async (meeting, other) => {
      const played = await playStackFault(
        fault,
        { stack: this.#stack, selfHosted: this.#selfHosted, target: this.#findTarget(meeting) },
        { ending: meeting, other },
      );
      if (fault.restartsKamailio) this.#kamailioStartedAt = Date.now();
      return fault.losesDialogs ? this.#replaceOther(fault, other, played) : played;
    });
  }

  playPhoneFaults(mediaTimeoutS: number): Promise<void> {
    return this.#play('phones', 0, async (meeting) => {
      const played = await playPhoneFaults(meeting, {
        selfHosted: this.#selfHosted,
        mediaTimeoutS,
        seed: this.#seed,
      });
      for (const skipped of played.skipped) this.#log(`not played: ${skipped}`);
      this.#skipped.push(...played.skipped);
      const { row, endAt } = await endWithoutFault('phones beside those', meeting);
      return { ...played, rows: [...played.rows, row], confirmableAt: endAt + UNANSWERED_BYE_S * 1_000 };
    });
  }

  playStorm(): Promise<void> {
    return this.#play('storm', 0, async (meeting) => {
      const row = await playStorm(this.#deps.line, {
        selfHosted: this.#selfHosted,
        pin: meeting.pin,
        seed: this.#seed,
      });
      return { rows: [row], confirmableAt: await meeting.end() };
    });
  }

  /** Ends the room that has gone on, waits for every confirmation, and counts what is left. */
  async conclude(): Promise<SelfHostedResult> {
    const other = this.#other;
    if (other !== undefined) {
      const { row, endAt } = await endWithoutFault('nothing fails any more', other);
      this.#report(row);
      await this.#close(other, endAt).catch((error: unknown) => this.#problems.push(`the end: ${toMessage(error)}`));
    }
    await Promise.all(this.#confirmations);
    const dialogs = await readDialogs(this.#selfHosted.kamailio);
    const handles = await countAllHandles(this.#selfHosted);
    return {
      rows: this.#rows,
      falseKills: this.#falseKills,
      calls: this.#meetings.reduce((sum, { callers }) => sum + callers.length, 0),
      failedCalls: this.#failedCalls,
      callsUpAfter: this.#callsUp,
      dialogsAfter: dialogs.length,
      handlesInUseAfter: handles.reduce((sum, counts) => sum + (counts['sip in use'] ?? 0), 0),
      skipped: this.#skipped,
      problems: this.#problems,
    };
  }

  async stopPhones(): Promise<void> {
    await Promise.all(this.#meetings.map((meeting) => meeting.stopPhones()));
  }

  /**
   * Plays one row in a room of its own. The stack must be healthy before it: the callers of both
   * rooms arrive at every gateway. A row that cannot be played is a problem; the others are played.
   */
  async #play(
    name: string,
    callers: number,
    play: (meeting: Meeting, other: Meeting) => Promise<PlayedRow>,
  ): Promise<void> {
    try {
      const [other, meeting] = await Promise.all([this.#fillOther(), this.#open(name, callers)]);
      const bystanders = other.live;
      const { rows, confirmableAt, touched = [], falseKills = 0 } = await play(meeting, other);
      const killed = bystanders.filter((caller) => !isUp(caller) && !touched.includes(caller)).length + falseKills;
      if (killed > 0) this.#problems.push(`${name}: ${killed} calls were ended that had to go on`);
      this.#falseKills += killed;
      await this.#awaitSound(name, other);
      this.#report(...rows);
      await this.#close(meeting, confirmableAt);
    } catch (error) {
      this.#problems.push(`${name}: ${toMessage(error)}`);
      this.#log(`FAILED  ${name}: ${toMessage(error)}`);
    }
  }

  /** The callers of the room that goes on still hear each other, those at the same gateway. */
  async #awaitSound(name: string, other: Meeting): Promise<void> {
    const isDeaf = ({ ear, gateway }: Caller): boolean =>
      ear !== undefined && other.live.filter((each) => each.gateway === gateway).length > 1 && !hearsSound(ear);
    await until(
      `${name}: the callers of the other room hear each other`,
      () => !other.live.some(isDeaf),
      SOUND_TIMEOUT_MS,
    );
  }

  async #open(name: string, callers: number): Promise<Meeting> {
    const meeting = await Meeting.open(name, this.#deps);
    this.#meetings.push(meeting);
    if (callers > 0) await meeting.fill(callers);
    return meeting;
  }

  /** Returns the room that goes on, with enough callers. */
  async #fillOther(): Promise<Meeting> {
    this.#other ??= await this.#open('other room', 0);
    await this.#other.fill(CALLERS);
    return this.#other;
  }

  /** Ends the room that goes on, because kamailio does not list its calls any more. The next row opens another. */
  async #replaceOther(fault: StackFault, other: Meeting, played: PlayedRow): Promise<PlayedRow> {
    const touched = other.live;
    const { row, endAt } = await endWithoutFault(`${fault.name}: other rooms' calls`, other);
    this.#other = undefined;
    await this.#close(other, endAt);
    return { ...played, rows: [...played.rows, row], touched };
  }

  /** The gateway with most callers of a room. */
  #findTarget(meeting: Meeting): GatewayInstance {
    const count = (id: string): number => meeting.live.filter(({ gateway }) => gateway === id).length;
    return this.#selfHosted.gateways.toSorted((a, b) => count(b.id) - count(a.id))[0]!;
  }

  #report(...rows: readonly Row[]): void {
    for (const row of rows) {
      const measured = row.measuredS === null ? 'still up' : `${row.measuredS.toFixed(2)} s`;
      this.#log(
        `${row.ok ? 'ok    ' : 'FAILED'}  ${row.name.padEnd(NAME_WIDTH)}  ${measured.padStart(8)} of ${row.boundS} s`,
      );
      this.#rows.push(row);
    }
  }

  /** Puts the phones of an ended room away, and lets its confirmation run beside the next row. */
  async #close(meeting: Meeting, confirmableAt: number): Promise<void> {
    const up = meeting.live;
    this.#callsUp += up.length;
    if (up.length > 0) this.#problems.push(`${meeting.name}: ${up.length} calls are still up`);
    for (const caller of up) this.#log(`        still up: ${describeCall(caller)}`);
    this.#confirmations.push(this.#confirm(meeting, confirmableAt));
    await meeting.stopPhones();
    const expected = meeting === this.#other ? 0 : (this.#other?.live.length ?? 0);
    await until(
      'kamailio has no other dialogs than those of the other room',
      async () => (await readDialogs(this.#selfHosted.kamailio)).length === expected,
      TIDY_TIMEOUT_MS,
    );
  }

  async #confirm(meeting: Meeting, confirmableAt: number): Promise<void> {
    const at = await meeting.confirmEnd(CONFIRM_TIMEOUT_MS).catch(() => null);
    const latest = Math.max(confirmableAt + CONFIRM_BOUND_S * 1_000, this.#kamailioStartedAt + DISTRUST_S * 1_000);
    const measured = at === null ? 'never' : `${(Math.max(0, at - confirmableAt) / 1_000).toFixed(1)} s later`;
    if (at === null || at > latest) this.#problems.push(`${meeting.name}: the hang-ups were confirmed ${measured}`);
    this.#log(`        ${meeting.name}: confirmed ${measured}`);
  }
}

/** Ends a room while nothing fails, and measures when the calls of its phones end. */
async function endWithoutFault(name: string, meeting: Meeting): Promise<{ row: Row; endAt: number }> {
  const callers = meeting.live;
  const endAt = await meeting.end();
  await poll(() => !callers.some(isUp), BOUND_OF_END_S * 1_000 + WATCH_LONGER_MS);
  return {
    row: judge(
      name,
      BOUND_OF_END_S,
      measureEnds(callers, () => endAt),
    ),
    endAt,
  };
}

/** The last messages of a call, for the log of a failed run. */
function describeCall({ direction, gateway, sipCallId, phone }: Caller): string {
  const lines = phone
    .messages()
    .filter((message) => callIdOf(message) === sipCallId)
    .slice(-LOGGED_MESSAGES)
    .map(({ atMs, direction: way, startLine, status, method }) =>
      [new Date(atMs).toISOString().slice(11, 23), way, status === undefined ? method : startLine].join(' '),
    );
  return `${direction} at ${gateway}, ${sipCallId}: ${lines.join('; ')}`;
}

const toMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));
