import { canJoin } from '@partyline/domain/session';
import { cdrId } from '@partyline/store/billing/cdrs';
import type { LegRow } from '@partyline/store/legs/legs';
import type { System } from '../system.ts';
import type { LedgerEntry } from '../provider/ledger.ts';
import { computeBilledSeconds } from '../provider/voice.ts';

/** What our own books say in the end: the tenants' events, the seconds that are billed, and what counts as live. */
interface RecordCheck {
  readonly eventsLost: number;
  readonly eventsDuplicated: number;
  readonly billedVsLedgerMaxSeconds: number;
}

type ReportViolation = (rule: string, entry: LedgerEntry | null, says: string) => void;

/** For the end of a run, when all is over and has been for a while. */
export function checkRecords(system: System, violate: ReportViolation): RecordCheck {
  checkCounters(system, violate);
  return { ...checkEvents(system, violate), billedVsLedgerMaxSeconds: compareBilling(system, violate) };
}

/** I16: nothing counts as live that the vendor does not have. Who counts (a full room, a tenant's limit, a dashboard) counts these rows. */
function checkCounters({ database: { tables }, ledger, scheduler }: System, violate: ReportViolation): void {
  for (const id of tables.liveLegs) {
    const { state, voice_call_id: call, media_connection_id: connection } = tables.legs.get(id)!;
    if (ledger.live.has(call ?? '') || ledger.live.has(connection ?? '')) continue;
    violate(
      'I16',
      ledger.byId.get(call ?? connection ?? '') ?? null,
      `leg ${id} counts as live (${state}) and the vendor has nothing of it`,
    );
  }
  for (const id of [...tables.runningSessions, ...tables.endingSessions]) {
    const session = tables.sessions.get(id)!;
    // A room whose answer the tenant never saw runs until its own clock ends it.
    if (
      canJoin(session.state) &&
      session.due_at.getTime() > scheduler.now &&
      tables.rooms.get(session.room_id)?.state === 'active'
    )
      continue;
    if (!(tables.legsOfSession.get(id) ?? []).some((leg) => tables.liveLegs.has(leg)))
      violate('I16', null, `session ${id} counts as ${session.state}, and it is over`);
  }
}

/** I14: numbers without a gap, and the one event that closes each leg and each session, once. */
function checkEvents(
  { database: { tables } }: System,
  violate: ReportViolation,
): Pick<RecordCheck, 'eventsLost' | 'eventsDuplicated'> {
  let eventsLost = 0;
  let eventsDuplicated = 0;
  for (const session of tables.sessions.values()) {
    const rows = (tables.outboxOfSession.get(session.id) ?? []).map((id) => tables.outbox.get(id)!);
    const numbers = new Set(rows.map(({ seq }) => seq));
    for (let seq = 1; seq <= session.last_seq; seq++) if (!numbers.has(seq)) eventsLost += 1;
    const ended = new Map<string, number>();
    for (const { type, data } of rows) {
      if (type !== 'leg.ended') continue;
      const { legId } = JSON.parse(data) as { legId: string };
      ended.set(legId, (ended.get(legId) ?? 0) + 1);
    }
    for (const id of tables.legsOfSession.get(session.id) ?? []) {
      const told = ended.get(id) ?? 0;
      if (tables.legs.get(id)!.state === 'ended' && told === 0) eventsLost += 1;
      if (told > 1) eventsDuplicated += told - 1;
    }
    const over = rows.filter(({ type }) => type === 'session.ended').length;
    if (session.state === 'ended' && over !== 1)
      violate('I14', null, `session ${session.id} was told to be over ${over} times`);
  }
  if (eventsLost > 0) violate('I14', null, `${eventsLost} events are missing`);
  if (eventsDuplicated > 0) violate('I14', null, `${eventsDuplicated} legs were told to be over more than once`);
  return { eventsLost, eventsDuplicated };
}

/** I15: our record of each side that a row knows, beside the vendor's, whatever happened to its webhooks. */
function compareBilling({ database: { tables }, ledger }: System, violate: ReportViolation): number {
  let most = 0;
  for (const leg of tables.legs.values()) {
    for (const handle of ['voice', 'media'] as const) {
      const entry = ledger.byId.get((handle === 'voice' ? leg.voice_call_id : leg.media_connection_id) ?? '');
      if (
        entry === undefined ||
        entry.endedAt === null ||
        (handle === 'voice' ? leg.voice_closed_at : leg.media_closed_at) === null
      )
        continue;
      const charged = handle === 'voice' ? computeBilledSeconds(entry) : Math.ceil((entry.endedAt - entry.createdAt) / 1000);
      const record = tables.cdrs.get(cdrId(leg.id, handle));
      if (record !== undefined && handle === 'media' && record.source === 'look-up') {
        checkLookedUpRecord(leg, entry, record.seconds, violate);
        continue;
      }
      const off = Math.abs((record?.seconds ?? 0) - charged);
      most = Math.max(most, off);
      if (record === undefined || off > 1)
        violate(
          'I15',
          entry,
          `${leg.id} was charged for ${charged} s, and our record of it says ${record?.seconds ?? 'nothing'}`,
        );
    }
  }
  return most;
}

/**
 * Of a connection the vendor tells the times in its callbacks alone. Where they were lost our record is of when we saw it, and may be off by what it took to see
 * that; but it never begins before the connection, nor ends after we had seen that it was gone, whatever the clocks of our processes say.
 */
function checkLookedUpRecord(leg: LegRow, entry: LedgerEntry, seconds: number, violate: ReportViolation): void {
  const most = Math.ceil((leg.media_closed_at!.getTime() - entry.createdAt) / 1000);
  const seen = leg.media_missing_since === null ? entry.endedAt! : Math.min(entry.endedAt!, leg.media_missing_since.getTime());
  const least = Math.ceil((seen - (leg.joined_at ?? leg.answered_at ?? leg.media_closed_at!).getTime()) / 1000);
  if (seconds > most + 1 || seconds < least - 1)
    violate(
      'I15',
      entry,
      `${leg.id} was seen for between ${least} and ${most} s, and our record of it says ${seconds}`,
    );
}
