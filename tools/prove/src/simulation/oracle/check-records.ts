import { canJoin } from '@partyline/domain/session';
import { cdrId } from '@partyline/store/billing/cdrs';
import type { LegRow } from '@partyline/store/legs/legs';
import type { LedgerEntry } from '../provider/ledger.ts';
import { computeBilledSeconds } from '../provider/voice.ts';
import type { System } from '../system.ts';
import { DETECTION_MS } from './bounds.ts';

interface RecordCheck {
  readonly eventsLost: number;
  readonly eventsDuplicated: number;
  /** The largest difference between a call record and the provider's charge. */
  readonly billedVsLedgerMaxSeconds: number;
}

type ReportViolation = (rule: string, entry: LedgerEntry | null, message: string) => void;

/** Checks live rows, events and call records at the end of a run, when every session has ended. */
export function checkRecords(system: System, report: ReportViolation): RecordCheck {
  checkLiveRows(system, report);
  return { ...checkEvents(system, report), billedVsLedgerMaxSeconds: compareBilling(system, report) };
}

/**
 * I16: no row counts as live that the provider does not have. Participant limits and quotas count
 * these rows.
 */
function checkLiveRows({ database: { tables }, ledger, scheduler }: System, report: ReportViolation): void {
  for (const id of tables.liveLegs) {
    const { kind, state, voice_call_id: call, media_connection_id: connection, created_at } = tables.legs.get(id)!;
    // A webhook that comes ten minutes late can create the row just before the end of the run.
    if (kind === 'webrtc' && created_at.getTime() > scheduler.now - DETECTION_MS) continue;
    if (ledger.live.has(call ?? '') || ledger.live.has(connection ?? '')) continue;
    report(
      'I16',
      ledger.byId.get(call ?? connection ?? '') ?? null,
      `leg ${id} counts as live (${state}) but is not live at the provider`,
    );
  }
  for (const id of [...tables.runningSessions, ...tables.endingSessions]) {
    const session = tables.sessions.get(id)!;
    // A room whose creation the tenant never saw confirmed runs until its own clock ends it.
    if (
      canJoin(session.state) &&
      session.due_at.getTime() > scheduler.now &&
      tables.rooms.get(session.room_id)?.state === 'active'
    )
      continue;
    if (!(tables.legsOfSession.get(id) ?? []).some((leg) => tables.liveLegs.has(leg)))
      report('I16', null, `session ${id} counts as ${session.state} but has no live leg`);
  }
}

/** I14: sequence numbers without a gap, and exactly one final event of each leg and session. */
function checkEvents(
  { database: { tables } }: System,
  report: ReportViolation,
): Pick<RecordCheck, 'eventsLost' | 'eventsDuplicated'> {
  let eventsLost = 0;
  let eventsDuplicated = 0;
  for (const session of tables.sessions.values()) {
    const rows = (tables.outboxOfStream.get(session.id) ?? []).map((id) => tables.outbox.get(id)!);
    const seqs = new Set(rows.map(({ seq }) => seq));
    for (let seq = 1; seq <= session.last_seq; seq++) if (!seqs.has(seq)) eventsLost += 1;
    const endedEvents = new Map<string, number>();
    for (const { type, data } of rows) {
      if (type !== 'leg.ended') continue;
      const { legId } = JSON.parse(data) as { legId: string };
      endedEvents.set(legId, (endedEvents.get(legId) ?? 0) + 1);
    }
    for (const id of tables.legsOfSession.get(session.id) ?? []) {
      const count = endedEvents.get(id) ?? 0;
      if (tables.legs.get(id)!.state === 'ended' && count === 0) eventsLost += 1;
      if (count > 1) eventsDuplicated += count - 1;
    }
    const sessionEnded = rows.filter(({ type }) => type === 'session.ended').length;
    if (session.state === 'ended' && sessionEnded !== 1)
      report('I14', null, `session ${session.id} has ${sessionEnded} session.ended events`);
  }
  if (eventsLost > 0) report('I14', null, `${eventsLost} events are missing`);
  if (eventsDuplicated > 0) report('I14', null, `${eventsDuplicated} leg.ended events are duplicates`);
  return { eventsLost, eventsDuplicated };
}

