import { writeConnectionData } from '@partyline/conference/legs/connection-data';
import { createRoom, type CreatedRoom } from '@partyline/conference/rooms/create-room';
import { requestDialOut } from '@partyline/conference/legs/dial-out';
import { endRoom } from '@partyline/conference/rooms/end-room';
import { issueToken } from '@partyline/conference/participants/issue-token';
import { VerdictError } from '@partyline/domain/verdict';
import type { Random } from './runtime/random.ts';
import { createRandom } from './runtime/random.ts';
import { NUMBER, TENANTS, type ApiDeps, type System } from './system.ts';
import type { SimConnection } from './provider/video.ts';
import type { SimCall } from './provider/voice.ts';

/** What the world remembers of a room that it asked for: what the oracle may hold against our rows. */
interface Meeting {
  readonly tenantId: string;
  readonly roomId: string;
  /** The first of its sessions. */
  readonly sessionId: string;
  readonly createdAt: number;
  readonly maxDurationS: number;
  readonly ending: Ending;
  /** When the tenant was told that it ends. */
  endAcceptedAt: number | null;
  people: number;
}

/** How a meeting comes to its end. */
type Ending =
  'tenant' | 'everybody-leaves' | 'browsers-leave' | 'phones-leave' | 'one-stays' | 'deadline' | 'nobody-comes';

/** How busy the world is. */
export interface Traffic {
  /** Meetings begin in the last so many milliseconds of each day: the rest of it is quiet. */
  readonly openMs: number;
  readonly meetingsPerDay: number;
  /** The mean of a meeting's length. */
  readonly meanMs: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
export const DEFAULT_TRAFFIC: Traffic = { openMs: 4 * 60 * MINUTE_MS, meetingsPerDay: 135, meanMs: 5 * MINUTE_MS };
const DEFAULT_CLOCKS = {
  never_used_s: 900,
  browsers_left_s: null,
  phones_left_s: null,
  alone_s: null,
  empty_s: 60,
  host_left_s: null,
};

/** Tenants, browsers, callers and phones, coming and going as they do. */
export class Workload {
  readonly meetings: Meeting[] = [];
  /** Requests of tenants, and how many found nobody at home. */
  requests = 0;
  failures = 0;
  #closed = false;
  readonly #system: System;
  readonly #traffic: Traffic;
  #phones = 0;
  #guests = 0;

  constructor(system: System, traffic: Traffic = DEFAULT_TRAFFIC) {
    this.#system = system;
    this.#traffic = traffic;
  }

  /** Arrivals of so many days. */
  start(days: number): void {
    const { scheduler, options } = this.#system;
    const random = createRandom(options.seed, 'arrivals');
    const { openMs, meetingsPerDay } = this.#traffic;
    for (let day = 0, n = 0; day < days; day++) {
      // The last hours of each day are busy, so that the last fault of a run finds people in the middle of their meetings.
      const end = (day + 1) * DAY_MS;
      let at = end - openMs;
      for (;;) {
        at += random.exponential(openMs / meetingsPerDay);
        if (at > end) break;
        const own = createRandom(options.seed, `meeting ${(n += 1)}`);
        scheduler.at(scheduler.now + at, () => this.#meet(own));
      }
    }
  }

  /** Nobody new; every tenant ends what is still running. */
  close(): void {
    this.#closed = true;
    for (const meeting of this.meetings) if (meeting.endAcceptedAt === null) this.#end(meeting);
  }

  #after(ms: number, act: () => void): void {
    this.#system.scheduler.after(ms, () => {
      if (!this.#closed) act();
    });
  }

