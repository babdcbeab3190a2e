import { setTimeout as sleep } from 'node:timers/promises';
import type { CreatedRoom } from '@partyline/contracts/rooms/room';
import type { EmulatorClient } from '@partyline/vonage-emulator/control-client';
import { DEADLINE_MS, type Party } from './plan.ts';
import type { Tenant } from './tenant-client.ts';

/** What is known of a party from outside: what its tenant was told, and whom its people rang. */
export interface Held {
  readonly party: Party;
  readonly tenant: Tenant;
  readonly created: CreatedRoom;
  /** Sessions by the vendor's video session, as the API's replies name them. */
  readonly media: Map<string, string>;
  readonly sessions: Set<string>;
  /** The vendor's ids of the calls that its people made. */
  readonly callIds: Set<string>;
  /** Numbers that were to be rung; used by this party alone. */
  readonly phones: Set<string>;
  /** When the tenant was told that its request to end the room is taken. */
  endTakenAt?: number;
  /** What its people did, for a history. */
  readonly diary: { readonly at: number; readonly what: string }[];
}

interface World {
  readonly vendor: EmulatorClient;
  readonly number: string;
  readonly stop: AbortSignal;
  /** Told as soon as there is a room, before anybody is in it. */
  readonly held: (held: Held) => void;
}

const TRIES = 3;
const PROMPT_WITHIN_MS = 12_000;
const LOOK_EVERY_MS = 1_000;
/** A clock that never starts because the vendor told nobody is the inventory's to mend; the party's tenant ends it after this. */
const PATIENCE_MS = 25_000;

/** People meet, stay, and part, by the vendor's and the API's public doors only. What fails for them is theirs to try again, a few times. */
export async function hold(world: World, party: Party, at: number, tenant: Tenant): Promise<void> {
  const { vendor, number, stop } = world;
  const created = await tenant.createRoom({
    name: party.name,
    number,
    bridge: party.bridge,
    maxDurationSeconds: party.ending === 'deadline' ? DEADLINE_MS / 1000 : 300,
    browsersLeftSeconds: party.ending === 'browsers-left' ? 2 : null,
    aloneSeconds: party.ending === 'alone' ? 2 : null,
    emptySeconds: 1,
  });
  const { client: first, session: opened } = created;
  if (first === null || opened === null)
    throw new Error('a room that is open from the beginning has a session and a token');
  const held: Held = {
    party,
    tenant,
    created,
    media: new Map([[first.mediaSessionId, opened.id]]),
    sessions: new Set([opened.id]),
    callIds: new Set(),
    phones: new Set(),
    diary: [],
  };
  world.held(held);
  const note = (what: string): void => void held.diary.push({ at: Date.now(), what });
  note(`${party.name} is ${created.room.id}, session ${opened.id}; it is to end by: ${party.ending}`);

  const browser = async (which: number): Promise<string | null> => {
    const client = which === 0 ? first : (await tokenFor(which)).client;
    return vendor.joinWebrtc({ sessionId: client.mediaSessionId, token: client.token }).then(
      ({ connectionId }) => (note(`browser ${which + 1} joins as ${connectionId}`), connectionId),
      () => null,
    );
  };
  const tokenFor = async (which: number) => {
    const token = await tenant.token(created.room.id, `Browser ${which + 1}`);
    held.sessions.add(token.sessionId);
    held.media.set(token.client.mediaSessionId, token.sessionId);
    return token;
  };
  const caller = async (which: number, keys: boolean): Promise<string | null> => {
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      const from = `+4420${String(70_000_000 + at * 100 + which * 10 + attempt)}`;
      const { id, callId } = await vendor.dial({ from, to: number });
      held.callIds.add(callId);
      note(`caller ${which + 1} rings as ${callId}`);
      if (!keys) return id;
      try {
        await vendor.awaitPrompt(id, { timeoutMs: PROMPT_WITHIN_MS });
        await vendor.key(id, `${created.pin}#`);
        await vendor.awaitJoined(id, { timeoutMs: PROMPT_WITHIN_MS });
        return id;
      } catch {
        note(`caller ${which + 1} does not get in`);
        await vendor.hangUp(id).catch(() => undefined);
      }
    }
    return null;
  };
  const rung = async (which: number): Promise<void> => {
    const phone = `+4930${String(2_000_000 + at * 10 + which)}`;
    await vendor.setPhone(phone, { mode: 'answer', afterMs: 300 });
    held.phones.add(phone);
    note(`${phone} is to be rung`);
    held.sessions.add((await tenant.ring(created.room.id, phone)).sessionId);
  };

  const there = async <T>(count: number, come: (which: number) => Promise<T | null>): Promise<T[]> =>
    (await Promise.allSettled(Array.from({ length: count }, (_, which) => come(which)))).flatMap((each) =>
      each.status === 'fulfilled' && each.value !== null ? [each.value] : [],
    );
  const [browsers, callers] = await Promise.all([
    there(party.browsers, browser),
    there(party.callers, (which) => caller(which, true)),
    there(party.rung, rung),
    party.silentCaller ? caller(9, false) : null,
  ]);
  await sleep(party.stayMs / 2, undefined, { signal: stop });
  const leaves = async (who: string | undefined): Promise<void> => {
    if (who === undefined) return;
    note(`${who} hangs up`);
    await vendor.hangUp(who).catch(() => undefined);
  };
  const closes = async (connectionId: string): Promise<void> => {
    note(`browser ${connectionId} leaves`);
    await vendor.leaveWebrtc(connectionId).catch(() => undefined);
  };
  if (party.oneLeaves) await leaves(callers.pop());
  await sleep(party.stayMs / 2, undefined, { signal: stop });

  switch (party.ending) {
    case 'tenant':
      await endRoom(held);
      return;
    case 'deadline':
      break;
    case 'browsers-left':
      await Promise.all(browsers.map(closes));
      break;
    case 'empty':
      await Promise.all([...browsers.map(closes), ...callers.map(leaves)]);
      break;
    case 'alone': {
      const [stays, ...others] = [...browsers, ...callers];
      if (stays !== undefined)
        await Promise.all(others.map((who) => (browsers.includes(who) ? closes(who) : leaves(who))));
      break;
    }
    default:
      throw new Error(`unknown ending ${String(party.ending satisfies never)}`);
  }
  const giveUpAt = Math.max(
    Date.now() + PATIENCE_MS,
    party.ending === 'deadline' ? Date.parse(opened.dueAt) + PATIENCE_MS : 0,
  );
  while (Date.now() < giveUpAt && !stop.aborted) {
    const session = (await tenant.look(created.room.id))?.session ?? null;
    if (session !== null) held.sessions.add(session.id);
    if (session?.state === 'ended') return;
    await sleep(LOOK_EVERY_MS, undefined, { signal: stop });
  }
}

/** The tenant ends a room and is told that it is taken. */
export async function endRoom(held: Held): Promise<void> {
  held.diary.push({ at: Date.now(), what: 'the tenant asks to end the room' });
  const reply = await held.tenant.end(held.created.room.id);
  held.endTakenAt = Date.now();
  if (reply !== 'ended before' && reply.sessionId !== null) held.sessions.add(reply.sessionId);
  held.diary.push({ at: held.endTakenAt, what: `the API takes it: ${reply === 'ended before' ? reply : reply.state}` });
}
