import type { RoomDetails } from '@partyline/contracts/rooms/room';
import type { SelfHosted } from '@partyline/dev/stack/self-hosted';
import type { Stack } from '@partyline/dev/stack/stack';
import type { Log } from '@partyline/dev/processes/processes';
import { listDialogs } from '@partyline/provider-janus/dialogs';
import type { OpenRoom, TenantClient } from '../tenant-client.ts';
import {
  dialIn,
  dialInBlindly,
  heardTone,
  hearsSound,
  isOver,
  keyPin,
  until,
  type Caller,
  type Line,
} from './callers.ts';

/** What the demo measured with the ears and the logs of the clients. Levels in dBFS, times in milliseconds. */
export interface SelfHostedResult {
  readonly callers: readonly Caller[];
  readonly browsers: number;
  readonly wrongPins: number;
  readonly firstSoundMs: readonly number[];
  readonly digitsToJoinedMs: readonly number[];
  readonly heardDb: { phoneToPhone: number };
  /** The loudest tone that somebody heard who must not. */
  readonly leakDb: number;
  readonly ends: readonly {
    readonly created: OpenRoom;
    readonly end: RoomDetails;
    readonly callers: readonly Caller[];
  }[];
  readonly callsUpAfterEnd: number;
  readonly dialogsAfterEnd: number;
}

const ANNA = { name: 'Anna', user: '+442079460011', hz: 440 };
const BEN = { name: 'Ben', user: '+442079460012', hz: 1_000 };
const CARA = { name: 'Cara', user: '+442079460013', hz: 1_800 };
/** A tone this loud is heard. */
const HEARD_DB = -35;
const RPC_TIMEOUT_MS = 5_000;

const wrongPin = (pin: string): string => [...pin].map((digit) => String((Number(digit) + 5) % 10)).join('');

/** Waits until a tone is heard and no longer rises. Returns its level. */
async function listen(what: string, measure: () => number): Promise<number> {
  let last = -Infinity;
  let level = -Infinity;
  await until(what, async () => {
    [last, level] = [level, measure()];
    await new Promise((resume) => setTimeout(resume, 300));
    return level > HEARD_DB && level - last < 0.5;
  });
  return level;
}

const joinedLegs = ({ legs }: RoomDetails): number => legs.filter(({ state }) => state === 'joined').length;

/**
 * Plays two meetings on our own servers, with real SIP phones. Throws at the first deviation that
 * makes the rest meaningless.
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
  const line: Line = { sip: selfHosted.kamailio.sipUri, number, log };
  const callers: Caller[] = [];
  try {
    say('1  A tenant creates two rooms on one number.');
    const a = await tenant.createRoom({ name: 'Monday call', number });
    const b = await tenant.createRoom({ name: 'Support line', number });
    for (const { room, number: dial, pinSpaced } of [a, b])
      say(`   ${room.name.padEnd(12)} dial ${dial}, PIN ${pinSpaced}`);

    say('2  Anna dials, hears the prompt, keys a wrong PIN, is asked again, and keys the right one.');
    const anna = await dialIn(line, ANNA);
    callers.push(anna);
    const keyedAt = await keyPin(anna, wrongPin(a.pin));
    await until('Anna hears that the PIN is wrong', () => Date.now() > keyedAt && hearsSound(anna.ear));
    const digitsToJoinedMs = [await joinAndMeasure(tenant, a, anna, a.pin, 1)];

    say('3  Ben (SIPp) joins Monday call. Cara joins Support line with its PIN.');
    callers.push(await dialInBlindly(line, BEN, a.pin));
    const cara = await dialIn(line, CARA);
    callers.push(cara);
    digitsToJoinedMs.push(await joinAndMeasure(tenant, b, cara, b.pin, 1));
    await tenant.waitUntil('Ben has joined', a.room.id, (room) => joinedLegs(room) === 2, 30_000);

    say('4  They talk.');
    const heard = await listen('Anna hears Ben', () => heardTone(anna.ear, BEN.hz));
    const leakDb = Math.max(
      heardTone(anna.ear, CARA.hz),
      heardTone(cara.ear, ANNA.hz),
      heardTone(cara.ear, BEN.hz),
      heardTone(anna.ear, ANNA.hz),
    );

    say('5  The tenant ends Monday call. Cara hangs up.');
    await tenant.endRoom(a.room.id);
    const endA = await tenant.waitUntil(
      'Monday call has ended',
      a.room.id,
      ({ session }) => session?.state === 'ended',
    );
    await cara.ear.hangUp();
    await tenant.endRoom(b.room.id);
    const endB = await tenant.waitUntil(
      'Support line has ended',
      b.room.id,
      ({ session }) => session?.state === 'ended',
    );
    await until('every phone shows its call as over', () => callers.every(isOver));
    const dialogs = await listDialogs(
      { url: selfHosted.kamailio.rpcUrl, secret: selfHosted.kamailio.rpcSecret },
      RPC_TIMEOUT_MS,
    );
    return {
      callers,
      browsers: 0,
      wrongPins: 1,
      firstSoundMs: [anna.firstSoundMs, cara.firstSoundMs],
      digitsToJoinedMs,
      heardDb: { phoneToPhone: heard },
      leakDb,
      ends: [
        { created: a, end: endA, callers: callers.slice(0, 2) },
        { created: b, end: endB, callers: callers.slice(2) },
      ],
      callsUpAfterEnd: callers.filter((caller) => !isOver(caller)).length,
      dialogsAfterEnd: dialogs.length,
    };
  } finally {
    await Promise.all(callers.map(({ phone }) => phone.stop()));
  }
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
  await until('the caller hears that the PIN is right', () => Date.now() > keyedAt && hearsSound(caller.ear));
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
