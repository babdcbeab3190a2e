import { EVERY_TENANT, type Store } from '../database/store.ts';

/* Platform-wide: what an account lists is compared with all rows of that account, whoever’s they are. An `accountId` of null is the platform’s. */

/** `IS NOT DISTINCT FROM`, which uses no index. */
const isAt = (account: string): string =>
  `(account_id = ${account} OR (${account}::text IS NULL AND account_id IS NULL))`;
/** No token holds for longer: the longest that a session may run (libs/contracts/src/rooms/room.ts). */
export const MAX_TOKEN_LIFETIME_SECONDS = 21_600;

/** Every tenant's account that is not deleted. */
export async function listAccountsToSweep(store: Store): Promise<string[]> {
  const { rows } = await store.query<{ id: string }>(EVERY_TENANT, {
    name: 'accounts-to-sweep',
    text: 'SELECT id FROM provider_account WHERE deleted_at IS NULL ORDER BY created_at, id',
  });
  return rows.map(({ id }) => id);
}

/** A leg's row as an inventory of the provider's live calls is compared with it. */
interface KnownCall {
  readonly voice_call_id: string;
  readonly id: string;
  readonly state: string;
}

/** Which of these calls a row of ours names, and what it says of each. */
export async function findLegsOfCalls(
  store: Store,
  accountId: string | null,
  callIds: readonly string[],
): Promise<KnownCall[]> {
  const { rows } = await store.query<KnownCall>(EVERY_TENANT, {
    name: 'find-calls',
    text: 'SELECT voice_call_id, id, state FROM leg WHERE voice_call_id = ANY($1) AND account_id IS NOT DISTINCT FROM $2',
    values: [callIds, accountId],
  });
  return rows;
}

/** Legs that we hold to be up by their call, older than `olderMs`, whose call is not among `liveIds`: somebody must look them up. */
export async function findMissingCalls(
  store: Store,
  accountId: string | null,
  liveIds: readonly string[],
  { olderMs, limit = 500 }: { olderMs: number; limit?: number },
): Promise<{ id: string; voice_call_id: string }[]> {
  const { rows } = await store.query<{ id: string; voice_call_id: string }>(EVERY_TENANT, {
    name: 'missing-calls',
    text: `SELECT id, voice_call_id FROM leg
           WHERE state <> 'ended' AND voice_call_id IS NOT NULL AND voice_closed_at IS NULL AND created_at < now() - make_interval(secs => $2)
             AND voice_call_id <> ALL($1) AND ${isAt('$4')} ORDER BY created_at LIMIT $3`,
    values: [liveIds, olderMs / 1000, limit, accountId],
  });
  return rows;
}

/** An outbound leg whose dial got no answer, by the number that it rings. */
interface DialWithoutCall {
  readonly id: string;
  readonly remote: string;
  /** It still waits for its call's name; `false`: it was given up a moment ago, and its call may ring all the same. */
  readonly up: boolean;
}

/** Legs to these numbers whose dial got no answer, whoever's they are: those that still wait for their call's name, and those given up for it within ten minutes. */
export async function findDialsWithoutCall(
  store: Store,
  accountId: string | null,
  numbers: readonly string[],
): Promise<DialWithoutCall[]> {
  const { rows } = await store.query<DialWithoutCall>(EVERY_TENANT, {
    name: 'find-unnamed-dials',
    text: `SELECT id, remote, state <> 'ended' AS up FROM leg WHERE kind = 'outbound' AND voice_call_id IS NULL AND dialled_at IS NOT NULL AND remote = ANY($1)
             AND (state <> 'ended' OR (reason = 'unobserved' AND ended_at > now() - interval '10 minutes')) AND account_id IS NOT DISTINCT FROM $2`,
    values: [numbers, accountId],
  });
  return rows;
}

/** Legs that are to be hung up and whose dial got no answer, with no word of their call since: dialled `afterMs` before `askedAt` at the latest. */
export async function findUnobservedDials(
  store: Store,
  accountId: string | null,
  askedAt: Date,
  { afterMs, limit = 500 }: { afterMs: number; limit?: number },
): Promise<{ id: string; tenant_id: string | null; session_id: string | null; kind: string }[]> {
  const { rows } = await store.query<{ id: string; tenant_id: string | null; session_id: string | null; kind: string }>(
    EVERY_TENANT,
    {
      name: 'find-unobserved',
      text: `SELECT id, tenant_id, session_id, kind FROM leg
           WHERE state = 'ending' AND voice_call_id IS NULL AND dialled_at <= $1::timestamptz - make_interval(secs => $2) AND account_id IS NOT DISTINCT FROM $4 ORDER BY dialled_at, id LIMIT $3`,
      values: [askedAt, afterMs / 1000, limit, accountId],
    },
  );
  return rows;
}

/** A session whose video side is to be compared with the provider's list of connections. */
export interface MediaSessionToSweep {
  readonly id: string;
  readonly tenant_id: string;
  readonly media_session_id: string;
  readonly state: string;
}

/**
 * Sessions that hold a video session and may have somebody in it: not over, over for less than `afterEndS` seconds, or over while a token of
 * theirs still holds (they do until the session's longest duration). Running ones first, then those that nobody was seen in yet.
 */
