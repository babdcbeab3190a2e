import { MAX_PRESENCE_CHECK_MS, UNOBSERVED_AFTER_MS } from '@partyline/conference/sessions/settle-session';
import { canJoin } from '@partyline/domain/session';
import type { LegRow } from '@partyline/store/legs/legs';
import type { SessionRow } from '@partyline/store/sessions/session-lock';
import type { Change } from '../database/tables.ts';
import type { LedgerEntry } from '../provider/ledger.ts';
import type { System } from '../system.ts';
import type { Meeting, Workload } from '../workload.ts';
import { findCertainEnd, isEndExplained, type Attendance } from '../../session-end.ts';
import { computeBound, DETECTION_MS, extendByFailedInventories, type FaultEpisode } from './bounds.ts';
import { checkDeadlineAtJoin, checkDeadlines } from './check-deadlines.ts';
import { checkRecords } from './check-records.ts';
import { DelayHistogram } from './delay-histogram.ts';

interface Violation {
  /** The invariant of docs/guarantee.md, such as `I1`. */
  readonly rule: string;
  readonly at: number;
  readonly entryId: string | null;
  readonly message: string;
}

export interface Judgement {
  readonly legs: number;
  readonly leakedLegs: number;
  /** Past their bounds. */
  readonly leakedLegSeconds: number;
  readonly falseKills: number;
  /** Calls of a prolonged session that ended because no inventory could move their deadline in time. */
  readonly lostToDeadline: number;
  readonly violations: readonly Violation[];
  /** Legs with a hang-up attempt, all attempts, and the most of one leg. */
  readonly hangUps: { legs: number; attempts: number; max: number };
  /** From when the end was due to the end in the ledger, by the fault that determined the bound. */
  readonly delays: Readonly<Record<string, DelayHistogram>>;
  readonly eventsLost: number;
  readonly eventsDuplicated: number;
  readonly billedVsLedgerMaxSeconds: number;
  readonly unknowableConnections: number;
  readonly killsAfterDataLoss: number;
}

/** The time of a caller to be admitted. */
const ADMISSION_MS = 60_000;
const GOODBYE_MS = 15_000;

/** The row of a session has the time of its transaction, which can be this old at the commit. */
const MAX_TRANSACTION_MS = 15_000;

/**
 * Judges by the provider's ledger which legs are live and when they ended, and by what the tenants
 * and participants did whether a session had to end. From our rows it uses only which session a
 * connection belongs to and when its end was decided.
 */
export class Oracle {
  readonly violations: Violation[] = [];
  falseKills = 0;
  /**
   * Live legs hung up because a failover lost the commit that admitted them. Counted, but no
   * violation.
   */
  killsAfterDataLoss = 0;
  /** Connections of video sessions whose row a failover lost. */
  unknowableConnections = 0;
  /** When the end of each session was committed. */
  readonly #endDecidedAt = new Map<string, number>();
  /** When each session was created, by the commits. */
  readonly #createdAt = new Map<string, number>();
  /** Every video session id that a commit contained. */
  readonly #mediaSessions = new Set<string>();
  readonly #system: System;
  readonly #workload: Workload;
  /**
   * When the hang-up was decided of a caller who was not admitted, of one too many in a full room,
   * and of a connection whose participant has a newer one. By call or connection.
   */
  readonly #rejectedAt = new Map<string, number>();
  /**
   * Legs with a committed decision to dial, and whether their session ran then. A decision is valid
   * once.
   */
  readonly #dialDecisions = new Map<string, boolean>();

