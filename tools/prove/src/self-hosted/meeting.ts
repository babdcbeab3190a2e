import { setTimeout as sleep } from 'node:timers/promises';
import type { CreatedRoom, RoomDetails } from '@partyline/contracts/rooms/room';
import type { SippPhone } from '@partyline/dev/phones/sipp';
import { maskNumber } from '@partyline/domain/phone';
import type { TenantClient } from '../real/tenant-client.ts';
import { awaitCallee, dialIn, endedAt, isUp, type Caller, type Line } from './caller.ts';
import { until } from '@partyline/dev/processes/until';

export interface MeetingDeps {
  readonly tenant: TenantClient;
  readonly line: Line;
  readonly gatewayIds: readonly string[];
  /** The phones that the tenant calls; undefined where they cannot speak. */
  readonly callees: SippPhone | undefined;
  /** A call that could not be placed is placed again; it is reported here. */
  readonly onFailedCall: (error: unknown) => void;
}

const JOIN_TIMEOUT_MS = 20_000;
const POLL_MS = 100;
const MAX_ATTEMPTS = 3;

/** The numbers that tenants have called, so that no two calls of a run have the same. */
let dialOuts = 0;

/** A room with callers. Only the phones of its callers say who is in it. */
export class Meeting {
  readonly name: string;
  readonly callers: Caller[] = [];
  readonly #deps: MeetingDeps;
  readonly #created: CreatedRoom;
  #numbers = 0;

  private constructor(name: string, deps: MeetingDeps, created: CreatedRoom) {
    this.name = name;
    this.#deps = deps;
    this.#created = created;
  }

  /** Creates the room. No clock ends its session. */
  static async open(name: string, deps: MeetingDeps): Promise<Meeting> {
    const created = await deps.tenant.createRoom({
      name,
      number: deps.line.number,
      neverUsedSeconds: null,
      aloneSeconds: null,
      emptySeconds: null,
    });
    return new Meeting(name, deps, created);
  }

  get live(): Caller[] {
    return this.callers.filter(isUp);
  }

  /**
   * Adds callers until so many at each gateway are in the room, and one whom the tenant has called.
   * @throws Error when a call cannot be placed or does not join
   */
  async fill(perGateway: number): Promise<void> {
    const live = this.live;
    const missing = this.#deps.gatewayIds.flatMap((id) => {
      const present = live.filter(({ gateway, direction }) => gateway === id && direction === 'inbound').length;
      return Array<string>(Math.max(0, perGateway - present)).fill(id);
    });
    const calls = missing.map((id) => this.add((line, number, pin) => dialIn(line, number, pin, { gateway: id })));
    if (!live.some(({ direction }) => direction === 'outbound')) calls.push(...this.#dialOut());
    await Promise.all(calls);
  }

  /** Dials with `place`, and waits until the caller is in the conference. A failed call is placed again. */
  async add(place: Place = dialIn): Promise<Caller> {
    for (let attempt = 1; ; attempt += 1) {
      const number = `+4420794600${String(10 + (this.#numbers++ % 90))}`;
      try {
        return await this.#join(await place(this.#deps.line, number, this.#created.pin));
      } catch (error) {
        this.#deps.onFailedCall(error);
        if (attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  #dialOut(): Promise<Caller>[] {
    const { callees, tenant } = this.#deps;
    if (callees === undefined) return [];
    return [
      this.add(async (_line, _number) => {
        const phone = `+4930${String(2_000_000 + dialOuts++)}`;
        await tenant.dialOut(this.#created.room.id, phone);
        return awaitCallee(callees, phone);
      }),
    ];
  }

  /** No longer counts a caller, whose phone cannot say any more whether its call is up. */
  forget(caller: Caller): void {
    this.callers.splice(this.callers.indexOf(caller), 1);
  }

  /** Ends the room. Returns when its end was decided, in milliseconds since 1970. */
  async end(): Promise<number> {
    await this.#deps.tenant.endRoom(this.#created.room.id);
    const { session } = await this.read();
    return Date.parse(session?.endingAt ?? '');
  }

  /**
   * Waits until every leg of the session is confirmed ended. Returns when that was; null if it has
   * not ended after `withinMs`.
   */
  async confirmEnd(withinMs: number): Promise<number | null> {
    const deadline = Date.now() + withinMs;
    while (Date.now() < deadline) {
      const { session, legs } = await this.read();
      if (session?.state === 'ended' && legs.every(({ state }) => state === 'ended'))
        return Date.parse(session.endedAt ?? '');
      await sleep(POLL_MS);
    }
    return null;
  }

  read(): Promise<RoomDetails> {
    return this.#deps.tenant.readRoom(this.#created.room.id);
  }

  get pin(): string {
    return this.#created.pin;
  }

  /** Stops the phones of the callers; those that the tenant has called are one program. */
  async stopPhones(): Promise<void> {
    await Promise.all(this.callers.map(stopPhone));
  }

  async #join(caller: Caller): Promise<Caller> {
    const shown = maskNumber(caller.number);
    try {
      await until(
        'a caller joins',
        async () => {
          if (!isUp(caller)) throw new Error('A call ended before it joined.');
          return (await this.read()).legs.some(({ number, state }) => number === shown && state === 'joined');
        },
        JOIN_TIMEOUT_MS,
      );
    } catch (error) {
      await stopPhone(caller);
      throw error;
    }
    this.callers.push(caller);
    return caller;
  }
}

async function stopPhone({ phone, direction }: Caller): Promise<void> {
  if (direction === 'inbound') await phone.stop();
}

/** Dials in, and keys the PIN. */
type Place = (line: Line, number: string, pin: string) => Promise<Caller>;

/** The longest time from a moment to the end of each call, in seconds; null if a call is still up. */
export function measureEnds(callers: readonly Caller[], since: (caller: Caller) => number): number | null {
  const delays = callers.map((caller) => {
    const at = endedAt(caller);
    return at === null ? null : Math.max(0, at - since(caller)) / 1_000;
  });
  return delays.includes(null) ? null : Math.max(0, ...(delays as number[]));
}
