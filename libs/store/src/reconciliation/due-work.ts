import { EVERY_TENANT, type Store } from '../database/store.ts';

/* Platform-wide: what the reconciler and the purge ask across tenants; each row brings its own. */

/** What rows say ought to be done and is not. Jobs are only a fast way to the same end; when one is lost, these lists still know. */
export interface DueWork {
  /** Roster changed and clocks not yet settled, or a dial of theirs of which nothing has been heard for 90 s. */
  readonly settle: readonly { tenant_id: string; id: string }[];
  /** Past its deadline and not ended, or left running in a room that has ended within a day (after that its own deadline tells). */
  readonly overdue: readonly { tenant_id: string; id: string }[];
  /** Joinable, though their tenant is suspended. */
  readonly suspended: readonly { tenant_id: string; id: string }[];
  /** Ending, and not every leg confirmed. */
  readonly ending: readonly { tenant_id: string; id: string }[];
  /** Callers who were never admitted and are past their deadline (without a tenant); and legs let go while no session of theirs is ending. */
  readonly hangUpLegs: readonly { tenant_id: string | null; id: string }[];
  /** Sessions whose bridge is to be dialled, and nobody has. */
  readonly bridge: readonly { tenant_id: string; id: string }[];
  /** Phones to be rung, and nobody has. */
  readonly dial: readonly { tenant_id: string; id: string }[];
  /** Rooms that it is time to look at: they may have expired. */
  readonly rooms: readonly { tenant_id: string; id: string }[];
}

/**
 * All that has been owed for longer than `graceMs`, by the database's clock; at most `limit` of each kind, those owed for longest first, so that
 * what comes later keeps nothing from its turn. Of hang-ups, those never asked for come first and then those asked for longest ago, so that
 * however many stay unconfirmed, none of them keeps another from its turn. Legs that are in somebody's hands, or wait for their place in the provider's line
 * (`lease_until`), are nobody else's to do.
 * Across tenants: this is the operator's sweep, and each row brings its own tenant.
 */
export async function listDueWork(
  store: Store,
  { graceMs, limit = 500 }: { graceMs: number; limit?: number },
): Promise<DueWork> {
  const before = `now() - make_interval(secs => $1)`;
  const read = async <T extends object = { tenant_id: string; id: string }>(name: string, text: string): Promise<T[]> =>
    (await store.query<T>(EVERY_TENANT, { name, text: `${text} LIMIT $2`, values: [graceMs / 1000, limit] })).rows;
  const [settle, overdue, suspended, ending, hangUpLegs, bridge, dial, rooms] = await Promise.all([
    read(
      'due-settle',
      `SELECT tenant_id, id FROM (
         (SELECT tenant_id, id, settle_due_at AS since FROM session WHERE settle_due_at < ${before} ORDER BY settle_due_at LIMIT $2)
         UNION ALL
         (SELECT tenant_id, session_id, min(dialled_at) FROM leg WHERE state = 'dialling' AND dialled_at < ${before} - interval '90 seconds' GROUP BY tenant_id, session_id)
         UNION ALL
         (SELECT tenant_id, session_id, dialled_at FROM leg WHERE kind = 'bridge' AND state = 'ringing' AND voice_call_id IS NULL AND dialled_at < ${before} - interval '90 seconds')
       ) AS owed GROUP BY tenant_id, id ORDER BY min(since)`,
    ),
    read(
      'due-overdue',
      `SELECT tenant_id, id FROM (
         (SELECT tenant_id, id, due_at AS since FROM session WHERE state IN ('open', 'live') AND due_at < ${before} ORDER BY due_at LIMIT $2)
         UNION ALL
         (SELECT s.tenant_id, s.id, r.ended_at FROM room r JOIN session s ON s.room_id = r.id AND s.state IN ('open', 'live')
          WHERE r.ended_at < ${before} AND r.ended_at > now() - interval '1 day' ORDER BY r.ended_at LIMIT $2)
       ) AS owed GROUP BY tenant_id, id ORDER BY min(since)`,
    ),
    read(
      'due-suspended',
      `SELECT s.tenant_id, s.id FROM tenant t JOIN session s ON s.tenant_id = t.id AND s.state IN ('open', 'live') WHERE t.suspended_at < ${before} ORDER BY t.suspended_at, s.created_at`,
    ),
    read(
      'due-ending',
      `SELECT tenant_id, id FROM session s WHERE state = 'ending' AND ending_at < ${before}
         AND COALESCE((SELECT min(COALESCE(l.lease_until, '-infinity')) FROM leg l WHERE l.session_id = s.id AND l.state = 'ending'), '-infinity') <= now()
       ORDER BY (SELECT min(COALESCE(l.hangup_attempted_at, '-infinity')) FROM leg l WHERE l.session_id = s.id AND l.state = 'ending') NULLS FIRST, ending_at`,
    ),
    read<{ tenant_id: string | null; id: string }>(
      'due-hang-up-legs',
      `SELECT tenant_id, id FROM (
         SELECT tenant_id, id, hangup_attempted_at, lease_until, deadline_at AS since FROM leg WHERE session_id IS NULL AND state <> 'ended' AND deadline_at < ${before}
         UNION ALL
         SELECT l.tenant_id, l.id, l.hangup_attempted_at, l.lease_until, l.hangup_requested_at FROM leg l JOIN session s ON s.id = l.session_id WHERE l.state = 'ending' AND l.hangup_requested_at < ${before} AND s.state <> 'ending'
       ) AS owed WHERE lease_until IS NULL OR lease_until <= now() ORDER BY hangup_attempted_at NULLS FIRST, since`,
    ),
    read('due-bridge', `SELECT tenant_id, id FROM session WHERE bridge_due_at < ${before} ORDER BY bridge_due_at`),
    read(
      'due-dial',
      `SELECT tenant_id, id FROM leg WHERE state = 'requested' AND kind = 'outbound' AND created_at < ${before} AND (lease_until IS NULL OR lease_until <= now()) ORDER BY created_at`,
    ),
    read(
      'due-rooms',
      `SELECT tenant_id, id FROM room WHERE state = 'active' AND expiry_check_at < ${before} ORDER BY expiry_check_at`,
    ),
  ]);
  return { settle, overdue, suspended, ending, hangUpLegs, bridge, dial, rooms };
}

/** How many legs of all tenants are owed a hang-up and not confirmed now, and for how many seconds the oldest has been. */
export async function countUnconfirmed(store: Store): Promise<{ legs: number; oldestS: number }> {
  const { rows } = await store.query<{ legs: number; oldest_s: number }>(EVERY_TENANT, {
    name: 'count-unconfirmed',
    text: `SELECT count(*)::int AS legs, greatest(0, COALESCE(extract(epoch FROM now() - min(hangup_requested_at)), 0))::float8 AS oldest_s FROM leg WHERE state = 'ending'`,
  });
  return { legs: rows[0]!.legs, oldestS: rows[0]!.oldest_s };
}
