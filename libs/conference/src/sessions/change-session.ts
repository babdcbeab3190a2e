import type { JobName, JobPayload } from '@partyline/jobs/catalogue';
import { appendEvents, type NewEvent } from '@partyline/store/events/append-events';
import { LEG_COLUMNS, saveLegs, type LegRow } from '@partyline/store/legs/legs';
import { withKeyedMutex } from '@partyline/store/database/keyed-mutex';
import { lockSession, saveSession, type LegSelector, type SessionView } from '@partyline/store/sessions/session-lock';
import { inTransaction, type Tx } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import { recordHangUpLatency } from './record-hang-up-latency.ts';
import { settleSession } from './settle-session.ts';

type JobRequest =
  { [N in JobName]: { name: N; payload: JobPayload<N>; delayMs?: number } }[JobName] | { name: 'arm'; delayMs: number };

/**
 * Changes a session and its legs; no other function writes them from TypeScript. In one transaction
 * it locks the session, calls `change` with the rows, settles the session, writes the changed rows
 * by compare-and-set and appends the tenant's events. The jobs are sent after the commit. They only
 * speed the work up: each can be derived from the rows, so the reconciler does what a crash loses.
 * @param change alters the rows it receives; `record` appends an event that the rows do not show
 * @param named ended legs to load as well; otherwise the view holds only legs that are up
 * @returns `null` when the tenant has no such session
 */
export async function changeSession<T>(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  sessionId: string,
  change: (view: SessionView, tx: Tx, record: (event: NewEvent) => void) => Promise<T> | T,
  named?: LegSelector,
): Promise<{ result: T; view: SessionView } | null> {
  const done = await withKeyedMutex(deps.store, sessionId, () =>
    inTransaction(deps.store, tenantId, async (tx) => {
      const view = await lockSession(tx, tenantId, sessionId, named);
      if (view === null) return null;
      const sessionBefore = { ...view.session };
      const legsBefore = new Map(view.legs.map((leg) => [leg.id, { ...leg }]));

      const recorded: NewEvent[] = [];
      const result = await change(view, tx, (event) => void recorded.push(event));
      settleSession(view, new Map([...legsBefore].map(([id, leg]) => [id, leg.state])));

      const events = [...recorded, ...deriveEvents(view, sessionBefore, legsBefore)];
      await appendEvents(
        tx,
        tenantId,
        { roomId: view.room.id, sessionId, firstSeq: view.session.last_seq + 1 },
        events,
      );
      view.session.last_seq += events.length;
      await saveLegs(
        tx,
        tenantId,
        view.legs.filter((leg) => hasLegChanged(legsBefore.get(leg.id), leg)),
      );
      if (hasChanged(sessionBefore, view.session)) await saveSession(tx, tenantId, view.session);
      const closed = view.legs.filter((leg) => leg.state === 'ended' && legsBefore.get(leg.id)?.state !== 'ended');
      return { result, view, closed, requests: deriveJobs(view, sessionBefore, legsBefore) };
    }),
  );
  if (done === null) return null;
  recordHangUpLatency(deps, done.closed);
  await sendJobs(deps, tenantId, sessionId, done.requests);
  return { result: done.result, view: done.view };
}

/** Compares the columns that a change can write. Others never change. */
const hasLegChanged = (before: LegRow | undefined, after: LegRow): boolean =>
  before === undefined || LEG_COLUMNS.some((column) => !isSame(before[column], after[column]));

/** Uses `for ... in`: `Object.entries` was the largest single cost of a change. */
function hasChanged(before: object | undefined, after: object): boolean {
  if (before === undefined) return true;
  for (const column in after)
    if (!isSame((before as Record<string, unknown>)[column], (after as Record<string, unknown>)[column])) return true;
  return false;
}
const isSame = (a: unknown, b: unknown): boolean =>
  a === b || (a instanceof Date && b instanceof Date && a.getTime() === b.getTime());

/** Derives the tenant's events from the difference, so that every cause emits the same events. */
function deriveEvents(
  { session, legs }: SessionView,
  sessionBefore: SessionView['session'],
  legsBefore: ReadonlyMap<string, LegRow>,
): NewEvent[] {
  const events: NewEvent[] = [];
  if (session.state !== sessionBefore.state && session.state === 'live')
    events.push({ type: 'session.live', data: {} });
  for (const leg of legs) {
    if (leg.state === legsBefore.get(leg.id)?.state) continue;
    const ended = leg.state === 'ended' ? { outcome: leg.outcome, reason: leg.reason } : {};
    events.push({
      type: `leg.${leg.state}`,
      data: { legId: leg.id, kind: leg.kind, participantId: leg.participant_id, ...ended },
    });
  }
  events.push(...deriveParticipantEvents(legs, legsBefore));
  if (session.state !== sessionBefore.state && session.state !== 'live') {
    // A session without legs goes to `ending` and `ended` in one step; both events are emitted.
    if (sessionBefore.state !== 'ending') events.push({ type: 'session.ending', data: { reason: session.end_reason } });
    if (session.state === 'ended') events.push({ type: 'session.ended', data: { reason: session.end_reason } });
  }
  return events;
}

