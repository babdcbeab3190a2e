import type { RoomDetails } from '@partyline/contracts/rooms/room';
import type { SelfHosted } from '@partyline/dev/stack/self-hosted';
import type { Stack } from '@partyline/dev/stack/stack';
import { hearsSound } from '@partyline/dev/phones/hears-sound';
import { canSendSound } from '@partyline/dev/phones/sipp';
import type { Log } from '@partyline/dev/processes/processes';
import { poll, until } from '@partyline/dev/processes/until';
import { countHandles, type HandleCounts } from '@partyline/janus/admin/count-handles';
import { listDialogs } from '@partyline/provider-janus/dialogs';
import type { OpenRoom, TenantClient } from '../tenant-client.ts';
import {
  dialIn,
  dialInBlindly,
  EVERY_MS,
  heardTone,
  isOver,
  keyPin,
  WITHIN_MS,
  type Caller,
  type Line,
} from './callers.ts';
import {
  browserHears,
  framesDecoded,
  hasEnded,
  joinByBrowser,
  setMicrophone,
  type Participant,
} from './participants.ts';
import { countAdded } from './count-added.ts';
import { HEARD_DB } from './figures.ts';
import { servePage } from './room-page.ts';

/** What the demo measured with the ears and the logs of the clients. Levels in dBFS, times in milliseconds. */
export interface SelfHostedResult {
  readonly callers: readonly Caller[];
  readonly participants: readonly Participant[];
  readonly wrongPins: number;
  readonly firstSoundMs: readonly number[];
  readonly digitsToJoinedMs: readonly number[];
  readonly mouthToEarMs: number;
  /** The faintest tone that somebody must hear, by way. */
  readonly heardDb: { readonly phoneToBrowser: number; readonly browserToPhone: number; readonly phoneToPhone: number };
  /** The loudest tone that somebody heard who must not. */
  readonly leakDb: number;
  /** The loudest image of a narrow-band caller in a browser: a mirrored tone, which bad resampling makes. */
  readonly imageDb: number;
  readonly videoFramesDecoded: number;
  readonly ends: readonly { readonly end: RoomDetails; readonly callers: readonly Caller[] }[];
  /** Calls that the phones' own logs show as live, and pages that were not told of the end. */
  readonly legsUpAfterEnd: number;
  /** Calls that kamailio lists. */
  readonly dialogsAfterEnd: number;
  /** Handles of calls, browsers and rooms that Janus has, beyond those that the gateway had before. */
  readonly handlesAfterEnd: number;
}

// No sum and no difference of these tones is near another one, and Cara's is far away: codecs distort a little.
const ANNA = { name: 'Anna', user: '+442079460011', hz: 860 };
const BEN = { name: 'Ben', user: '+442079460012', hz: 1_090 };
const CARA = { name: 'Cara', user: '+442079460013', hz: 3_140 };
const DORA = { name: 'Dora', hz: 1_520, camera: [40, 110, 200] } as const;
const EMIL = { name: 'Emil', hz: 1_850, camera: [200, 110, 40] } as const;
/** Mirrors of Anna's tone at the sample rate of telephones. */
const ANNA_IMAGES = [8_000 - ANNA.hz, 8_000 + ANNA.hz];
const SILENT_DB = -60;
const RPC_TIMEOUT_MS = 5_000;
const MIN_FRAMES = 30;
const LEAK_WINDOWS = 4;
/** Janus releases the handle of a call up to a second after its end. */
const RELEASE_MS = 10_000;

const wrongPin = (pin: string): string => [...pin].map((digit) => String((Number(digit) + 5) % 10)).join('');

const joinedLegs = ({ legs }: RoomDetails): number => legs.filter(({ state }) => state === 'joined').length;

/**
 * Plays two meetings on our own servers, with real SIP phones and real browsers. Throws at the first
 * deviation that makes the rest meaningless.
 */
