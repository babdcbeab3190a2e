import { EVERY_TENANT, type Store } from '../database/store.ts';

/* Platform-wide: the reconciler's lists cover all tenants; each row names its own. */

/** Work that rows show as due and not done. These lists still contain the work of a lost job. */
export interface DueWork {
  /**
   * Sessions with a changed roster that is not settled, or with a dial that had no news for 90 s.
   */
  readonly settle: readonly { tenant_id: string; id: string }[];
  /**
   * Sessions past their deadline, or in a room that ended within a day (later, their own deadline
   * applies).
   */
  readonly overdue: readonly { tenant_id: string; id: string }[];
  /** Open and live sessions of suspended tenants. */
  readonly suspended: readonly { tenant_id: string; id: string }[];
  /** Ending sessions with unconfirmed legs. */
  readonly ending: readonly { tenant_id: string; id: string }[];
  /**
   * Callers past their deadline before admission (no tenant), and ending legs of a session that is
   * not ending.
   */
  readonly hangUpLegs: readonly { tenant_id: string | null; id: string }[];
  /** Sessions whose bridge is due and not dialled. */
  readonly bridge: readonly { tenant_id: string; id: string }[];
  /** Bridge legs whose dial got no usable reply and no event. */
  readonly unansweredBridges: readonly { tenant_id: string; session_id: string; id: string }[];
  /** Outbound legs that are not dialled. */
  readonly dial: readonly { tenant_id: string; id: string }[];
  /** Rooms whose expiry check is due. */
  readonly rooms: readonly { tenant_id: string; id: string }[];
}

/**
 * Lists the work that has been due for longer than `graceMs`, on the database clock; at most
 * `limit` of each kind, the longest due first. Hang-ups come in the order of their last attempt,
 * those without one first, so that unconfirmed legs never starve others. Legs under a lease
 * (`lease_until`) are left out: another process works on them or waits for a slot at the provider.
 */