/** Whether a participant is in the conference by this leg. */
const hasJoined = (leg: LegRow | undefined): boolean =>
  leg !== undefined && leg.joined_at !== null && leg.state !== 'ended' && leg.participant_id !== null;

const findJoined = (legs: Iterable<LegRow>): ReadonlyMap<string, LegRow> =>
  new Map([...legs].filter(hasJoined).map((leg) => [leg.participant_id!, leg]));

/**
 * A participant joins with the first leg and leaves with the last one: a reconnection that overlaps
 * the old connection is neither.
 */
function deriveParticipantEvents(legs: readonly LegRow[], legsBefore: ReadonlyMap<string, LegRow>): NewEvent[] {
  const events: NewEvent[] = [];
  for (const leg of legs) {
    const before = legsBefore.get(leg.id);
    if (before !== undefined && before.muted !== leg.muted && leg.participant_id !== null)
      events.push({ type: 'participant.updated', data: { participantId: leg.participant_id, muted: leg.muted } });
  }
  if (!legs.some((leg) => hasJoined(leg) !== hasJoined(legsBefore.get(leg.id)))) return events;
  const joinedBefore = findJoined(legsBefore.values());
  const joined = findJoined(legs);
  for (const [participantId, { id, kind }] of joined)
    if (!joinedBefore.has(participantId))
      events.push({ type: 'participant.joined', data: { participantId, legId: id, kind } });
  for (const [participantId, { id, kind }] of joinedBefore)
    if (!joined.has(participantId)) {
      const reason = legs.find((leg) => leg.id === id)?.reason ?? null;
      events.push({ type: 'participant.left', data: { participantId, legId: id, kind, reason } });
    }
  return events;
}

/** Derives the jobs for the work that the change made due. */
function deriveJobs(
  view: SessionView,
  sessionBefore: SessionView['session'],
  legsBefore: ReadonlyMap<string, LegRow>,
): JobRequest[] {
  const { session, legs, now } = view;
  const ids = { tenantId: session.tenant_id, sessionId: session.id };
  const requests: JobRequest[] = [];
  const unattempted = legs.filter(
    (leg) => leg.state === 'ending' && leg.hangup_attempted_at === null && hasLegChanged(legsBefore.get(leg.id), leg),
  );
  if (session.state === 'ending') {
    if (sessionBefore.state !== 'ending' || unattempted.length > 0) requests.push({ name: 'arm', delayMs: 0 });
  } else {
    if (session.state === 'live' && (sessionBefore.state !== 'live' || !isSame(sessionBefore.due_at, session.due_at)))
      requests.push({ name: 'arm', delayMs: session.due_at.getTime() - now.getTime() });
    for (const leg of unattempted)
      requests.push({ name: 'hang-up-leg', payload: { tenantId: ids.tenantId, legId: leg.id } });
  }
  // Only on a change: the open-bridge job changes the session itself and must not enqueue itself.
  const { bridge_due_at } = session;
  if (bridge_due_at !== null && !isSame(bridge_due_at, sessionBefore.bridge_due_at)) {
    requests.push({
      name: 'open-bridge',
      payload: ids,
      delayMs: bridge_due_at <= now ? 0 : bridge_due_at.getTime() - now.getTime() + 1,
    });
  }
  for (const leg of legs)
    if (leg.kind === 'outbound' && leg.state === 'requested' && !legsBefore.has(leg.id))
      requests.push({ name: 'dial-out', payload: { tenantId: ids.tenantId, legId: leg.id } });
  return requests;
}

async function sendJobs(
  { jobs, report }: Pick<Deps, 'jobs' | 'report'>,
  tenantId: string,
  sessionId: string,
  requests: readonly JobRequest[],
): Promise<void> {
  await Promise.all(
    requests.map(async (request) => {
      try {
        if (request.name === 'arm') await jobs.armHangUp({ tenantId, sessionId }, request.delayMs);
        else await jobs.enqueue(request.name, request.payload, request.delayMs);
      } catch (error) {
        // The change is committed; the reconciler finds the work in the rows.
        report.count('enqueue_failed', { job: request.name });
        report.warn('a job could not be enqueued; the reconciler does the work', {
          job: request.name,
          tenantId,
          sessionId,
          error: String(error),
        });
      }
    }),
  );
}
