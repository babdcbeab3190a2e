import type { LegRow } from '@partyline/store/legs/legs';
import { canJoin } from '@partyline/domain/session';
import type { SessionRow } from '@partyline/store/sessions/session-lock';
import { checkRecords } from './check-records.ts';
import { computeBound, type FaultEpisode } from './bounds.ts';
import type { Change } from '../database/tables.ts';
import type { System } from '../system.ts';
import type { LedgerEntry } from '../provider/ledger.ts';
import type { Workload } from '../workload.ts';
import { DelayHistogram } from './delay-histogram.ts';

/** Something that must not be. */
interface Violation {
  readonly rule: string;
  readonly at: number;
  readonly entryId: string | null;
  readonly message: string;
}

export interface Judgement {
  readonly legs: number;
  readonly leakedLegs: number;
  readonly leakedLegSeconds: number;
  /** Past the bound, and all that was up after its end, in seconds. */
  readonly upAfterEndSeconds: number;
  readonly leakedByFault: Readonly<Record<string, number>>;
  readonly falseKills: number;
  readonly violations: readonly Violation[];
  readonly hangUps: { legs: number; asks: number; max: number };
  readonly delays: Readonly<Record<string, DelayHistogram>>;
  readonly eventsLost: number;
  readonly eventsDuplicated: number;
  readonly billedVsLedgerMaxSeconds: number;
  readonly unknowableConnections: number;
  readonly killsAfterDataLoss: number;
}

const PIN_ENTRY_MS = 60_000;
const GOODBYE_MS = 15_000;

/**
 * Judges by the vendor's ledger which legs are up and when they ended; from our rows it takes only when a session was decided to end, and
 * holds against that what the world itself knows: when the tenant was told, and when the deadline was.
 */
export class Oracle {
  readonly violations: Violation[] = [];
  /** When each session was decided to end, by commit. */
  readonly endedAt = new Map<string, number>();
  falseKills = 0;
  /** Live legs hung up because a failover lost the commit that let them in: reported, no promise. */
  killsAfterDataLoss = 0;
  /** Connections in video sessions whose row a failover of Postgres lost. */
  unknowableConnections = 0;
  /** Every video session that a commit ever named. */
  readonly #ever = new Set<string>();
  readonly #system: System;
  readonly #world: Workload;
  /** Callers who were refused at the door, by call: when. */
  readonly #refused = new Map<string, number>();
  /** Legs that a commit said are being dialled, and whether their session ran then; each such commit is good for one request. */
  readonly #claimed = new Map<string, boolean>();
  /** Legs of people who came when the room was full, or who have come anew meanwhile. */
  readonly #turnedAway = new Set<string>();

  constructor(system: System, world: Workload) {
    this.#system = system;
    this.#world = world;
    system.database.onCommit = (change) => {
      if (change.sessions.size + change.legs.size === 0) return;
      this.#committed(change);
      system.wakeSweeps();
    };
    // An idle inventory is not simulated; there is something to find now, also when nobody was told.
    system.ledger.onOpen = () => system.wakeSweeps();
    const taken = new Set<string>();
    // I13; a failover of Postgres takes used tokens back with the rest.
    system.onWebhookAccepted = (jti) => {
      if (taken.has(jti) && system.database.failoverCount === 0)
        this.#violate('I13', null, `the webhook signed ${jti} was taken twice`);
      taken.add(jti);
    };
    system.voice.onHangUp = (entry) => this.#killed(entry);
    system.video.onDisconnect = (entry) => this.#killed(entry);
    system.voice.onCreate = (input, legId) => {
      const leg = system.database.tables.legs.get(legId);
      if (leg === undefined) this.#violate('I3', null, `a call was placed for ${legId}, which has no row`);
      else this.#timer(leg, input.lengthTimerS, input.ringingTimerS);
      this.#dialled(legId);
    };
    system.video.onDial = ({ data }) => this.#dialled((JSON.parse(data) as { leg: string }).leg);
  }