export async function listDueWork(
  store: Store,
  { graceMs, limit = 500 }: { graceMs: number; limit?: number },
): Promise<DueWork> {
  const before = `now() - make_interval(secs => $1)`;
  const read = async <T extends object = { tenant_id: string; id: string }>(name: string, text: string): Promise<T[]> =>
    (await store.query<T>(EVERY_TENANT, { name, text: `${text} LIMIT $2`, values: [graceMs / 1000, limit] })).rows;
  const [settle, overdue, suspended, ending, hangUpLegs, bridge, unansweredBridges, dial, rooms] = await Promise.all([
    read(
      'due-settle',
      `SELECT tenant_id, id
       FROM (
         (
           SELECT tenant_id, id, settle_due_at AS since
           FROM session
           WHERE settle_due_at < ${before}
           ORDER BY settle_due_at
           LIMIT $2
         )
         UNION ALL
         (
           SELECT tenant_id, session_id, min(dialled_at)
           FROM leg
           WHERE state = 'dialling' AND dialled_at < ${before} - interval '90 seconds'
           GROUP BY tenant_id, session_id
         )
         UNION ALL
         (
           SELECT tenant_id, session_id, dialled_at
           FROM leg
           WHERE kind = 'bridge' AND state = 'ringing' AND voice_call_id IS NULL
             AND dialled_at < ${before} - interval '90 seconds'
         )
       ) AS due
       GROUP BY tenant_id, id
       ORDER BY min(since)`,
    ),
    read(
      'due-overdue',
      `SELECT tenant_id, id
       FROM (
         (
           SELECT tenant_id, id, due_at AS since
           FROM session
           WHERE state IN ('open', 'live') AND due_at < ${before}
           ORDER BY due_at
           LIMIT $2
         )
         UNION ALL
         (
           SELECT s.tenant_id, s.id, r.ended_at
           FROM room r
           JOIN session s ON s.room_id = r.id AND s.state IN ('open', 'live')
           WHERE r.ended_at < ${before} AND r.ended_at > now() - interval '1 day'
           ORDER BY r.ended_at
           LIMIT $2
         )
       ) AS due
       GROUP BY tenant_id, id
       ORDER BY min(since)`,
    ),
    read(
      'due-suspended',
      `SELECT s.tenant_id, s.id
       FROM tenant t
       JOIN session s ON s.tenant_id = t.id AND s.state IN ('open', 'live')
       WHERE t.suspended_at < ${before}
       ORDER BY t.suspended_at, s.created_at`,
    ),
    read(
      'due-ending',
      `SELECT tenant_id, id
       FROM session s
       WHERE state = 'ending' AND ending_at < ${before}
         AND COALESCE(
           (
             SELECT min(COALESCE(l.lease_until, '-infinity'))
             FROM leg l
             WHERE l.session_id = s.id AND l.state = 'ending'
           ),
           '-infinity'
         ) <= now()
       ORDER BY (
         SELECT min(COALESCE(l.hangup_attempted_at, '-infinity'))
         FROM leg l
         WHERE l.session_id = s.id AND l.state = 'ending'
       ) NULLS FIRST, ending_at`,
    ),
    read<{ tenant_id: string | null; id: string }>(
      'due-hang-up-legs',
      `SELECT tenant_id, id
       FROM (
         SELECT tenant_id, id, hangup_attempted_at, lease_until, deadline_at AS since
         FROM leg
         WHERE session_id IS NULL AND state <> 'ended' AND deadline_at < ${before}
         UNION ALL
         SELECT l.tenant_id, l.id, l.hangup_attempted_at, l.lease_until, l.hangup_requested_at
         FROM leg l
         JOIN session s ON s.id = l.session_id
         WHERE l.state = 'ending' AND l.hangup_requested_at < ${before} AND s.state <> 'ending'
       ) AS due
       WHERE lease_until IS NULL OR lease_until <= now()
       ORDER BY hangup_attempted_at NULLS FIRST, since`,
    ),
    read(
      'due-bridge',
      `SELECT tenant_id, id
       FROM session
       WHERE bridge_due_at < ${before}
       ORDER BY bridge_due_at`,
    ),
    // The request of a dial takes at most 13 s, with its wait for a slot. The lease of a dial with
    // an unknown outcome says when its check is due.
    read<{ tenant_id: string; session_id: string; id: string }>(
      'due-unanswered-bridges',
      `SELECT tenant_id, session_id, id
       FROM leg
       WHERE kind = 'bridge' AND state = 'dialling' AND media_connection_id IS NULL AND voice_call_id IS NULL
         AND COALESCE(lease_until, dialled_at + interval '15 seconds') < ${before}
       ORDER BY dialled_at`,
    ),
    read(
      'due-dial',
      `SELECT tenant_id, id
       FROM leg
       WHERE state = 'requested' AND kind = 'outbound' AND created_at < ${before}
         AND (lease_until IS NULL OR lease_until <= now())
       ORDER BY created_at`,
    ),
    read(
      'due-rooms',
      `SELECT tenant_id, id
       FROM room
       WHERE state = 'active' AND expiry_check_at < ${before}
       ORDER BY expiry_check_at`,
    ),
  ]);
  return { settle, overdue, suspended, ending, hangUpLegs, bridge, unansweredBridges, dial, rooms };
}

/** Unconfirmed legs, with the age in seconds of the oldest request. */
interface Unconfirmed {
  readonly legs: number;
  readonly oldestS: number;
}

/**
 * Counts the unconfirmed legs of all tenants, those at the platform's accounts and those at tenants'
 * own accounts: a tenant can sign webhooks for calls of its account that do not exist.
 */
export async function countUnconfirmed(store: Store): Promise<{ platform: Unconfirmed; tenant: Unconfirmed }> {
  const { rows } = await store.query<{ owner: 'platform' | 'tenant'; legs: number; oldest_s: number }>(EVERY_TENANT, {
    name: 'count-unconfirmed',
    text: `SELECT CASE WHEN tenant_account_id IS NULL THEN 'platform' ELSE 'tenant' END AS owner, count(*)::int AS legs,
             greatest(0, extract(epoch FROM now() - min(hangup_requested_at)))::float8 AS oldest_s
           FROM leg
           WHERE state = 'ending'
           GROUP BY owner`,
  });
  const of = (owner: 'platform' | 'tenant'): Unconfirmed => {
    const row = rows.find((each) => each.owner === owner);
    return { legs: row?.legs ?? 0, oldestS: row?.oldest_s ?? 0 };
  };
  return { platform: of('platform'), tenant: of('tenant') };
}
