import { writeConnectionData } from '@partyline/conference/legs/connection-data';
import { requestDialOut } from '@partyline/conference/legs/dial-out';
import { issueToken } from '@partyline/conference/participants/issue-token';
import { createRoom, type CreatedRoom } from '@partyline/conference/rooms/create-room';
import { endRoom } from '@partyline/conference/rooms/end-room';
import { updateRoom } from '@partyline/conference/rooms/update-room';
import { VerdictError } from '@partyline/domain/verdict';
import type { RequestedClocks } from '../session-end.ts';
import type { SimCall } from './provider/voice.ts';
import { createRandom, type Random } from './runtime/random.ts';
import { NUMBER, TENANTS, type ApiDeps, type System } from './system.ts';

/** A meeting as its tenant knows it. The oracle compares it with the rows. */
export interface Meeting {
  readonly tenantId: string;
  readonly roomId: string;
  /** The first session of the room. */
  readonly sessionId: string;
  readonly createdAt: number;
  /** As the tenant requested them at first. */
  readonly clocks: RequestedClocks;
  /** The later end that the tenant requested, and when the API accepted it. Null: none. */
  prolongation: { readonly max_duration_s: number; acceptedAt: number | null } | null;
  /** When the tenant first sent the request to end the room. */
  endRequestedAt: number | null;
  /** When the API accepted the tenant's request to end the room. */
  endAcceptedAt: number | null;
}

type Ending = 'tenant' | 'all-leave' | 'browsers-leave' | 'phones-leave' | 'one-stays' | 'deadline' | 'never-used';

export interface Traffic {
  /** The length of the last part of each day, in which meetings start. */
  readonly openMs: number;
  readonly meetingsPerDay: number;
  /** The mean length of a meeting. */
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
const REQUEST_RETRY_MS = 2_000;

/**
 * How a browser that joined once connects again: after its first connection has ended, or before.
 */
type Reload = 'after-leaving' | 'before-leaving';

/** Simulates tenants, browsers, callers and dialled telephones. */
export class Workload {
  readonly meetings: Meeting[] = [];
  /** Called when the API has confirmed that a leg is muted. */
  onMuted: ((legId: string) => void) | undefined = undefined;
  #isClosed = false;
  readonly #system: System;
  readonly #traffic: Traffic;
  #phoneCount = 0;
  #guestCount = 0;

  constructor(system: System, traffic: Traffic = DEFAULT_TRAFFIC) {
    this.#system = system;
    this.#traffic = traffic;
  }

  /** Schedules the meetings of the given number of days. */
  start(days: number): void {
    const { scheduler, options } = this.#system;
    const random = createRandom(options.seed, 'arrivals');
    const { openMs, meetingsPerDay } = this.#traffic;
    for (let day = 0, n = 0; day < days; day++) {
      // Meetings start in the last part of the day, so that the last fault of a run hits running
      // ones.
      const end = (day + 1) * DAY_MS;
      let at = end - openMs;
      for (;;) {
        at += random.exponential(openMs / meetingsPerDay);
        if (at > end) break;
        const own = createRandom(options.seed, `meeting ${(n += 1)}`);
        scheduler.at(scheduler.now + at, () => this.#startMeeting(own));
      }
    }
  }

  /** Lets no participant join any more. Every tenant ends its running meetings. */
  close(): void {
    this.#isClosed = true;
    for (const meeting of this.meetings) this.#endMeeting(meeting);
  }

  #after(ms: number, act: () => void): void {
    this.#system.scheduler.after(ms, () => {
      if (!this.#isClosed) act();
    });
  }