  constructor(system: System, workload: Workload) {
    this.#system = system;
    this.#workload = workload;
    system.database.onCommit = (change) => {
      if (change.sessions.size + change.legs.size === 0) return;
      this.#checkCommit(change);
      system.wakeSweeps();
    };
    // The simulation skips an idle inventory. A new entry gives it work, even if its webhook is
    // lost.
    system.ledger.onOpen = () => system.wakeSweeps();
    const accepted = new Set<string>();
    system.onWebhookAccepted = (jti) => {
      // I13. A failover loses used tokens too.
      if (accepted.has(jti) && system.database.failoverCount === 0)
        this.#addViolation('I13', null, `the webhook with token ${jti} took effect twice`);
      accepted.add(jti);
    };
    system.voice.onHangUp = (entry) => this.#checkHangUp(entry);
    system.video.onDisconnect = (entry) => this.#checkHangUp(entry);
    system.voice.onJoin = (call) =>
      checkDeadlineAtJoin(call, system, (rule, entry, message) => this.#addViolation(rule, entry, message));
    workload.onMuted = (legId) => this.#checkMuted(legId);
    system.voice.onCreate = (input, legId) => {
      const leg = system.database.tables.legs.get(legId);
      // A failover may have lost the row since (docs/guarantee.md).
      if (leg === undefined && !system.database.lostLegs.has(legId))
        this.#addViolation('I3', null, `a call was placed for leg ${legId}, which has no row`);
      if (leg !== undefined) this.#checkTimers(leg, input.lengthTimerS, input.ringingTimerS);
      this.#checkDial(legId);
    };
    system.video.onDial = ({ data }) => this.#checkDial((JSON.parse(data) as { leg: string }).leg);
  }

  #addViolation(rule: string, entry: LedgerEntry | null, message: string): void {
    this.violations.push({ rule, at: this.#system.scheduler.now, entryId: entry?.id ?? null, message });
  }

  /** I21: a leg is muted at the provider when the API has confirmed it. */
  #checkMuted(legId: string): void {
    const { database, ledger } = this.#system;
    const leg = database.tables.legs.get(legId);
    const entry = ledger.live.get(leg?.media_connection_id ?? leg?.voice_call_id ?? '');
    if (entry?.isMuted === false) this.#addViolation('I21', entry, `${legId} is not muted, although the API said so`);
  }

  /** I4: the provider's own timer ends each placed call soon after its deadline. */
  #checkTimers(leg: LegRow, lengthS: number, ringingS: number): void {
    const leftS = (leg.deadline_at.getTime() - this.#system.scheduler.now) / 1000;
    // The timer is computed before the request. A paused process sends it up to a minute later.
    if (lengthS > 7_200 || ringingS > 60 || lengthS > Math.max(1, leftS) + 60)
      this.#addViolation(
        'I4',
        null,
        `${leg.id}: length timer ${lengthS} s with ${Math.round(leftS)} s left, ringing timer ${ringingS} s`,
      );
  }