  /** A tenant's request, made again every few seconds until it is answered: a 4xx is an answer. */
  #ask<T>(act: (deps: ApiDeps) => Promise<T>, done: (value: T | null) => void, tries = 200): void {
    this.requests += 1;
    this.#system.request(act, (outcome) => {
      if (outcome.ok) {
        done(outcome.value);
        return;
      }
      const { error } = outcome;
      if (error instanceof VerdictError && error.verdict.outcome === 'client') {
        done(null);
        return;
      }
      this.failures += 1;
      if (tries > 1) this.#system.scheduler.after(2_000, () => this.#ask(act, done, tries - 1));
      else done(null);
    });
  }

  #meet(random: Random): void {
    const lengthMs = Math.min(60 * MINUTE_MS, Math.max(MINUTE_MS, random.exponential(this.#traffic.meanMs)));
    const ending = drawEnding(random);
    const tenantId = random.pick(TENANTS);
    const deadlineS = ending === 'deadline' ? Math.round(lengthMs / 1000) : Math.round(lengthMs / 1000) + 900;
    const clocks = {
      ...DEFAULT_CLOCKS,
      max_duration_s: deadlineS,
      ...(ending === 'browsers-leave' ? { browsers_left_s: 30 } : {}),
      ...(ending === 'phones-leave' ? { phones_left_s: 30 } : {}),
      ...(ending === 'one-stays' ? { alone_s: 60 } : {}),
      ...(ending === 'nobody-comes' ? { never_used_s: 300 } : {}),
    };
    const bridge = random.bool(0.2) ? ('always' as const) : ('auto' as const);
    this.#ask(
      (deps) =>
        createRoom(deps, tenantId, {
          name: 'Room',
          hostName: 'Host',
          numberWanted: { number: NUMBER },
          bridge,
          max_participants: random.bool(0.03) ? 3 : 20,
          ...clocks,
        }),
      (made) => {
        if (made === null || this.#closed) return;
        const meeting: Meeting = {
          tenantId,
          roomId: made.room.id,
          sessionId: made.firstSession!.sessionId,
          createdAt: made.room.created_at.getTime(),
          maxDurationS: deadlineS,
          ending,
          endAcceptedAt: null,
          people: 0,
        };
        this.meetings.push(meeting);
        this.#people(meeting, made, random, lengthMs);
      },
    );
  }

  #people(meeting: Meeting, made: CreatedRoom, random: Random, lengthMs: number): void {
    const { ending } = meeting;
    if (ending === 'nobody-comes') return;
    const phonesOnly = ending === 'everybody-leaves' && random.bool(0.15);
    const browsers = phonesOnly ? 0 : 1 + random.int(ending === 'browsers-leave' ? 3 : 8);
    const callers =
      ending === 'browsers-leave' || ending === 'phones-leave' || phonesOnly ? 1 + random.int(3) : random.int(5);
    const rung = random.bool(0.4) ? 1 + random.int(2) : 0;
    const comeWithin = Math.min(lengthMs / 2, 90_000);
    /** When somebody of their own accord leaves; null: they stay until they are let go. */
    const leaves = (kind: 'browser' | 'phone', n: number): number | null => {
      if (random.bool(0.12)) return random.between(0.2, 0.95) * lengthMs;
      if (ending === 'everybody-leaves') return lengthMs + random.between(0, 20_000);
      if (ending === 'browsers-leave' && kind === 'browser') return lengthMs;
      if (ending === 'phones-leave' && kind === 'phone') return lengthMs;
      if (ending === 'one-stays' && !(kind === 'browser' && n === 0)) return lengthMs;
      return null;
    };
    for (let n = 0; n < browsers; n++) {
      const leave = leaves('browser', n);
      const again = random.bool(0.08) && (random.bool(0.5) ? 'seen' : 'unseen');
      this.#after(random.between(500, comeWithin), () =>
        this.#browser(meeting, made, n === 0 ? 'first' : random.bool(0.7) ? 'given' : 'asked', leave, again),
      );
    }
    for (let n = 0; n < callers; n++) {
      const leave = leaves('phone', n);
      const care = random.next();
      const keysAfter = random.between(3_000, 15_000);
      this.#after(random.between(500, comeWithin), () => this.#caller(meeting, made.pin, care, keysAfter, leave));
    }
    for (let n = 0; n < rung; n++) {
      const leave = leaves('phone', n);
      const picksUpAfter = random.bool(0.8) ? random.between(2_000, 20_000) : random.bool(0.5) ? null : 50_000;
      this.#after(random.between(1_000, comeWithin), () => this.#ring(meeting, picksUpAfter, leave));
    }
    if (ending === 'tenant') this.#after(lengthMs, () => this.#end(meeting));
    // Somebody who kept the token, or the number, and comes when all is over.
    if (random.bool(0.04))
      this.#after(lengthMs + random.between(-2_000, 30_000), () => this.#browser(meeting, made, 'first', null, false));
    if (random.bool(0.04))
      this.#after(lengthMs + random.between(-8_000, 30_000), () => this.#caller(meeting, made.pin, 0, 4_000, null));
  }

  #leaveAt(meeting: Meeting, afterCreation: number | null, leave: () => void): void {
    if (afterCreation === null) return;
    const { scheduler } = this.#system;
    scheduler.after(Math.max(1_000, meeting.createdAt + afterCreation - scheduler.now), leave);
  }

  /** @param whose the room's first token; one that was given beforehand, which no row of ours tells of; or one that is asked for now */
  #browser(
    meeting: Meeting,
    made: CreatedRoom,
    whose: 'first' | 'given' | 'asked',
    leave: number | null,
    again: false | 'seen' | 'unseen',
  ): void {
    const join = (media: string, token: string): void => {
      const connection: SimConnection = this.#system.video.join(media, token);
      meeting.people += 1;
      if (again) {
        // A reload: gone, and back a moment later; or back before the vendor has seen that it was gone.
        const back = (): void =>
          this.#leaveAt(
            meeting,
            leave,
            (
              (now) => () =>
                this.#system.video.leave(now)
            )(this.#system.video.join(media, token)),
          );
        const seenGoneAfter = again === 'unseen' ? 10_000 : 0;
        this.#after(20_000, () => {
          this.#after(seenGoneAfter, () => this.#system.video.leave(connection));
          this.#after(1_500, back);
        });
      } else this.#leaveAt(meeting, leave, () => this.#system.video.leave(connection));
    };
    const { mediaSessionId, token } = made.firstSession!.media;
    if (whose === 'first') join(mediaSessionId, token);
    else if (whose === 'given')
      join(mediaSessionId, writeConnectionData({ participant: `part_guest_${(this.#guests += 1)}` }));
    else {
      this.#ask(
        (deps) => issueToken(deps, meeting.tenantId, meeting.roomId, { name: 'Guest' }),
        (asked) => {
          if (asked !== null && !this.#closed) join(asked.mediaSessionId, asked.token);
        },
        10,
      );
    }
  }

  /** @param care how well the PIN is keyed: the careless miss, hang on without keying, or give up */
  #caller(meeting: Meeting, pin: string, care: number, keysAfter: number, leave: number | null): void {
    meeting.people += 1;
    const call = this.#system.voice.receiveCall({
      kind: 'inbound',
      from: `+4477009${String((this.#phones += 1)).padStart(5, '0')}`,
      to: NUMBER,
      person: {
        keys: (tryNo) => {
          if (care > 0.97) return null;
          const right = care <= 0.9 || (care <= 0.95 && tryNo >= 2);
          return { digits: right ? `${pin}#` : '000111222', afterMs: keysAfter };
        },
        onJoined: (joined) => this.#leaveAt(meeting, leave, () => this.#system.voice.hangUpByUser(joined)),
      },
    });
    if (care > 0.95 && care < 0.96) this.#after(5_000, () => this.#system.voice.hangUpByUser(call));
  }

  #ring(meeting: Meeting, picksUpAfter: number | null, leave: number | null): void {
    const phone = `+447900${String((this.#phones += 1)).padStart(6, '0')}`;
    this.#system.voice.userByNumber.set(phone, {
      answersAfterMs: picksUpAfter,
      onJoined: (joined: SimCall) => this.#leaveAt(meeting, leave, () => this.#system.voice.hangUpByUser(joined)),
    });
    meeting.people += 1;
    this.#ask(
      (deps) => requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone }),
      () => undefined,
      3,
    );
  }

  #end(meeting: Meeting): void {
    if (meeting.endAcceptedAt !== null) return;
    this.#ask(
      (deps) => endRoom(deps, meeting.tenantId, meeting.roomId),
      () => (meeting.endAcceptedAt ??= this.#system.scheduler.now),
    );
  }
}

function drawEnding(random: Random): Ending {
  const dice = random.next();
  if (dice < 0.4) return 'tenant';
  if (dice < 0.6) return 'everybody-leaves';
  if (dice < 0.7) return 'browsers-leave';
  if (dice < 0.77) return 'phones-leave';
  if (dice < 0.83) return 'one-stays';
  if (dice < 0.98) return 'deadline';
  return 'nobody-comes';
}