export async function playSelfHostedStory({
  stack,
  selfHosted,
  tenant,
  say,
  log,
}: {
  readonly stack: Pick<Stack, 'numbers'>;
  readonly selfHosted: SelfHosted;
  readonly tenant: TenantClient;
  readonly say: (line: string) => void;
  readonly log: Log;
}): Promise<SelfHostedResult> {
  const number = stack.numbers[0]!.e164;
  const handlesBefore = await countAllHandles(selfHosted);
  const line: Line = { sip: selfHosted.kamailio.sipUri, number, log };
  const callers: Caller[] = [];
  const participants: Participant[] = [];
  const page = await servePage();
  try {
    say('1  A tenant creates two rooms on one number.');
    const a = await tenant.createRoom({ name: 'Monday call', number });
    const b = await tenant.createRoom({ name: 'Support line', number });
    for (const { room, number: dial, pinSpaced } of [a, b])
      say(`   ${room.name.padEnd(12)} dial ${dial}, PIN ${pinSpaced}`);

    say('2  Dora and Emil join Monday call from two browsers, and see each other.');
    participants.push(await joinByBrowser(page.url, DORA, a.client, log));
    const { client } = await tenant.issueToken(a.room.id, EMIL.name);
    participants.push(await joinByBrowser(page.url, EMIL, client, log));
    const [dora, emil] = participants as [Participant, Participant];
    const everyoneSees = async (): Promise<boolean> =>
      Math.min(await framesDecoded(dora), await framesDecoded(emil)) >= MIN_FRAMES;
    await until('Dora and Emil see each other', everyoneSees, 30_000);

    say('3  Anna dials, hears the prompt, keys a wrong PIN, is asked again, and keys the right one.');
    const anna = await dialIn(line, ANNA);
    callers.push(anna);
    const keyedAt = await keyPin(anna, wrongPin(a.pin));
    await until('Anna hears that the PIN is wrong', () => Date.now() > keyedAt && hearsSound(anna.ear));
    const digitsToJoinedMs = [await joinAndMeasure(tenant, a, anna, a.pin, 3)];

    say(`4  Ben (${canSendSound ? 'SIPp' : 'baresip'}) joins Monday call. Cara joins Support line with its PIN.`);
    callers.push(await dialInBlindly(line, BEN, a.pin));
    const cara = await dialIn(line, CARA);
    callers.push(cara);
    digitsToJoinedMs.push(await joinAndMeasure(tenant, b, cara, b.pin, 1));
    await tenant.waitUntil('Ben has joined', a.room.id, (room) => joinedLegs(room) === 4, 30_000);

    say('5  They talk, and every ear is measured.');
    const heardDb = {
      phoneToBrowser: await faintest([
        ['Dora hears Anna', () => browserHears(dora, ANNA.hz)],
        ['Emil hears Ben', () => browserHears(emil, BEN.hz)],
      ]),
      browserToPhone: await faintest([
        ['Anna hears Dora', () => heardTone(anna.ear, DORA.hz)],
        ['Anna hears Emil', () => heardTone(anna.ear, EMIL.hz)],
      ]),
      phoneToPhone: await faintest([['Anna hears Ben', () => heardTone(anna.ear, BEN.hz)]]),
    };
    const leakDb = await loudest([
      async () => heardTone(anna.ear, CARA.hz),
      () => browserHears(dora, CARA.hz),
      () => browserHears(emil, CARA.hz),
      ...[ANNA, BEN, DORA, EMIL].map(
        ({ hz }) =>
          async () =>
            heardTone(cara.ear, hz),
      ),
    ]);
    const imageDb = await loudest(participants.flatMap((one) => ANNA_IMAGES.map((hz) => () => browserHears(one, hz))));
    const mouthToEarMs = await measureMouthToEar(dora, DORA.hz, anna.ear);
    const frames = await Promise.all(participants.map(framesDecoded));

    say('6  The tenant ends Monday call. Cara hangs up, and Support line ends.');
    await tenant.endRoom(a.room.id);
    const endA = await tenant.waitUntil('Monday call has ended', a.room.id, hasEndedSession);
    await cara.ear.hangUp();
    await tenant.endRoom(b.room.id);
    const endB = await tenant.waitUntil('Support line has ended', b.room.id, hasEndedSession);
    await until('every phone shows its call as over', () => callers.every(isOver));
    await until('the pages were told', async () => (await Promise.all(participants.map(hasEnded))).every(Boolean));
    const left = await countLeft(selfHosted, handlesBefore);
    return {
      callers,
      participants,
      wrongPins: 1,
      firstSoundMs: [anna.firstSoundMs, cara.firstSoundMs],
      digitsToJoinedMs,
      mouthToEarMs,
      heardDb,
      leakDb,
      imageDb,
      videoFramesDecoded: frames.reduce((sum, count) => sum + count, 0),
      ends: [
        { end: endA, callers: callers.slice(0, 2) },
        { end: endB, callers: callers.slice(2) },
      ],
      legsUpAfterEnd:
        callers.filter((caller) => !isOver(caller)).length +
        (await Promise.all(participants.map(hasEnded))).filter((isEnded) => !isEnded).length,
      dialogsAfterEnd: left.dialogs,
      handlesAfterEnd: left.handles,
    };
  } finally {
    await Promise.all([
      ...callers.map(({ phone }) => phone.stop()),
      ...participants.map(({ browser }) => browser.stop()),
      page.stop(),
    ]);
  }
}