  /** I5: each dial was decided once, by a commit, while its session ran. */
  #checkDial(legId: string): void {
    const wasRunning = this.#dialDecisions.get(legId);
    this.#dialDecisions.delete(legId);
    if (wasRunning === undefined) this.#addViolation('I5', null, `${legId} was dialled without a committed decision`);
    else if (!wasRunning)
      this.#addViolation('I5', null, `${legId} was dialled although its session was over when that was decided`);
  }

  #checkCommit(change: Change): void {
    const { tables } = this.#system.database;
    const { now } = this.#system.scheduler;
    for (const [id, before] of change.sessions) {
      const after = tables.sessions.get(id);
      if (after === undefined) continue;
      if (before === undefined) this.#createdAt.set(id, Math.max(after.created_at.getTime(), now - MAX_TRANSACTION_MS));
      if (after.media_session_id !== null) this.#mediaSessions.add(after.media_session_id);
      const isOver = !isRunning(after);
      if (isOver && (before === undefined || isRunning(before))) this.#endDecidedAt.set(id, now);
      // A failover may have lost the decision.
      if (!isOver) this.#endDecidedAt.delete(id);
      if (before !== undefined && !isRunning(before) && isRunning(after))
        this.#addViolation('I12', null, `session ${id} went from ${before.state} to ${after.state}`);
    }
    for (const [id, before] of change.legs) {
      const after = tables.legs.get(id);
      if (after === undefined || after.state === before?.state) continue;
      if (before?.state === 'ended') this.#addViolation('I12', null, `leg ${id} went from ended to ${after.state}`);
      if (after.state === 'ended') this.#checkClosedLeg(after);
      if (after.state === 'dialling') this.#dialDecisions.set(id, isRunning(tables.sessions.get(after.session_id!)!));
      // A browser of which an event says first that it has left is rejected and ended at once.
      const isEndedAtOnce = before === undefined && after.state === 'ended';
      if (after.state !== 'ending' && !isEndedAtOnce) continue;
      const { hangup_reason: reason } = after;
      const isRejected =
        after.session_id === null ||
        (reason === 'room-full' && this.#wasRoomFull(after)) ||
        ((reason === 'replaced' || reason === 'too-many-connections') && this.#wasReplaced(after));
      const handle = after.voice_call_id ?? after.media_connection_id;
      if (isRejected && handle !== null) this.#rejectedAt.set(handle, now);
    }
  }

  /** Whether a leg that was hung up because the room is full was indeed one too many. */
  #wasRoomFull({ id, session_id, participant_id, hangup_requested_at }: LegRow): boolean {
    const { tables } = this.#system.database;
    const session = tables.sessions.get(session_id ?? '');
    // A rejected caller belongs to no session yet.
    if (session === undefined) return true;
    const others = (tables.legsOfSession.get(session.id) ?? [])
      .map((each) => tables.legs.get(each)!)
      .filter((each) => each.id !== id && each.kind !== 'bridge' && each.state !== 'ended')
      // One whose hang-up was requested at the same time had a seat until then.
      .filter(
        (each) => each.state !== 'ending' || each.hangup_requested_at?.getTime() === hangup_requested_at?.getTime(),
      );
    return (
      others.filter((each) => each.participant_id === null || each.participant_id !== participant_id).length >=
      tables.rooms.get(session.room_id)!.max_participants
    );
  }

  /**
   * Whether the participant of a replaced leg has a newer connection, or two others with unknown
   * times.
   */
  #wasReplaced({ id, session_id, participant_id, media_connection_id, hangup_reason }: LegRow): boolean {
    const { tables } = this.#system.database;
    const { connections } = this.#system.video;
    const createdAt = (connection: string | null): number =>
      connections.get(connection ?? '')?.entry.createdAt ?? -Infinity;
    const others = (tables.legsOfSession.get(session_id ?? '') ?? [])
      .map((each) => tables.legs.get(each)!)
      .filter((each) => each.id !== id && each.participant_id === participant_id);
    if (hangup_reason === 'too-many-connections')
      return others.filter(({ state }) => state !== 'ended' && state !== 'ending').length >= 2;
    return others.some((each) => createdAt(each.media_connection_id) > createdAt(media_connection_id));
  }

  /** I2: a leg that is ended in our rows is ended at the provider. */
  #checkClosedLeg(leg: LegRow): void {
    const { ledger } = this.#system;
    for (const handle of [leg.voice_call_id, leg.media_connection_id]) {
      const live = handle === null ? undefined : ledger.live.get(handle);
      if (live !== undefined && live.saidOverAt === null)
        this.#addViolation(
          'I2',
          live,
          `${leg.id} is ended in our rows (${leg.outcome} ${leg.reason}) but ${handle} is live`,
        );
    }
  }

  /** I6: the platform hangs up no leg in the conference of a running session. */
  #checkHangUp(entry: LedgerEntry): void {
    const session = this.#findSession(entry);
    if (session === undefined || !isRunning(session)) return;
    // A bridge leg or a telephone that never joined the conference may be hung up.
    const isInConference =
      entry.kind === 'webrtc' ||
      entry.conversation !== null ||
      (entry.kind === 'bridge' && (entry.peer?.conversation ?? null) !== null);
    if (!isInConference || this.#rejectedAt.has(entry.id) || this.#isReplacedBridge(entry)) return;
    if (this.#system.database.lostSessions.has(session.id)) {
      // A failover lost the committed admission, so our rows cannot know the leg.
      this.killsAfterDataLoss += 1;
      return;
    }
    this.falseKills += 1;
    this.#addViolation(
      'I6',
      entry,
      `the platform hung up ${entry.kind} ${entry.id} of the running session ${session.id}`,
    );
  }

  /**
   * A bridge leg of which a handle was reported as ended is dialled again, and one of the two must
   * end. If both handles were reported as ended, its leg has ended, also before the next dial.
   */
  #isReplacedBridge(entry: LedgerEntry): boolean {
    if (entry.kind !== 'bridge') return false;
    const handles = [entry, entry.peer].filter((each) => each !== null);
    if (handles.length === 2 && handles.every(({ saidOverAt }) => saidOverAt !== null)) return true;
    if (!handles.some(({ saidOverAt }) => saidOverAt !== null)) return false;
    for (const other of this.#system.ledger.live.values())
      if (other.kind === 'bridge' && other.media === entry.media && other !== entry && other !== entry.peer)
        return true;
    return false;
  }

  #findSession(entry: LedgerEntry): SessionRow | undefined {
    const { tables } = this.#system.database;
    const id =
      (entry.conversation === null ? undefined : tables.sessionByConversation.get(entry.conversation)) ??
      (entry.media === null ? undefined : tables.sessionByMedia.get(entry.media)) ??
      (entry.legId === null ? undefined : (tables.legs.get(entry.legId)?.session_id ?? undefined));
    return id === undefined ? undefined : tables.sessions.get(id);
  }

  /**
   * When the end of an entry was due: at the first cause that ended its session, or that had to.
   * Null if there is none.
   * @param acceptedEnds when the API accepted the end of a room, by session id
   * @param certainEnds when a clock must have ended a session, by session id
   */
  #computeEndDue(
    entry: LedgerEntry,
    acceptedEnds: ReadonlyMap<string, number>,
    certainEnds: ReadonlyMap<string, number>,
  ): number | null {
    const session = this.#findSession(entry);
    if (session === undefined) {
      // A failover lost the row of the session, and the provider has no list of video sessions.
      if (entry.media !== null && this.#mediaSessions.has(entry.media)) {
        this.unknowableConnections += 1;
        return null;
      }
      if (entry.kind === 'inbound')
        return Math.min(entry.createdAt + ADMISSION_MS, (this.#rejectedAt.get(entry.id) ?? Infinity) + GOODBYE_MS);
      // An orphan call is to end at once.
      return entry.createdAt;
    }
    const room = this.#system.database.tables.rooms.get(session.room_id)!;
    const deadline = session.created_at.getTime() + room.max_duration_s * 1000;
    // A failover may have lost an accepted end. The session then ends by its own clocks.
    const acceptedAt = this.#system.database.lostSessions.has(session.id) ? undefined : acceptedEnds.get(session.id);
    const at = Math.min(
      this.#endDecidedAt.get(session.id) ?? Infinity,
      acceptedAt ?? Infinity,
      certainEnds.get(session.id) ?? Infinity,
      deadline,
    );
    return Math.max(at, entry.createdAt);
  }

  /**
   * The number of live entries, without those that a failover made unknown: connections of a lost
   * video session, and sessions with a lost end whose own clock has not expired
   * (docs/guarantee.md).
   */
  countKnownLive(): number {
    const { ledger, database, scheduler } = this.#system;
    return [...ledger.live.values()].filter((entry) => {
      const session = this.#findSession(entry);
      if (session === undefined) return entry.media === null || !this.#mediaSessions.has(entry.media);
      return !(database.lostSessions.has(session.id) && isRunning(session) && session.due_at.getTime() > scheduler.now);
    }).length;
  }

  /** Judges the whole run. To be called once, at its end. */
  judge(episodes: readonly FaultEpisode[]): Judgement {
    const { ledger, scheduler, database, restApi } = this.#system;
    const acceptedEnds = new Map(
      this.#workload.meetings.flatMap(({ sessionId, endAcceptedAt }) =>
        endAcceptedAt === null ? [] : [[sessionId, endAcceptedAt] as const],
      ),
    );
    const entriesBySession = this.#groupBySession();
    this.#checkSessionEnds(episodes, entriesBySession);
    const certainEnds = this.#findCertainEnds(episodes, entriesBySession);
    const due = ledger.entries.map((entry) => this.#computeEndDue(entry, acceptedEnds, certainEnds));
    const ends = due
      .filter((at, i): at is number => at !== null && (ledger.entries[i]!.endedAt ?? Infinity) > at)
      .toSorted((a, b) => a - b);
    const endsInRows = this.#findEndsInRows();
    const delays: Record<string, DelayHistogram> = {};
    let leakedLegs = 0;
    let leakedMs = 0;
    const hangUps = { legs: 0, attempts: 0, max: 0 };
    ledger.entries.forEach((entry, i) => {
      if (entry.hangUpAttempts > 0) {
        hangUps.legs += 1;
        hangUps.attempts += entry.hangUpAttempts;
        hangUps.max = Math.max(hangUps.max, entry.hangUpAttempts);
      }
      // A failover may have lost the lease and the number of attempts.
      const isLeaseLost =
        database.failoverCount > 0 &&
        (database.lostSessions.has(this.#findSession(entry)?.id ?? '') || this.#findSession(entry) === undefined);
      if (entry.maxAttemptsInFlight > 1 && !isLeaseLost)
        this.#addViolation('I7', entry, `${entry.maxAttemptsInFlight} concurrent hang-up requests for ${entry.id}`);
      const from = due[i] ?? null;
      const to = entry.endedAt ?? scheduler.now;
      if (!isLeaseLost) this.#checkAttempts(entry, from);
      if (from === null || to <= from) return;
      const { peer } = entry;
      // A clock that ended the session late lost its job. Other ends enqueue a job of their own.
      const sessionId = this.#findSession(entry)?.id ?? '';
      const isJobLost =
        from < (this.#endDecidedAt.get(sessionId) ?? Infinity) && this.#system.queue.isHangUpLost(sessionId, from);
      const { deadline, fault } = computeBound({
        from,
        faults: mergeSets(
          mergeSets(entry.faults, peer?.faults ?? null),
          isJobLost ? new Set(['hang-up-job-lost']) : null,
        ),
        episodes,
        failedLists: restApi.failedLists,
        omittedAt: [...(entry.omittedAt ?? []), ...(peer?.omittedAt ?? [])],
        simultaneousEnds: countBetween(ends, from - 20_000, from + 5_000),
        failedAttempts: entry.failedAttempts + (peer?.failedAttempts ?? 0),
        lastFailedAttemptAt: Math.max(entry.lastFailedAttemptAt, peer?.lastFailedAttemptAt ?? 0),
        isOrphan: [entry, peer].some(
          (each) => each !== null && (endsInRows.get(each.id) ?? Infinity) < (each.endedAt ?? Infinity),
        ),
      });
      // A leg that the user ended within the deadline does not measure the platform.
      if (entry.endedBy === 'platform' || entry.endedBy === 'peer' || to > deadline)
        (delays[fault] ??= new DelayHistogram()).add(to - from);
      if (to <= deadline) return;
      leakedLegs += 1;
      leakedMs += to - deadline;
      const until = entry.endedAt === null ? 'the end of the run' : formatTime(to);
      const lateS = ((to - deadline) / 1000).toFixed(1);
      this.#addViolation(
        'I1',
        entry,
        `the end of ${entry.kind} ${entry.id} was due at ${formatTime(from)}, but it was up until ${until}, ` +
          `${lateS} s past its bound (${fault})`,
      );
    });
    const lostToDeadline = checkDeadlines(
      this.#system,
      {
        meetings: this.#groupMeetings(),
        episodes,
        findSession: (entry) => this.#findSession(entry),
        endDecidedAt: this.#endDecidedAt,
      },
      (rule, entry, message) => {
        if (rule === 'I6') this.falseKills += 1;
        this.#addViolation(rule, entry, message);
      },
    );
    const records = checkRecords(this.#system, (rule, entry, message) => this.#addViolation(rule, entry, message));
    return {
      legs: ledger.entries.filter((entry) => !(entry.kind === 'bridge' && entry.handle === 'voice')).length,
      leakedLegs,
      leakedLegSeconds: leakedMs / 1000,
      falseKills: this.falseKills,
      lostToDeadline,
      violations: this.violations,
      hangUps,
      delays,
      ...records,
      unknowableConnections: this.unknowableConnections,
      killsAfterDataLoss: this.killsAfterDataLoss,
    };
  }

  /**
   * I6: no session is ended before its tenant's request or a clock of its room ends it. Each
   * connection that the early end hung up is a false kill.
   */
  #checkSessionEnds(episodes: readonly FaultEpisode[], entries: ReadonlyMap<string, LedgerEntry[]>): void {
    const { tables, lostSessions } = this.#system.database;
    const meetings = this.#groupMeetings();
    for (const [id, decidedAt] of this.#endDecidedAt) {
      const meeting = meetings.get(tables.sessions.get(id)!.room_id);
      // A failover may have lost a participant or the session itself. A room whose creation its
      // tenant did not see confirmed has no meeting.
      if (meeting === undefined || lostSessions.has(id)) continue;
      const ofSession = entries.get(id) ?? [];
      const attendance = ofSession.map((entry) => this.#toAttendance(entry, decidedAt, episodes));
      const { endRequestedAt } = meeting;
      const clocks = clocksAt(meeting, decidedAt);
      if (isEndExplained({ createdAt: this.#createdAt.get(id)!, clocks, endRequestedAt, attendance }, decidedAt))
        continue;
      const hungUp = ofSession.filter(
        ({ endedBy }, i) =>
          attendance[i]!.knownBy < Infinity &&
          attendance[i]!.from <= decidedAt &&
          attendance[i]!.until > decidedAt &&
          endedBy !== 'user',
      );
      this.falseKills += hungUp.length;
      this.#addViolation(
        'I6',
        hungUp[0] ?? null,
        `session ${id} was ended at ${formatTime(decidedAt)} (${tables.sessions.get(id)!.end_reason}), ` +
          `which neither its tenant nor its participants caused; ${hungUp.length} of them were hung up`,
      );
    }
  }

  /** When a clock must have ended each session, also if Partyline did not notice. */
  #findCertainEnds(
    episodes: readonly FaultEpisode[],
    entries: ReadonlyMap<string, LedgerEntry[]>,
  ): ReadonlyMap<string, number> {
    const { tables, lostSessions } = this.#system.database;
    const meetings = this.#groupMeetings();
    const ends = new Map<string, number>();
    for (const [id, createdAt] of this.#createdAt) {
      const meeting = meetings.get(tables.sessions.get(id)?.room_id ?? '');
      if (meeting === undefined || lostSessions.has(id)) continue;
      const visits = (entries.get(id) ?? []).map((entry) => {
        const attendance = this.#toAttendance(entry, Infinity, episodes);
        const { endedAt, saidLiveAt } = entry;
        const lastLiveAt = endedAt === null ? Infinity : Math.max(endedAt, saidLiveAt ?? 0);
        const goneBy = endedAt === null ? Infinity : this.#computeDetected(entry, lastLiveAt, episodes);
        return { ...attendance, goneBy };
      });
      ends.set(id, findCertainEnd({ createdAt, clocks: meeting.clocks }, visits, MAX_PRESENCE_CHECK_MS));
    }
    return ends;
  }

  #groupMeetings(): ReadonlyMap<string, Meeting> {
    return new Map(this.#workload.meetings.map((meeting) => [meeting.roomId, meeting]));
  }

  /** When Partyline must have detected that a participant has left, also without an event. */
  #computeDetected(entry: LedgerEntry, from: number, episodes: readonly FaultEpisode[]): number {
    const { restApi, video } = this.#system;
    const detectedBy = Math.max(this.#computeNoticed(entry, from, episodes), from + DETECTION_MS);
    return extendByFailedInventories(detectedBy, DETECTION_MS, {
      from,
      episodes,
      failedLists: [...restApi.failedCallLists, ...(video.failedLists.get(entry.media ?? '') ?? [])].toSorted(
        (a, b) => a - b,
      ),
      omittedAt: [],
    });
  }

  /** When Partyline must have noticed a change of an entry, without faults of other entries. */
  #computeNoticed(entry: LedgerEntry, from: number, episodes: readonly FaultEpisode[]): number {
    return computeBound({
      from,
      faults: entry.faults,
      episodes,
      failedLists: this.#system.restApi.failedLists,
      omittedAt: entry.omittedAt ?? [],
      simultaneousEnds: 0,
      failedAttempts: 0,
      lastFailedAttemptAt: 0,
      isOrphan: false,
    }).deadline;
  }

  /** When the last leg of each call and connection ended in our rows; Infinity: it is up. */
  #findEndsInRows(): ReadonlyMap<string, number> {
    const ends = new Map<string, number>();
    for (const { voice_call_id, media_connection_id, ended_at } of this.#system.database.tables.legs.values())
      for (const handle of [voice_call_id, media_connection_id])
        if (handle !== null) ends.set(handle, ended_at?.getTime() ?? Infinity);
    return ends;
  }

  /**
   * The connections of participants by session, also those whose leg was never in the conference.
   */
  #groupBySession(): Map<string, LedgerEntry[]> {
    const { ledger, database } = this.#system;
    const sessionOfHandle = new Map<string, string>();
    for (const { session_id, voice_call_id, media_connection_id } of database.tables.legs.values()) {
      const handle = voice_call_id ?? media_connection_id;
      if (session_id !== null && handle !== null) sessionOfHandle.set(handle, session_id);
    }
    const entries = new Map<string, LedgerEntry[]>();
    for (const entry of ledger.entries) {
      if (entry.kind === 'bridge') continue;
      const id = this.#findSession(entry)?.id ?? sessionOfHandle.get(entry.id);
      if (id === undefined) continue;
      const group = entries.get(id);
      if (group === undefined) entries.set(id, [entry]);
      else group.push(entry);
    }
    return entries;
  }

  /**
   * A participant who had left by `decidedAt`, but was said to have left earlier, counts as absent
   * since then: Partyline need not notice that it was there in between. So does a browser that an
   * event and then a list reported gone, because nothing else shows it (docs/guarantee.md).
   */
  #toAttendance(entry: LedgerEntry, decidedAt: number, episodes: readonly FaultEpisode[]): Attendance {
    const endedAt = entry.endedAt ?? Infinity;
    const { saidOverAt } = entry;
    const isOmittedSince =
      saidOverAt !== null && (entry.omittedAt ?? []).some((at) => at > saidOverAt && at <= decidedAt);
    const until = Math.min(
      endedAt <= decidedAt || isOmittedSince ? (saidOverAt ?? endedAt) : endedAt,
      this.#rejectedAt.get(entry.id) ?? Infinity,
    );
    const common = { from: entry.createdAt, until };
    // Partyline itself lets a telephone into the conference.
    if (entry.handle === 'voice')
      return { ...common, kind: 'phone', participant: entry.id, knownBy: entry.joinedAt ?? Infinity };
    return {
      ...common,
      kind: 'browser',
      participant: this.#system.video.connections.get(entry.id)!.data,
      knownBy: this.#computeKnown(entry, episodes),
    };
  }

  /**
   * When Partyline must know of a browser. While a bridge dial without an answer may have created
   * the connection, a list does not show whose it is (docs/guarantee.md).
   */
  #computeKnown(entry: LedgerEntry, episodes: readonly FaultEpisode[]): number {
    const noticedBy = this.#computeNoticed(entry, entry.createdAt, episodes);
    const dialledAt = this.#system.video.unansweredDials.get(entry.media!)?.findLast((at) => at <= noticedBy);
    const isCallbackLost = entry.faults?.has('webhook-lost') || entry.faults?.has('webhook-late');
    if (!isCallbackLost || dialledAt === undefined) return noticedBy;
    return Math.max(noticedBy, this.#computeNoticed(entry, dialledAt + UNOBSERVED_AFTER_MS, episodes));
  }

  /** I7: at most one hang-up attempt per 15 seconds of outage, plus five. */
  #checkAttempts(entry: LedgerEntry, endDueAt: number | null): void {
    if (entry.firstAttemptAt === null || entry.lastAttemptAt === null) return;
    const outageMs = entry.lastAttemptAt - Math.min(endDueAt ?? Infinity, entry.firstAttemptAt);
    const max = Math.ceil(outageMs / 15_000) + 5;
    if (entry.hangUpAttempts > max)
      this.#addViolation(
        'I7',
        entry,
        `${entry.hangUpAttempts} hang-up requests for ${entry.id} within ${(outageMs / 1000).toFixed(1)} s; ` +
          `at most ${max} are allowed`,
      );
  }
}

/** The clocks of a room that explain an end: until the API accepts new ones, those before. */
const clocksAt = ({ clocks, prolongation }: Meeting, at: number): Meeting['clocks'] =>
  prolongation !== null && at > (prolongation.acceptedAt ?? Infinity)
    ? { ...clocks, max_duration_s: prolongation.max_duration_s }
    : clocks;

const isRunning = (session: SessionRow): boolean => canJoin(session.state);
const formatTime = (at: number): string => new Date(at).toISOString().slice(8, 23);
const mergeSets = (a: ReadonlySet<string> | null, b: ReadonlySet<string> | null): ReadonlySet<string> | null =>
  a === null ? b : b === null ? a : new Set([...a, ...b]);

/** The number of instants of an ordered list in [from, to). */
function countBetween(ordered: readonly number[], from: number, to: number): number {
  const countBefore = (at: number): number => {
    let low = 0;
    let high = ordered.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ordered[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return countBefore(to) - countBefore(from);
}