export async function listMediaSessionsToSweep(
  store: Store,
  accountId: string | null,
  { afterEndS, limit = 2_000 }: { afterEndS: number; limit?: number },
): Promise<MediaSessionToSweep[]> {
  const { rows } = await store.query<MediaSessionToSweep>(EVERY_TENANT, {
    name: 'list-media',
    text: `SELECT id, tenant_id, media_session_id, state FROM (
             SELECT * FROM session WHERE state <> 'ended' AND media_session_id IS NOT NULL AND ${isAt('$3')}
             UNION ALL
             SELECT * FROM session WHERE state = 'ended' AND media_session_id IS NOT NULL AND ${isAt('$3')} AND ended_at > now() - make_interval(secs => $1)
             UNION ALL
             (SELECT s.* FROM session s JOIN room r ON r.id = s.room_id
              WHERE s.state = 'ended' AND s.media_session_id IS NOT NULL AND ${isAt('$3')} AND (s.ended_at > now() - make_interval(secs => $1)) IS NOT TRUE
                AND s.created_at > now() - make_interval(secs => $4) AND s.created_at + make_interval(secs => r.max_duration_s) > now() ORDER BY s.created_at DESC LIMIT $2)
           ) AS s ORDER BY state IN ('live', 'ending') DESC, state = 'open' DESC, created_at DESC LIMIT $2`,
    values: [afterEndS, limit, accountId, MAX_TOKEN_LIFETIME_SECONDS],
  });
  return rows;
}

/** A leg by its video connection. */
export interface KnownConnection {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly media_connection_id: string | null;
  readonly media_missing_since: Date | null;
  readonly media_closed_at: Date | null;
  readonly ended_at: Date | null;
  readonly created_at: Date;
}

/** A tenant's session's legs by their video connections, the oldest first. */
export async function listConnections(store: Store, tenantId: string, sessionId: string): Promise<KnownConnection[]> {
  const { rows } = await store.query<KnownConnection>(tenantId, {
    name: 'connections-of-session',
    text: `SELECT id, kind, state, media_connection_id, media_missing_since, media_closed_at, ended_at, created_at FROM leg WHERE session_id = $1 AND tenant_id = $2 ORDER BY created_at, id`,
    values: [sessionId, tenantId],
  });
  return rows;
}

/** The database's clock at this moment: what a list of the vendor's is dated by, taken before it is asked for. */
export async function readDatabaseClock(store: Store): Promise<Date> {
  const { rows } = await store.query<{ now: Date }>(EVERY_TENANT, {
    name: 'read-clock',
    text: 'SELECT clock_timestamp() AS now',
  });
  return rows[0]!.now;
}

/**
 * Notes what a complete inventory of an account saw and no row knows; what it did not see again is forgotten, unless it was hung up. Gives those that
 * have been seen by two inventories, the first of them at least `quarantineMs` ago: nobody's, and noted as asked to be hung up.
 */
export async function recordOrphanCalls(
  store: Store,
  accountId: string | null,
  seen: readonly string[],
  { quarantineMs }: { quarantineMs: number },
): Promise<string[]> {
  const { rows } = await store.query<{ id: string }>(EVERY_TENANT, {
    name: 'record-orphan-calls',
    text: `WITH gone AS (DELETE FROM orphan_call WHERE id <> ALL($1) AND hangup_attempted_at IS NULL AND account_id IS NOT DISTINCT FROM $3),
                noted AS (INSERT INTO orphan_call AS s (id, account_id) SELECT DISTINCT unnest($1::text[]), $3
                          ON CONFLICT (id) DO UPDATE SET sweeps = s.sweeps + 1, last_seen_at = now(),
                            hangup_attempted_at = COALESCE(s.hangup_attempted_at, CASE WHEN s.first_seen_at <= now() - make_interval(secs => $2) THEN now() END)
                          RETURNING id, hangup_attempted_at)
           SELECT id FROM noted WHERE hangup_attempted_at IS NOT NULL`,
    values: [seen, quarantineMs / 1000, accountId],
  });
  return rows.map(({ id }) => id);
}

/**
 * Calls that were hung up as nobody's and are, by what the rows say now, a leg's that was up in a running session at that time: false
 * kills. Each is given once. However the leg came to its name (a late event, a late answer), it is found here.
 */
export async function findFalseKills(
  store: Store,
  accountId: string | null,
): Promise<{ call_id: string; leg_id: string; kind: string }[]> {
  const { rows } = await store.query<{ call_id: string; leg_id: string; kind: string }>(EVERY_TENANT, {
    name: 'find-false-kills',
    text: `UPDATE orphan_call SET false_kill_at = now() FROM leg l JOIN session s ON s.id = l.session_id
           WHERE orphan_call.hangup_attempted_at IS NOT NULL AND orphan_call.false_kill_at IS NULL AND l.voice_call_id = orphan_call.id
             AND orphan_call.account_id IS NOT DISTINCT FROM $1 AND l.account_id IS NOT DISTINCT FROM $1
             AND (l.hangup_requested_at IS NULL OR l.hangup_requested_at > orphan_call.hangup_attempted_at) AND (l.ended_at IS NULL OR l.ended_at > orphan_call.hangup_attempted_at)
             AND (s.ending_at IS NULL OR s.ending_at > orphan_call.hangup_attempted_at)
           RETURNING orphan_call.id AS call_id, l.id AS leg_id, l.kind`,
    values: [accountId],
  });
  return rows;
}