/** Counts the handles of every Janus by plugin. */
const countAllHandles = ({ gateways }: Pick<SelfHosted, 'gateways'>): Promise<readonly HandleCounts[]> =>
  Promise.all(gateways.map(({ janus }) => countHandles(janus)));

/** Counts what kamailio and Janus still have of the calls, as soon as it is nothing, or when the time is over. */
async function countLeft(
  selfHosted: SelfHosted,
  handlesBefore: readonly HandleCounts[],
): Promise<{ dialogs: number; handles: number }> {
  const { rpcUrl: url, rpcSecret: secret } = selfHosted.kamailio;
  let [dialogs, handles] = [Infinity, Infinity];
  await poll(async () => {
    dialogs = (await listDialogs({ url, secret }, RPC_TIMEOUT_MS)).dialogs.length;
    handles = countAdded(handlesBefore, await countAllHandles(selfHosted));
    return dialogs === 0 && handles === 0;
  }, RELEASE_MS);
  return { dialogs, handles };
}

const hasEndedSession = ({ session }: RoomDetails): boolean => session?.state === 'ended';

/** Waits until each tone is heard and no longer rises. Returns the level of the faintest. */
async function faintest(
  ears: readonly (readonly [what: string, measure: () => number | Promise<number>])[],
): Promise<number> {
  const levels = await Promise.all(
    ears.map(async ([what, measure]) => {
      let [last, level] = [-Infinity, -Infinity];
      await until(what, async () => {
        [last, level] = [level, await measure()];
        await new Promise((resume) => setTimeout(resume, 300));
        return level > HEARD_DB && level - last < 0.5;
      });
      return level;
    }),
  );
  return Math.min(...levels);
}

/**
 * Returns the level of the loudest tone that must not be there. A tone that leaks is in every
 * window; a click, which has all frequencies, is in few: the quietest window of each ear counts.
 */
async function loudest(ears: readonly (() => Promise<number>)[]): Promise<number> {
  const quietest = ears.map(() => Infinity);
  for (let window = 0; window < LEAK_WINDOWS; window += 1) {
    const levels = await Promise.all(ears.map((measure) => measure()));
    for (const [index, level] of levels.entries()) quietest[index] = Math.min(quietest[index]!, level);
    await new Promise((resume) => setTimeout(resume, 500));
  }
  return Math.max(...quietest);
}

/**
 * Keys the PIN and waits until the room has so many members. Returns the time from the last key,
 * without the text that the caller hears in between.
 */
async function joinAndMeasure(
  tenant: TenantClient,
  room: OpenRoom,
  caller: Parameters<typeof keyPin>[0],
  pin: string,
  members: number,
): Promise<number> {
  const keyedAt = await keyPin(caller, pin);
  await until(
    'the caller hears that the PIN is right',
    () => Date.now() > keyedAt && hearsSound(caller.ear),
    WITHIN_MS,
    EVERY_MS,
  );
  const spokenAt = Date.now();
  let spokenUntil = spokenAt;
  await tenant.waitUntil(
    'the caller has joined',
    room.room.id,
    (details) => {
      if (hearsSound(caller.ear)) spokenUntil = Date.now();
      return joinedLegs(details) >= members;
    },
    30_000,
  );
  return Math.max(0, Date.now() - keyedAt - (spokenUntil - spokenAt));
}

/** Switches a browser's microphone off and on, and returns how long the phone waits for its tone. */
async function measureMouthToEar(from: Participant, hz: number, to: Parameters<typeof heardTone>[0]): Promise<number> {
  await setMicrophone(from, false);
  await until('the phone hears the browser no longer', () => heardTone(to, hz) < SILENT_DB);
  const spokenAt = await setMicrophone(from, true);
  const isHeard = (): boolean => heardTone(to, hz, 40) > HEARD_DB;
  return (await until('the phone hears the browser again', isHeard, WITHIN_MS, EVERY_MS)) - spokenAt;
}