/**
 * I15: the call record of each closed handle agrees with the provider's charge, whatever webhooks
 * were lost.
 */
function compareBilling({ database: { tables, lostSessions }, ledger }: System, report: ReportViolation): number {
  let maxDifference = 0;
  // A reopened connection has two legs; the later one has the only record.
  const lastLegOfConnection = new Map<string, LegRow>();
  for (const leg of tables.legs.values()) {
    const last = lastLegOfConnection.get(leg.media_connection_id ?? '');
    if (leg.media_connection_id !== null && (last === undefined || last.created_at <= leg.created_at))
      lastLegOfConnection.set(leg.media_connection_id, leg);
  }
  for (const leg of tables.legs.values()) {
    for (const handle of ['voice', 'media'] as const) {
      const entry = ledger.byId.get((handle === 'voice' ? leg.voice_call_id : leg.media_connection_id) ?? '');
      if (
        entry === undefined ||
        (handle === 'media' && lastLegOfConnection.get(leg.media_connection_id!) !== leg) ||
        entry.endedAt === null ||
        (handle === 'voice' ? leg.voice_closed_at : leg.media_closed_at) === null
      )
        continue;
      const billed =
        handle === 'voice' ? computeBilledSeconds(entry) : Math.ceil((entry.endedAt - entry.createdAt) / 1000);
      const record = tables.cdrs.get(cdrId(leg.id, handle));
      if (record !== undefined && handle === 'media' && record.source === 'look-up') {
        checkLookedUpRecord(leg, entry, record.seconds, report);
        continue;
      }
      const isEndUnknown = entry.isEndLost || lostSessions.has(leg.session_id ?? '');
      if (record !== undefined && entry.saidOverAt !== null && isEndUnknown && handle === 'media') {
        checkFalseEndRecord(leg, entry, entry.saidOverAt, record.seconds, report);
        continue;
      }
      const difference = Math.abs((record?.seconds ?? 0) - billed);
      maxDifference = Math.max(maxDifference, difference);
      if (record === undefined || difference > 1)
        report(
          'I15',
          entry,
          `${leg.id} was billed for ${billed} s but ` +
            (record === undefined ? 'has no call record' : `is recorded with ${record.seconds} s`),
        );
    }
  }
  return maxDifference;
}

/**
 * The provider states the times of a connection in its callbacks only. Without them the record has
 * the observed times. It must not start before the connection, nor end after it was observed
 * closed, whatever the clock skew of the processes.
 */
function checkLookedUpRecord(leg: LegRow, entry: LedgerEntry, seconds: number, report: ReportViolation): void {
  const max = Math.ceil((leg.media_closed_at!.getTime() - entry.createdAt) / 1000);
  const end =
    leg.media_missing_since === null ? entry.endedAt! : Math.min(entry.endedAt!, leg.media_missing_since.getTime());
  const min = Math.ceil((end - (leg.joined_at ?? leg.answered_at ?? leg.media_closed_at!).getTime()) / 1000);
  if (seconds > max + 1 || seconds < min - 1)
    report('I15', entry, `${leg.id} was observed for ${min} to ${max} s but is recorded with ${seconds} s`);
}

/**
 * Without a callback of its real end, or without the commit that stored it, a connection is charged
 * until the false end at least.
 */
function checkFalseEndRecord(
  leg: LegRow,
  entry: LedgerEntry,
  saidOverAt: number,
  seconds: number,
  report: ReportViolation,
): void {
  const min = Math.ceil((saidOverAt - entry.createdAt) / 1000);
  const max = Math.ceil((entry.endedAt! - entry.createdAt) / 1000);
  if (seconds < min - 1 || seconds > max + 1)
    report('I15', entry, `${leg.id} lasted for ${min} to ${max} s but is recorded with ${seconds} s`);
}
