import type { JobName, JobPayload } from '@partyline/jobs/catalogue';
import { appendEvents, type NewEvent } from '@partyline/store/events/append-events';
import { saveLegs, type LegRow } from '@partyline/store/legs/legs';
import { inTurn } from '@partyline/store/database/keyed-mutex';
import { lockSession, saveSession, type NamedLegs, type SessionView } from '@partyline/store/sessions/session-lock';
import { inTransaction, type Tx } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import { recordHangUpLatency } from './record-hang-up-latency.ts';
import { settleSession } from './settle-session.ts';

type JobRequest =
  { [N in JobName]: { name: N; payload: JobPayload<N>; delayMs?: number } }[JobName] | { name: 'arm'; delayMs: number };

/**
 * The one way to change a session or a leg of it: locks it, lets `change` alter the rows it is given, settles it, writes what differs by
 * compare-and-set, and commits the tenant's events with it. The jobs that make it quick are sent after the commit; a crash between is
 * made good by the reconciler, since every job can be read off the rows. What cannot be read off the difference `change` tells the tenant itself. Answers `null` when the tenant has no such session.
 * @param named legs that `change` looks for although they may be over; of all others it is given those that are up
 */
export async function changeSession<T>(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  sessionId: string,
  change: (view: SessionView, tx: Tx, tell: (event: NewEvent) => void) => Promise<T> | T,
  named?: NamedLegs,
): Promise<{ result: T; view: SessionView } | null> {
  const done = await inTurn(deps.store, sessionId, () =>
    inTransaction(deps.store, tenantId, async (tx) => {
      const view = await lockSession(tx, tenantId, sessionId, named);
      if (view === null) return null;
      const sessionBefore = { ...view.session };
      const legsBefore = new Map(view.legs.map((leg) => [leg.id, { ...leg }]));

      const told: NewEvent[] = [];
      const result = await change(view, tx, (event) => void told.push(event));
      settleSession(view, new Map([...legsBefore].map(([id, leg]) => [id, leg.state])));

      const events = [...told, ...deriveEvents(view, sessionBefore, legsBefore)];
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
        view.legs.filter((leg) => hasChanged(legsBefore.get(leg.id), leg)),
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

/** Runs for every leg of every change: `for…in`, since making entries was the largest single cost of a change. */
function hasChanged(before: object | undefined, after: object): boolean {
  if (before === undefined) return true;
  for (const column in after)
    if (!isSame((before as Record<string, unknown>)[column], (after as Record<string, unknown>)[column])) return true;
  return false;
}
const isSame = (a: unknown, b: unknown): boolean =>
  a === b || (a instanceof Date && b instanceof Date && a.getTime() === b.getTime());

/** The tenant's events, read off what differs: whatever made the change, it is told the same way. */
function deriveEvents(
  { session, legs }: SessionView,
  sessionBefore: SessionView['session'],
  legsBefore: ReadonlyMap<string, LegRow>,
): NewEvent[] {
  const events: NewEvent[] = [];
  if (session.state !== sessionBefore.state && session.state === 'live')
    events.push({ type: 'session.live', data: {} });
  for (const leg of legs) {
    const was = legsBefore.get(leg.id)?.state;
    if (leg.state === was) continue;
    const ended = leg.state === 'ended' ? { outcome: leg.outcome, reason: leg.reason } : {};
    events.push({
      type: `leg.${leg.state}`,
      data: { legId: leg.id, kind: leg.kind, participantId: leg.participant_id, ...ended },
    });
  }
  if (session.state !== sessionBefore.state && session.state !== 'live') {
    // A session with no legs is decided to end and is over in one step; both are told.
    if (sessionBefore.state !== 'ending') events.push({ type: 'session.ending', data: { reason: session.end_reason } });
    if (session.state === 'ended') events.push({ type: 'session.ended', data: { reason: session.end_reason } });
  }
  return events;
}

/** The jobs that make quick what the rows now say. */
function deriveJobs(
  view: SessionView,
  sessionBefore: SessionView['session'],
  legsBefore: ReadonlyMap<string, LegRow>,
): JobRequest[] {
  const { session, legs, now } = view;
  const ids = { tenantId: session.tenant_id, sessionId: session.id };
  const requests: JobRequest[] = [];
  const unasked = legs.filter(
    (leg) => leg.state === 'ending' && leg.hangup_attempted_at === null && hasChanged(legsBefore.get(leg.id), leg),
  );
  if (session.state === 'ending') {
    if (sessionBefore.state !== 'ending' || unasked.length > 0) requests.push({ name: 'arm', delayMs: 0 });
  } else {
    if (session.state === 'live' && (sessionBefore.state !== 'live' || !isSame(sessionBefore.due_at, session.due_at)))
      requests.push({ name: 'arm', delayMs: session.due_at.getTime() - now.getTime() });
    for (const leg of unasked)
      requests.push({ name: 'hang-up-leg', payload: { tenantId: ids.tenantId, legId: leg.id } });
  }
  // Only when that changed: dialling looks at the session itself, and must not send itself again.
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
        // Committed all the same; the reconciler reads it off the rows.
        report.count('enqueue_failed', { job: request.name });
        report.warn('a job could not be sent; the reconciler will do it', {
          job: request.name,
          tenantId,
          sessionId,
          error: String(error),
        });
      }
    }),
  );
}