  #violate(rule: string, entry: LedgerEntry | null, says: string): void {
    this.violations.push({ rule, at: this.#system.scheduler.now, entryId: entry?.id ?? null, message: says });
  }

  /** I4: the vendor's own timer lets no leg outlive its session by itself. */
  #timer(leg: LegRow, lengthS: number, ringingS: number): void {
    const leftS = (leg.deadline_at.getTime() - this.#system.scheduler.now) / 1000;
    // The claim was made a while ago if the process was stopped in between.
    if (lengthS > 7_200 || ringingS > 60 || lengthS > Math.max(1, leftS) + 60)
      this.#violate(
        'I4',
        null,
        `${leg.id}: length timer ${lengthS} s with ${Math.round(leftS)} s to go, ringing timer ${ringingS} s`,
      );
  }

  /** I5: nothing is dialled for a session whose end was decided when the dial was; and each dial is decided, once. That what is made all the same is hung up within 5 s is I1, from its making. */
  #dialled(legId: string): void {
    const ran = this.#claimed.get(legId);
    this.#claimed.delete(legId);
    if (ran === undefined) this.#violate('I5', null, `${legId} was dialled and no commit had said so`);
    else if (!ran) this.#violate('I5', null, `${legId} was dialled for a session that was over when that was decided`);
  }

  #committed(change: Change): void {
    const { tables } = this.#system.database;
    const { now } = this.#system.scheduler;
    for (const [id, before] of change.sessions) {
      const after = tables.sessions.get(id);
      if (after === undefined) continue;
      if (after.media_session_id !== null) this.#ever.add(after.media_session_id);
      const over = !isRunning(after);
      if (over && (before === undefined || isRunning(before))) this.endedAt.set(id, now);
      // A failover may have taken the decision back.
      if (!over) this.endedAt.delete(id);
      if (before !== undefined && !isRunning(before) && isRunning(after))
        this.#violate('I12', null, `session ${id} went from ${before.state} to ${after.state}`);
    }
    for (const [id, before] of change.legs) {
      const after = tables.legs.get(id);
      if (after === undefined || after.state === before?.state) continue;
      if (before?.state === 'ended') this.#violate('I12', null, `leg ${id} went from ended to ${after.state}`);
      if (after.state === 'ended') this.#closed(after);
      if (after.state === 'ending' && after.hangup_reason === 'room-full' && this.#isFull(after))
        this.#turnedAway.add(id);
      if (
        after.state === 'ending' &&
        (after.hangup_reason === 'replaced' || after.hangup_reason === 'too-many-connections') &&
        this.#gaveWay(after)
      )
        this.#turnedAway.add(id);
      if (after.state === 'dialling') this.#claimed.set(id, isRunning(tables.sessions.get(after.session_id!)!));
      if (after.state === 'ending' && after.session_id === null && after.voice_call_id !== null)
        this.#refused.set(after.voice_call_id, now);
    }
  }

  /** Were as many others in when somebody was let go as one too many? */
  #isFull({ id, session_id, participant_id }: LegRow): boolean {
    const { tables } = this.#system.database;
    const session = tables.sessions.get(session_id ?? '');
    // A caller is turned away at the door, in no session yet.
    if (session === undefined) return true;
    const others = (tables.legsOfSession.get(session.id) ?? [])
      .map((each) => tables.legs.get(each)!)
      .filter((each) => each.id !== id && each.kind !== 'bridge' && each.state !== 'ended' && each.state !== 'ending');
    return (
      others.filter((each) => each.participant_id === null || each.participant_id !== participant_id).length >=
      tables.rooms.get(session.room_id)!.max_participants
    );
  }

  /** Has the same person a connection that the vendor made later than the one that was let go for it, or two others whose times we were not told? */
  #gaveWay({ id, session_id, participant_id, media_connection_id, hangup_reason }: LegRow): boolean {
    const { tables } = this.#system.database;
    const { connections } = this.#system.video;
    const madeAt = (connection: string | null): number =>
      connections.get(connection ?? '')?.entry.createdAt ?? -Infinity;
    const theirs = (tables.legsOfSession.get(session_id ?? '') ?? [])
      .map((each) => tables.legs.get(each)!)
      .filter((each) => each.id !== id && each.participant_id === participant_id);
    if (hangup_reason === 'too-many-connections')
      return theirs.filter(({ state }) => state !== 'ended' && state !== 'ending').length >= 2;
    return theirs.some((each) => madeAt(each.media_connection_id) > madeAt(media_connection_id));
  }

  /** I2: what our rows call closed is closed at the vendor. */
  #closed(leg: LegRow): void {
    const { ledger } = this.#system;
    for (const handle of [leg.voice_call_id, leg.media_connection_id]) {
      const live = handle === null ? undefined : ledger.live.get(handle);
      if (live !== undefined)
        this.#violate(
          'I2',
          live,
          `${leg.id} is closed in our rows (${leg.outcome} ${leg.reason}) and ${handle} is live`,
        );
    }
  }

  /** I6: we hung up a leg that is in the conference of a running session. */
  #killed(entry: LedgerEntry): void {
    const session = this.findSession(entry);
    if (session === undefined || !isRunning(session)) return;
    const { tables } = this.#system.database;
    const leg = (tables.legsOfSession.get(session.id) ?? []).find(
      (id) => tables.legs.get(id)!.voice_call_id === entry.id || tables.legs.get(id)!.media_connection_id === entry.id,
    );
    // A bridge or a phone that never came into the conference may be given up; one that is in it may not.
    const inside =
      entry.kind === 'webrtc' ||
      entry.conversation !== null ||
      (entry.kind === 'bridge' && (entry.peer?.conversation ?? null) !== null);
    if (!inside || (leg !== undefined && this.#turnedAway.has(leg))) return;
    if (this.#system.database.lostSessions.has(session.id)) {
      // What let it in was committed, and a failover lost it: our rows cannot know.
      this.killsAfterDataLoss += 1;
      return;
    }
    this.falseKills += 1;
    this.#violate('I6', entry, `${entry.kind} ${entry.id} of the running session ${session.id} was hung up by us`);
  }

  findSession(entry: LedgerEntry): SessionRow | undefined {
    const { tables } = this.#system.database;
    const id =
      (entry.conversation === null ? undefined : tables.sessionByConversation.get(entry.conversation)) ??
      (entry.media === null ? undefined : tables.sessionByMedia.get(entry.media)) ??
      (entry.legId === null ? undefined : (tables.legs.get(entry.legId)?.session_id ?? undefined));
    return id === undefined ? undefined : tables.sessions.get(id);
  }

  /** When a ledger entry was to end, by what ended its session first; `null` when nothing did yet. */
  #dueAt(entry: LedgerEntry, told: ReadonlyMap<string, number>): number | null {
    const session = this.findSession(entry);
    if (session === undefined) {
      // A failover lost the session's row, and no vendor tells which video sessions there are: nobody can know of this one.
      if (entry.media !== null && this.#ever.has(entry.media)) {
        this.unknowableConnections += 1;
        return null;
      }
      if (entry.kind === 'inbound')
        return Math.min(entry.createdAt + PIN_ENTRY_MS, (this.#refused.get(entry.id) ?? Infinity) + GOODBYE_MS);
      // Nobody's: from its beginning.
      return entry.createdAt;
    }
    const room = this.#system.database.tables.rooms.get(session.room_id)!;
    const deadline = session.created_at.getTime() + room.max_duration_s * 1000;
    // That it was told to end may be among what a failover lost; then it ends by its own clocks.
    const heard = this.#system.database.lostSessions.has(session.id) ? undefined : told.get(session.id);
    const at = Math.min(this.endedAt.get(session.id) ?? Infinity, heard ?? Infinity, deadline);
    return Math.max(at, entry.createdAt);
  }

  /** How much is up, without what nobody can know of: nor that an end was decided whose commit a failover lost, until its session's own clock (guarantee.md). */
  countKnownLive(): number {
    const { ledger, database, scheduler } = this.#system;
    return [...ledger.live.values()].filter((entry) => {
      const session = this.findSession(entry);
      if (session === undefined) return entry.media === null || !this.#ever.has(entry.media);
      return !(database.lostSessions.has(session.id) && isRunning(session) && session.due_at.getTime() > scheduler.now);
    }).length;
  }

  /** The verdict on everything, at the end of a run. */
  judge(episodes: readonly FaultEpisode[]): Judgement {
    const { ledger, scheduler, database } = this.#system;
    const told = new Map(
      this.#world.meetings
        .filter(({ endAcceptedAt: toldAt }) => toldAt !== null)
        .map(({ sessionId, endAcceptedAt: toldAt }) => [sessionId, toldAt!] as const),
    );
    const due = ledger.entries.map((entry) => this.#dueAt(entry, told));
    const ends = due
      .filter((at, i): at is number => at !== null && (ledger.entries[i]!.endedAt ?? Infinity) > at)
      .toSorted((a, b) => a - b);
    const delays: Record<string, DelayHistogram> = {};
    const leakedByFault: Record<string, number> = {};
    let leakedLegs = 0;
    let leakedMs = 0;
    let upMs = 0;
    const hangUps = { legs: 0, asks: 0, max: 0 };
    ledger.entries.forEach((entry, i) => {
      if (entry.hangUpAttempts > 0) {
        hangUps.legs += 1;
        hangUps.asks += entry.hangUpAttempts;
        hangUps.max = Math.max(hangUps.max, entry.hangUpAttempts);
      }
      // A lease that a failover lost is nobody's.
      const leaseLost =
        database.failoverCount > 0 &&
        (database.lostSessions.has(this.findSession(entry)?.id ?? '') || this.findSession(entry) === undefined);
      if (entry.maxAttemptsInFlight > 1 && !leaseLost)
        this.#violate('I7', entry, `${entry.maxAttemptsInFlight} requests to hang ${entry.id} up at once`);
      const from = due[i] ?? null;
      const to = entry.endedAt ?? scheduler.now;
      if (!leaseLost) this.#asks(entry, from);
      if (from === null || to <= from) return;
      upMs += to - from;
      const touched = mergeSets(entry.faults, entry.peer?.faults ?? null);
      const { deadline, fault } = computeBound(from, touched, episodes, this.#system.restApi.failedLists, {
        together: countBetween(ends, from - 20_000, from + 5_000),
        wasted: entry.failedAttempts + (entry.peer?.failedAttempts ?? 0),
        wastedAt: Math.max(entry.lastFailedAttemptAt, entry.peer?.lastFailedAttemptAt ?? 0),
      });
      // Those that let go by themselves a moment later say nothing of us.
      if (entry.endedBy === 'us' || entry.endedBy === 'peer' || to > deadline)
        (delays[fault] ??= new DelayHistogram()).add(to - from);
      if (to <= deadline) return;
      leakedLegs += 1;
      leakedMs += to - deadline;
      leakedByFault[fault] = (leakedByFault[fault] ?? 0) + (to - deadline) / 1000;
      this.#violate(
        'I1',
        entry,
        `${entry.kind} ${entry.id} was to end at ${formatTime(from)} and was up until ${entry.endedAt === null ? 'the end of the run' : formatTime(to)}, ${((to - deadline) / 1000).toFixed(1)} s past its bound (${fault})`,
      );
    });
    const books = checkRecords(this.#system, (rule, entry, says) => this.#violate(rule, entry, says));
    return {
      legs: ledger.entries.filter((entry) => !(entry.kind === 'bridge' && entry.side === 'voice')).length,
      leakedLegs,
      leakedLegSeconds: leakedMs / 1000,
      upAfterEndSeconds: upMs / 1000,
      leakedByFault,
      falseKills: this.falseKills,
      violations: this.violations,
      hangUps,
      delays,
      ...books,
      unknowableConnections: this.unknowableConnections,
      killsAfterDataLoss: this.killsAfterDataLoss,
    };
  }

  /** I7: who is not obeyed, or cannot see that he was, asks again, but no oftener than this. A failover may have taken the count back. */
  #asks(entry: LedgerEntry, owedAt: number | null): void {
    if (entry.firstAttemptAt === null || entry.lastAttemptAt === null) return;
    const outage = entry.lastAttemptAt - Math.min(owedAt ?? Infinity, entry.firstAttemptAt);
    const most = Math.ceil(outage / 15_000) + 5;
    if (entry.hangUpAttempts > most)
      this.#violate(
        'I7',
        entry,
        `${entry.hangUpAttempts} requests to hang ${entry.id} up within ${(outage / 1000).toFixed(1)} s: at most ${most}`,
      );
  }
}

const isRunning = (session: SessionRow): boolean => canJoin(session.state);
const formatTime = (at: number): string => new Date(at).toISOString().slice(8, 23);
const mergeSets = (a: ReadonlySet<string> | null, b: ReadonlySet<string> | null): ReadonlySet<string> | null =>
  a === null ? b : b === null ? a : new Set([...a, ...b]);

/** How many of an ordered list lie between two instants. */
function countBetween(ordered: readonly number[], from: number, to: number): number {
  const before = (at: number): number => {
    let low = 0;
    let high = ordered.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ordered[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return before(to) - before(from);
}
