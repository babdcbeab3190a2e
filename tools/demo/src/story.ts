import type { RoomDetails } from '@partyline/contracts/rooms/room';
import type { Stack } from '@partyline/dev/stack/stack';
import type { EmulatorClient, LedgerView, PersonView } from '@partyline/vonage-emulator/control-client';
import type { OpenRoom, TenantClient } from './tenant-client.ts';

/** Shorter than a room's default of 60 s, so that the demo is quick. */
const GRACE_SECONDS = 2;

/**
 * The input of the summary: the API's view of the rooms after their end, and the provider's ledger.
 */
export interface StoryResult {
  readonly rooms: readonly { readonly created: OpenRoom; readonly end: RoomDetails; readonly conversation: string }[];
  readonly people: readonly { readonly name: string; readonly person: PersonView }[];
  readonly ledger: LedgerView;
  readonly bridgeLegs: number;
}

/** Digits of the PIN's length that are not the PIN. */
const wrongPin = (pin: string): string => [...pin].map((digit) => String((Number(digit) + 5) % 10)).join('');

/**
 * Plays Partyline's main job once as its users would: a tenant by REST, callers by phone and
 * keypad, a browser with its token. Throws at the first deviation.
 */
export async function playStory({
  stack,
  tenant,
  emulator,
  say,
}: {
  stack: Pick<Stack, 'numbers'>;
  tenant: TenantClient;
  emulator: EmulatorClient;
  say: (line: string) => void;
}): Promise<StoryResult> {
  const number = stack.numbers[0]!.e164;

  say('1  A tenant creates two rooms on one shared number.');
  const a = await tenant.createRoom({ name: 'Monday call', number, browsersLeftSeconds: GRACE_SECONDS });
  const b = await tenant.createRoom({ name: 'Support line', number, bridge: 'always' });
  for (const { room, number: dial, pinSpaced, tapToCall } of [a, b])
    say(`   ${room.name.padEnd(12)} dial ${dial}, PIN ${pinSpaced}    ${tapToCall}`);

  say('2  A browser joins Monday call with its token.');
  const browser = await emulator.joinWebrtc({ sessionId: a.client.mediaSessionId, token: a.client.token });
  await tenant.waitUntil('the session is live', a.room.id, ({ session }) => session?.state === 'live');

  const people: { name: string; id: string }[] = [];
  const dial = async (name: string, from: string): Promise<string> => {
    const { id } = await emulator.dial({ from, to: number });
    people.push({ name, id });
    return id;
  };
  const key = async (id: string, digits: string): Promise<void> => {
    await emulator.awaitPrompt(id);
    await emulator.key(id, `${digits}#`);
  };

  const caller1 = await dial('Caller 1', '+442079460011');
  await key(caller1, wrongPin(a.pin));
  say('   Caller 1 keys a wrong PIN, hears an error message, and keys the right PIN.');
  await key(caller1, a.pin);
  await emulator.awaitJoined(caller1);
  say('   Partyline dials the bridge leg ...');
  await tenant.waitUntil('the bridge of Monday call', a.room.id, hasBridge);
  const conversation = await bridgedConversation(emulator, a);
  say('   ... which joins the voice conference and the video session.');

  const caller2 = await dial('Caller 2', '+442079460012');
  await key(caller2, a.pin);
  const caller3 = await dial('Caller 3', '+442079460013');
  await key(caller3, b.pin);
  await Promise.all([emulator.awaitJoined(caller2), emulator.awaitJoined(caller3)]);
  say('   Caller 2 joins Monday call. Caller 3 joins Support line with its own PIN.');

  const caller4 = await dial('Caller 4', '+442079460014');
  for (let guess = 1; guess <= 3; guess++) await key(caller4, String(guess).repeat(3) + wrongPin(b.pin).slice(3));
  await emulator.awaitEnded(caller4);
  say('   Caller 4 keys three wrong PINs, hears a message, and is disconnected.');

  const phone = '+442079460018';
  await emulator.setPhone(phone, { mode: 'answer', afterMs: 300 });
  await tenant.dialOut(a.room.id, phone, 'Grace');
  const dialled = await emulator.awaitRing(phone);
  people.push({ name: 'Grace (dialled)', id: dialled.id });
  await emulator.awaitJoined(dialled.id);
  say('   Monday call dials out to Grace, who answers and joins.');
  await tenant.waitUntil('the bridge of Support line', b.room.id, hasBridge);
  const conversationB = await bridgedConversation(emulator, b);
  await expectMembers(emulator, conversation, [caller1, caller2, dialled.id]);
  await expectMembers(emulator, conversationB, [caller3]);

  say(
    `3  The browser leaves Monday call. After a grace period of ${GRACE_SECONDS} s Partyline hangs up all its legs. ` +
      'Support line goes on.',
  );
  await emulator.leaveWebrtc(browser.connectionId);
  const endA = await tenant.waitUntil('Monday call has ended', a.room.id, ({ session }) => session?.state === 'ended');
  await expectMembers(emulator, conversationB, [caller3]);
  const liveLegsOfA = liveLegsOf(await emulator.ledger(), a, conversation);
  if (liveLegsOfA.length > 0)
    throw new Error(`Monday call has ended, but the provider still has ${liveLegsOfA.length} live legs of it.`);
  say('   The provider confirms that Monday call has no live legs. The tenant ends Support line.');
  await tenant.endRoom(b.room.id);
  const endB = await tenant.waitUntil('Support line has ended', b.room.id, ({ session }) => session?.state === 'ended');

  const ledger = await emulator.ledger();
  const views = await Promise.all(people.map(async ({ name, id }) => ({ name, person: await emulator.caller(id) })));
  return {
    rooms: [
      { created: a, end: endA, conversation },
      { created: b, end: endB, conversation: conversationB },
    ],
    people: views,
    ledger,
    bridgeLegs: ledger.legs.filter((leg) => leg.kind === 'sip-interconnect').length,
  };
}

const hasBridge = ({ legs }: RoomDetails): boolean =>
  legs.some((leg) => leg.kind === 'bridge' && leg.state === 'joined');

/** The name of the conversation at the provider that a room's video session is bridged into. */
async function bridgedConversation(emulator: EmulatorClient, { client, room }: OpenRoom): Promise<string> {
  const found = (await emulator.conversations()).find(({ members }) =>
    members.some((member) => member.bridgedSessionId === client.mediaSessionId),
  );
  if (found?.name === undefined)
    throw new Error(`The provider has no conversation with the video session of ${room.name}.`);
  return found.name;
}

/** Throws unless the members of a conversation are exactly these people and one bridge. */
async function expectMembers(emulator: EmulatorClient, name: string, people: readonly string[]): Promise<void> {
  const members = (await emulator.conversations()).find((each) => each.name === name)?.members ?? [];
  const present = members.flatMap(({ personId }) => personId ?? []).toSorted();
  const bridges = members.filter(({ bridgedSessionId }) => bridgedSessionId !== undefined).length;
  if (present.join() !== [...people].toSorted().join() || bridges !== 1)
    throw new Error(
      `Conversation ${name} has ${present.length} people and ${bridges} bridges instead of ${people.length} and 1.`,
    );
}

/** The live legs of a room in the provider's ledger. */
const liveLegsOf = ({ legs }: LedgerView, { client }: OpenRoom, conversation: string) =>
  legs.filter(
    (leg) =>
      leg.endedAt === undefined && (leg.sessionId === client.mediaSessionId || leg.conversation === conversation),
  );
