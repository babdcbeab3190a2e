import { canJoin } from '@partyline/domain/session';
import type { SessionRow } from '@partyline/store/sessions/session-lock';
import type { LedgerEntry } from '../provider/ledger.ts';
import { DEADLINE_MARGIN_MS, type SimCall } from '../provider/voice.ts';
import type { System } from '../system.ts';
import type { Meeting } from '../workload.ts';
import { extendByFailedInventories, type FaultEpisode } from './bounds.ts';

/** An inventory moves a deadline within this time, as it finds a call without its webhooks. */
const MOVE_MS = 90_000;
/** Deadlines are whole seconds. */
const TOLERANCE_MS = 2_000;

type ReportViolation = (rule: string, entry: LedgerEntry | null, message: string) => void;

/** I4: a call that joins a conference of our own gateways has a deadline, at its session's end. */
export function checkDeadlineAtJoin({ entry, endsAt, timer }: SimCall, system: System, report: ReportViolation): void {
  if (!system.options.isSelfHosted) return;
  const { tables } = system.database;
  const session = tables.sessions.get(tables.sessionByConversation.get(entry.conversation ?? '') ?? '');
  const room = tables.rooms.get(session?.room_id ?? '');
  if (timer === undefined) report('I4', entry, `${entry.kind} ${entry.id} joined without a deadline`);
  // A failover may have lost the session.
  if (endsAt === null || session === undefined || room === undefined) return;
  const latest = session.created_at.getTime() + room.max_duration_s * 1000 + DEADLINE_MARGIN_MS + TOLERANCE_MS;
  if (endsAt > latest)
    report('I4', entry, `${entry.kind} ${entry.id} got a deadline ${(endsAt - latest) / 1000} s too late`);
}

interface DeadlineInput {
  readonly meetings: ReadonlyMap<string, Meeting>;
  readonly episodes: readonly FaultEpisode[];
  readonly findSession: (entry: LedgerEntry) => SessionRow | undefined;
  /** When the end of each session was committed. */
  readonly endDecidedAt: ReadonlyMap<string, number>;
}

/**
 * Checks the calls at our own gateways that had a deadline. I4: none outlives it, whatever fails. I6:
 * none ends by it while its session runs, unless no inventory could move it since the session was
 * prolonged (docs/guarantee.md). Returns the number of those.
 */
export function checkDeadlines(system: System, input: DeadlineInput, report: ReportViolation): number {
  if (!system.options.isSelfHosted) return 0;
  const { ledger, scheduler, database } = system;
  let lost = 0;
  for (const entry of ledger.entries) {
    if (entry.handle !== 'voice' || entry.joinedAt === null) continue;
    const session = input.findSession(entry);
    const meeting = input.meetings.get(session?.room_id ?? '');
    // A failover may have lost the session, its end or its room.
    if (session === undefined || meeting === undefined || database.lostSessions.has(session.id)) continue;
    const { clocks, prolongation } = meeting;
    const createdAt = session.created_at.getTime();
    const firstEnd = createdAt + clocks.max_duration_s * 1000;
    const lastEnd = prolongation === null ? firstEnd : createdAt + prolongation.max_duration_s * 1000;
    const endedAt = entry.endedAt ?? scheduler.now;
    if (endedAt > lastEnd + DEADLINE_MARGIN_MS + TOLERANCE_MS)
      report('I4', entry, `${entry.kind} ${entry.id} was up ${(endedAt - lastEnd) / 1000} s after its session's end`);
    if (entry.endedBy !== 'deadline' && entry.endedBy !== 'timer') continue;
    if (endedAt < firstEnd - TOLERANCE_MS) {
      report('I6', entry, `${entry.id} ended by its deadline ${(firstEnd - endedAt) / 1000} s too early`);
      continue;
    }
    const decidedAt = input.endDecidedAt.get(session.id) ?? (canJoin(session.state) ? Infinity : 0);
    const acceptedAt = prolongation?.acceptedAt ?? null;
    // A call that counts as over keeps its deadline.
    if (acceptedAt === null || decidedAt <= endedAt || endedAt >= lastEnd || entry.saidOverAt !== null) continue;
    const from = Math.max(acceptedAt, entry.joinedAt);
    const movedBy = extendByFailedInventories(from + MOVE_MS, MOVE_MS, {
      from,
      episodes: input.episodes,
      failedLists: system.restApi.failedCallLists,
      omittedAt: [...(entry.omittedAt ?? []), ...(entry.failedMoves ?? [])].toSorted((a, b) => a - b),
    });
    if (endedAt <= movedBy) lost += 1;
    else
      report(
        'I6',
        entry,
        `${entry.kind} ${entry.id} ended by its deadline ${Math.round((endedAt - acceptedAt) / 1000)} s after ` +
          `its session was prolonged`,
      );
  }
  return lost;
}