  /** Sends a tenant's request until it is answered. A 4xx is an answer: the result is then null. */
  #request<T>(act: (deps: ApiDeps) => Promise<T>, onResult: (result: T | null) => void, attempts = 200): void {
    this.#system.request(act, (outcome) => {
      if (outcome.ok) {
        onResult(outcome.value);
        return;
      }
      const { error } = outcome;
      const isRejected = error instanceof VerdictError && error.verdict.outcome === 'client';
      if (isRejected || attempts <= 1) onResult(null);
      else this.#system.scheduler.after(REQUEST_RETRY_MS, () => this.#request(act, onResult, attempts - 1));
    });
  }

  #startMeeting(random: Random): void {
    const lengthMs = Math.min(60 * MINUTE_MS, Math.max(MINUTE_MS, random.exponential(this.#traffic.meanMs)));
    const ending = drawEnding(random);
    const tenantId = random.pick(TENANTS);
    const lengthS = Math.round(lengthMs / 1000);
    const clocks = {
      ...DEFAULT_CLOCKS,
      max_duration_s: ending === 'deadline' ? lengthS : lengthS + 900,
      ...(ending === 'browsers-leave' ? { browsers_left_s: 30 } : {}),
      ...(ending === 'phones-leave' ? { phones_left_s: 30 } : {}),
      ...(ending === 'one-stays' ? { alone_s: 60 } : {}),
      ...(ending === 'never-used' ? { never_used_s: 300 } : {}),
    };
    const bridge = random.bool(0.2) ? ('always' as const) : ('auto' as const);
    this.#request(
      (deps) =>
        createRoom(deps, tenantId, {
          name: 'Room',
          hostName: 'Host',
          numberWanted: { number: NUMBER },
          bridge,
          max_participants: random.bool(0.03) ? 3 : 20,
          ...clocks,
        }),
      (created) => {
        if (created === null || this.#isClosed) return;
        const meeting: Meeting = {
          tenantId,
          roomId: created.room.id,
          sessionId: created.firstSession!.sessionId,
          createdAt: created.room.created_at.getTime(),
          clocks,
          prolongation: null,
          endRequestedAt: null,
          endAcceptedAt: null,
        };
        this.meetings.push(meeting);
        this.#scheduleParticipants(meeting, created, ending, lengthMs, random);
        if (this.#system.options.isSelfHosted) this.#scheduleChanges(meeting, created, ending, lengthMs, random);
      },
    );
  }

  #scheduleParticipants(
    meeting: Meeting,
    created: CreatedRoom,
    ending: Ending,
    lengthMs: number,
    random: Random,
  ): void {
    if (ending === 'never-used') return;
    const phonesOnly = ending === 'all-leave' && random.bool(0.15);
    const browsers = phonesOnly ? 0 : 1 + random.int(ending === 'browsers-leave' ? 3 : 8);
    const callers =
      ending === 'browsers-leave' || ending === 'phones-leave' || phonesOnly ? 1 + random.int(3) : random.int(5);
    const dialOuts = random.bool(0.4) ? 1 + random.int(2) : 0;
    const joinWithinMs = Math.min(lengthMs / 2, 90_000);
    /**
     * When a participant leaves, after the creation of the room. Null: it stays until its leg is
     * hung up.
     */
    const drawLeave = (kind: 'browser' | 'phone', n: number): number | null => {
      if (random.bool(0.12)) return random.between(0.2, 0.95) * lengthMs;
      if (ending === 'all-leave') return lengthMs + random.between(0, 20_000);
      if (ending === 'browsers-leave' && kind === 'browser') return lengthMs;
      if (ending === 'phones-leave' && kind === 'phone') return lengthMs;
      if (ending === 'one-stays' && !(kind === 'browser' && n === 0)) return lengthMs;
      return null;
    };
    for (let n = 0; n < browsers; n++) {
      const leaveAfter = drawLeave('browser', n);
      const reload = random.bool(0.08) ? (random.bool(0.5) ? 'after-leaving' : 'before-leaving') : null;
      this.#after(random.between(500, joinWithinMs), () => {
        const token = n === 0 ? 'first' : random.bool(0.7) ? 'unknown' : 'issued';
        this.#joinBrowser(meeting, created, token, leaveAfter, reload);
      });
    }
    for (let n = 0; n < callers; n++) {
      const leaveAfter = drawLeave('phone', n);
      const care = random.next();
      const keysAfterMs = random.between(3_000, 15_000);
      this.#after(random.between(500, joinWithinMs), () =>
        this.#dialIn(meeting, created.pin, care, keysAfterMs, leaveAfter),
      );
    }
    for (let n = 0; n < dialOuts; n++) {
      const leaveAfter = drawLeave('phone', n);
      const answersAfterMs = random.bool(0.8) ? random.between(2_000, 20_000) : random.bool(0.5) ? null : 50_000;
      const muteAfterMs = this.#system.options.isSelfHosted && random.bool(0.3) ? random.between(10_000, 60_000) : null;
      this.#after(random.between(1_000, joinWithinMs), () =>
        this.#dialOut(meeting, answersAfterMs, leaveAfter, muteAfterMs),
      );
    }
    if (ending === 'tenant') this.#after(lengthMs, () => this.#endMeeting(meeting));
    // A participant who kept the token or the number may join after the end.
    if (random.bool(0.04))
      this.#after(lengthMs + random.between(-2_000, 30_000), () =>
        this.#joinBrowser(meeting, created, 'first', null, null),
      );
    if (random.bool(0.04))
      this.#after(lengthMs + random.between(-8_000, 30_000), () => this.#dialIn(meeting, created.pin, 0, 4_000, null));
  }

  /** What only our own gateways can do: calls that last longer than at first, and muted browsers. */
  #scheduleChanges(meeting: Meeting, created: CreatedRoom, ending: Ending, lengthMs: number, random: Random): void {
    if (random.bool(ending === 'deadline' ? 0.6 : 0.2)) {
      const bySeconds = Math.round(random.between(120, 900));
      this.#after(random.between(0.2, 0.95) * lengthMs, () => this.#prolong(meeting, bySeconds));
    }
    if (random.bool(0.3))
      this.#after(random.between(0.2, 0.9) * lengthMs, () => this.#mute(meeting, created.firstSession!.participantId));
  }

  #prolong(meeting: Meeting, bySeconds: number): void {
    if (meeting.endRequestedAt !== null) return;
    const prolongation = { max_duration_s: meeting.clocks.max_duration_s + bySeconds, acceptedAt: null };
    meeting.prolongation = prolongation;
    this.#request(
      (deps) =>
        updateRoom(deps, meeting.tenantId, meeting.roomId, { max_duration_s: prolongation.max_duration_s }, null),
      (result) => {
        if (result === null) return;
        meeting.prolongation = { ...prolongation, acceptedAt: this.#system.scheduler.now };
        this.#system.ledger.countUse('session-prolonged');
      },
    );
  }

  #mute(meeting: Meeting, participantId: string): void {
    this.#request(
      (deps) => deps.provider.mute({ tenantId: meeting.tenantId, participantId, muted: true }),
      (muted) => {
        if (muted !== null) this.onMuted?.(muted.legId);
      },
      3,
    );
  }

  #scheduleLeave(meeting: Meeting, leaveAfter: number | null, leave: () => void): void {
    if (leaveAfter === null) return;
    const { scheduler } = this.#system;
    scheduler.after(Math.max(1_000, meeting.createdAt + leaveAfter - scheduler.now), leave);
  }

  /** @param tokenKind `unknown`: the token of a participant without a row; `issued`: a new token */
  #joinBrowser(
    meeting: Meeting,
    created: CreatedRoom,
    tokenKind: 'first' | 'unknown' | 'issued',
    leaveAfter: number | null,
    reload: Reload | null,
  ): void {
    const { video } = this.#system;
    const join = (media: string, token: string): void => {
      const connection = video.join(media, token);
      if (reload === null) {
        this.#scheduleLeave(meeting, leaveAfter, () => video.leave(connection));
        return;
      }
      this.#after(20_000, () => {
        this.#after(reload === 'before-leaving' ? 10_000 : 0, () => video.leave(connection));
        this.#after(1_500, () => {
          const reconnected = video.join(media, token);
          this.#scheduleLeave(meeting, leaveAfter, () => video.leave(reconnected));
        });
      });
    };
    const { mediaSessionId, token } = created.firstSession!.media;
    if (tokenKind === 'first') join(mediaSessionId, token);
    else if (tokenKind === 'unknown')
      join(mediaSessionId, writeConnectionData({ participant: `part_guest_${(this.#guestCount += 1)}` }));
    else {
      this.#request(
        (deps) => issueToken(deps, meeting.tenantId, meeting.roomId, { name: 'Guest' }),
        (issued) => {
          if (issued !== null && !this.#isClosed) join(issued.mediaSessionId, issued.token);
        },
        10,
      );
    }
  }

  /**
   * A caller dials in and enters the PIN.
   * @param care above 0.97: no digits; above 0.95: hangs up early or keys wrong PINs only; above
   *   0.9: the first PIN is wrong
   */
  #dialIn(meeting: Meeting, pin: string, care: number, keysAfterMs: number, leaveAfter: number | null): void {
    const { voice } = this.#system;
    const call = voice.receiveCall({
      kind: 'inbound',
      from: `+4477009${String((this.#phoneCount += 1)).padStart(5, '0')}`,
      to: NUMBER,
      user: {
        keys: (tryNo) => {
          if (care > 0.97) return null;
          const isRight = care <= 0.9 || (care <= 0.95 && tryNo >= 2);
          return { digits: isRight ? `${pin}#` : '000111222', afterMs: keysAfterMs };
        },
        onJoined: (joined) => this.#scheduleLeave(meeting, leaveAfter, () => voice.hangUp(joined)),
      },
    });
    if (care > 0.95 && care < 0.96) this.#after(5_000, () => voice.hangUp(call));
  }

  /**
   * @param answersAfterMs null: the telephone is not answered
   * @param muteAfterMs null: it is not muted
   */
  #dialOut(
    meeting: Meeting,
    answersAfterMs: number | null,
    leaveAfter: number | null,
    muteAfterMs: number | null,
  ): void {
    const { voice } = this.#system;
    const phone = `+447900${String((this.#phoneCount += 1)).padStart(6, '0')}`;
    voice.userByNumber.set(phone, {
      answersAfterMs,
      onJoined: (joined: SimCall) => this.#scheduleLeave(meeting, leaveAfter, () => voice.hangUp(joined)),
    });
    this.#request(
      (deps) => requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone }),
      (dialled) => {
        if (dialled === null || muteAfterMs === null) return;
        this.#after(muteAfterMs, () => this.#mute(meeting, dialled.participantId));
      },
      3,
    );
  }

  #endMeeting(meeting: Meeting): void {
    if (meeting.endAcceptedAt !== null) return;
    meeting.endRequestedAt ??= this.#system.scheduler.now;
    this.#request(
      (deps) => endRoom(deps, meeting.tenantId, meeting.roomId),
      () => (meeting.endAcceptedAt ??= this.#system.scheduler.now),
    );
  }
}

function drawEnding(random: Random): Ending {
  const draw = random.next();
  if (draw < 0.4) return 'tenant';
  if (draw < 0.6) return 'all-leave';
  if (draw < 0.7) return 'browsers-leave';
  if (draw < 0.77) return 'phones-leave';
  if (draw < 0.83) return 'one-stays';
  if (draw < 0.98) return 'deadline';
  return 'never-used';
}
