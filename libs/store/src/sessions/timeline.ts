import type { Store } from '../database/store.ts';

/** One entry of a session's timeline, with the table that it comes from. */
interface TimelineItem {
  readonly at: Date;
  readonly source: 'event' | 'leg' | 'hang-up' | 'observation';
  readonly what: string;
  readonly leg_id: string | null;
  readonly detail: Record<string, unknown>;
}

/**
 * Returns the first `limit` entries of a session's timeline, oldest first: events, state changes of
 * legs, hang-up attempts and observations. `eventsGone` counts its purged events. Returns `null`
 * when the tenant has no such session.
 */
export async function readTimeline(
  store: Store,
  tenantId: string,
  sessionId: string,
  limit: number,
): Promise<{ items: TimelineItem[]; eventsGone: number } | null> {
  const { rows: session } = await store.query<{ gone: number }>(tenantId, {
    name: 'events-gone',
    text: `SELECT greatest(0, s.last_seq - (
             SELECT count(*) FROM outbox o WHERE o.tenant_id = $1 AND o.session_id = s.id
           ))::int AS gone
           FROM session s
           WHERE s.tenant_id = $1 AND s.id = $2`,
    values: [tenantId, sessionId],
  });
  if (session[0] === undefined) return null;
  const { rows } = await store.query<TimelineItem>(tenantId, {
    name: 'timeline',
    // Rows from before the caller's admission have no tenant, so they are found by leg id.
    text: `WITH legs AS MATERIALIZED (SELECT * FROM leg WHERE tenant_id = $1 AND session_id = $2)
           SELECT at, source, what, leg_id, detail
           FROM (
             SELECT created_at AS at, 1 AS rank, seq AS place, 'event' AS source, type AS what,
               data ->> 'legId' AS leg_id, jsonb_build_object('seq', seq) || (data - 'legId') AS detail
             FROM outbox
             WHERE tenant_id = $1 AND session_id = $2
             UNION ALL
             SELECT moment.at, 0, moment.place, 'leg', moment.what, l.id,
               jsonb_build_object('kind', l.kind) || moment.detail
             FROM legs l
             CROSS JOIN LATERAL (
               VALUES
                 (l.created_at, 1, 'created', '{}'::jsonb),
                 (l.dialled_at, 2, 'dialled', '{}'),
                 (l.answered_at, 3, 'answered', '{}'),
                 (l.joined_at, 4, 'joined', '{}'),
                 (l.hangup_requested_at, 5, 'hang-up-requested', jsonb_build_object('reason', l.hangup_reason)),
                 (l.confirmed_at, 6, 'hang-up-confirmed', '{}'),
                 (l.ended_at, 7, 'ended', jsonb_build_object('outcome', l.outcome, 'reason', l.reason))
             ) AS moment (at, place, what, detail)
             WHERE moment.at IS NOT NULL
             UNION ALL
             SELECT a.at, 2, a.no, 'hang-up', 'attempt', a.leg_id,
               jsonb_build_object('no', a.no, 'outcome', a.outcome, 'reason', a.reason)
             FROM hang_up_attempt a
             JOIN legs l ON l.id = a.leg_id
             UNION ALL
             SELECT o.stored_at, 3, o.id, 'observation', o.phase, o.leg_id,
               jsonb_build_object(
                 'handle', o.handle, 'source', o.source, 'outcome', o.outcome, 'reason', o.reason,
                 'providerAt', o.provider_at
               )
             FROM observation o
             JOIN legs l ON l.id = o.leg_id
           ) everything
           ORDER BY at, rank, place
           LIMIT $3`,
    values: [tenantId, sessionId, limit],
  });
  return { items: rows, eventsGone: session[0].gone };
}
