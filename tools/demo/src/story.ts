import type { RoomDetails } from '@partyline/contracts/rooms/room';
import type { Stack } from '@partyline/dev/stack/stack';
import type { EmulatorClient, LedgerView, PersonView } from '@partyline/vonage-emulator/control-client';
import type { OpenRoom, Tenant } from './tenant.ts';

/** A short grace, so that the story does not keep anybody waiting; a room's default is a minute. */
const GRACE_S = 2;

/** How the story went, for the summary: what the API said at the end, and what the vendor's own meter says. */
export interface Told {
  readonly rooms: readonly { readonly created: OpenRoom; readonly end: RoomDetails; readonly conversation: string }[];
  readonly people: readonly { readonly name: string; readonly person: PersonView }[];
  readonly ledger: LedgerView;
  readonly bridgeLegs: number;
}

/** Digits that are surely not the room's PIN, and look like one. */
const wrongPin = (pin: string): string => [...pin].map((digit) => String((Number(digit) + 5) % 10)).join('');

/**
 * Plays the whole of Partyline's job once, as its users would: a tenant by REST, callers by dialling and keying, a browser with its token.
 * Throws at the first thing that is not as it should be.
 */
export async function tellStory({
  stack,
  tenant,
  vendor,
  say,
}: {
  stack: Pick<Stack, 'numbers'>;
  tenant: Tenant;
  vendor: EmulatorClient;
  say: (line: string) => void;
}): Promise<Told> {
  const number = stack.numbers[0]!.e164;

  say('1  A tenant creates two rooms on one shared number.');
  const a = await tenant.createRoom({ name: 'Monday call', number, browsersLeftSeconds: GRACE_S });
  const b = await tenant.createRoom({ name: 'Support line', number, bridge: 'always' });
  for (const { room, number: dial, pinSpaced, tapToCall } of [a, b])
    say(`   ${room.name.padEnd(12)} dial ${dial}, PIN ${pinSpaced}    ${tapToCall}`);

  say('2  A browser joins Monday call with its token.');
  const browser = await vendor.joinWebrtc({ sessionId: a.client.mediaSessionId, token: a.client.token });
  await tenant.until('the session is live', a.room.id, ({ session }) => session?.state === 'live');

  const people: { name: string; id: string }[] = [];
  const dial = async (name: string, from: string): Promise<string> => {
    const { id } = await vendor.dial({ from, to: number });
    people.push({ name, id });
    return id;
  };
  const key = async (id: string, digits: string): Promise<void> => {
    await vendor.awaitPrompt(id);
    await vendor.key(id, `${digits}#`);
  };

  const caller1 = await dial('Caller 1', '+442079460011');
  await key(caller1, wrongPin(a.pin));
  say('   Caller 1 keys a wrong PIN, hears why, and keys the right one.');
  await key(caller1, a.pin);
  await vendor.awaitJoined(caller1);
  say('   The bridge leg is dialled by itself …');
  await tenant.until('the bridge of Monday call', a.room.id, hasBridge);
  const conversation = await bridgedConversation(vendor, a);
  say('   … and the voice conference and the video session are one.');

  const caller2 = await dial('Caller 2', '+442079460012');
  await key(caller2, a.pin);
  const caller3 = await dial('Caller 3', '+442079460013');
  await key(caller3, b.pin);
  await Promise.all([vendor.awaitJoined(caller2), vendor.awaitJoined(caller3)]);
  say('   Caller 2 joins Monday call, caller 3 joins Support line with its own PIN.');

  const caller4 = await dial('Caller 4', '+442079460014');
  for (let guess = 1; guess <= 3; guess++) await key(caller4, String(guess).repeat(3) + wrongPin(b.pin).slice(3));
  await vendor.awaitEnded(caller4);
  say('   Caller 4 fails three PINs and is let go politely.');

  const phone = '+442079460018';
  await vendor.setPhone(phone, { mode: 'answer', afterMs: 300 });
  await tenant.ring(a.room.id, phone, 'Grace');
  const rung = await vendor.awaitRing(phone);
  people.push({ name: 'Grace (rung)', id: rung.id });
  await vendor.awaitJoined(rung.id);
  say('   Grace is rung from Monday call, picks up, and joins.');
  await tenant.until('the bridge of Support line', b.room.id, hasBridge);
  const conversationB = await bridgedConversation(vendor, b);
  await expectMembers(vendor, conversation, [caller1, caller2, rung.id]);
  await expectMembers(vendor, conversationB, [caller3]);

  say(
    `3  The browser leaves Monday call. After ${GRACE_S} s of grace every leg of it is hung up; Support line goes on.`,
  );
  await vendor.leaveWebrtc(browser.connectionId);
  const endA = await tenant.until('Monday call has ended', a.room.id, ({ session }) => session?.state === 'ended');
  await expectMembers(vendor, conversationB, [caller3]);
  const upForA = upIn(await vendor.ledger(), a, conversation);
  if (upForA.length > 0)
    throw new Error(`Monday call has ended and the vendor still has ${upForA.length} legs of it up.`);
  say('   All of Monday call is down, by the vendor’s own word. Now the tenant ends Support line.');
  await tenant.endRoom(b.room.id);
  const endB = await tenant.until('Support line has ended', b.room.id, ({ session }) => session?.state === 'ended');

  const ledger = await vendor.ledger();
  const views = await Promise.all(people.map(async ({ name, id }) => ({ name, person: await vendor.caller(id) })));
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

/** The conversation that a room's video session is bridged into, as the vendor sees it. */
async function bridgedConversation(vendor: EmulatorClient, { client, room }: OpenRoom): Promise<string> {
  const found = (await vendor.conversations()).find(({ members }) =>
    members.some((member) => member.bridgedSessionId === client.mediaSessionId),
  );
  if (found?.name === undefined)
    throw new Error(`The vendor has no conversation that holds the video session of ${room.name}.`);
  return found.name;
}

/** Exactly these people, and one bridge, are together. */
async function expectMembers(vendor: EmulatorClient, name: string, people: readonly string[]): Promise<void> {
  const members = (await vendor.conversations()).find((each) => each.name === name)?.members ?? [];
  const present = members.flatMap(({ personId }) => personId ?? []).toSorted();
  const bridges = members.filter(({ bridgedSessionId }) => bridgedSessionId !== undefined).length;
  if (present.join() !== [...people].toSorted().join() || bridges !== 1)
    throw new Error(
      `Conversation ${name} holds ${present.length} people and ${bridges} bridges; ${people.length} and 1 were expected.`,
    );
}

/** The legs of one room that the vendor's meter has up. */
const upIn = ({ legs }: LedgerView, { client }: OpenRoom, conversation: string) =>
  legs.filter(
    (leg) =>
      leg.endedAt === undefined && (leg.sessionId === client.mediaSessionId || leg.conversation === conversation),
  );
