import type { SessionState } from '@partyline/domain/session';
import { EVERY_TENANT, type Store } from '../database/store.ts';

/* Platform-wide: an account's inventory is compared with all rows of that account. A null
   `accountId` is the platform's. */

/** `account_id IS NOT DISTINCT FROM account` in a form that uses the index. */
const isAt = (account: string): string =>
  `(account_id = ${account} OR (${account}::text IS NULL AND account_id IS NULL))`;
/** No token lives longer than the longest session (libs/contracts/src/rooms/room.ts). */
export const MAX_TOKEN_LIFETIME_SECONDS = 21_600;

/** Returns the ids of all tenants' accounts that are not deleted. */
export async function listAccountsToSweep(store: Store): Promise<string[]> {
  const { rows } = await store.query<{ id: string }>(EVERY_TENANT, {
    name: 'accounts-to-sweep',
    text: 'SELECT id FROM provider_account WHERE deleted_at IS NULL ORDER BY created_at, id',
  });
  return rows.map(({ id }) => id);
}

/** A leg with its owner; both are null for a caller before admission at the platform's account. */
interface OwnedLeg {
  readonly id: string;
  readonly tenant_id: string | null;
  readonly session_id: string | null;
}

/** The leg of a call that an inventory lists. */
export interface KnownCall extends OwnedLeg {
  readonly voice_call_id: string;
  readonly state: string;
  readonly voice_missing_lists: number;
  readonly hangup_requested_at: Date | null;
  /** Null before admission. */
  readonly session_state: SessionState | null;
  /** When its session ends at the latest; null before admission. */
  readonly session_deadline: Date | null;
}

/** Returns the legs of those of the calls that have one. */
export async function findLegsOfCalls(
  store: Store,
  accountId: string | null,
  callIds: readonly string[],
): Promise<KnownCall[]> {
  const { rows } = await store.query<KnownCall>(EVERY_TENANT, {
    name: 'find-calls',
    text: `SELECT l.voice_call_id, l.id, l.tenant_id, l.session_id, l.state, l.voice_missing_lists,
             l.hangup_requested_at, s.state AS session_state,
             LEAST(r.ends_at, s.created_at + make_interval(secs => r.max_duration_s)) AS session_deadline
           FROM leg l LEFT JOIN session s ON s.id = l.session_id LEFT JOIN room r ON r.id = s.room_id
           WHERE l.voice_call_id = ANY($1) AND l.account_id IS NOT DISTINCT FROM $2`,
    values: [callIds, accountId],
  });
  return rows;
}

/**
 * Returns legs older than `olderMs` with an open call that is not among `liveIds`. Each needs a
 * look-up, those first that are nearest to counting as never seen.
 */
export async function findMissingCalls(
  store: Store,
  accountId: string | null,
  liveIds: readonly string[],
  { olderMs, limit = 500 }: { olderMs: number; limit?: number },
): Promise<(OwnedLeg & { readonly voice_call_id: string })[]> {
  const { rows } = await store.query<OwnedLeg & { readonly voice_call_id: string }>(EVERY_TENANT, {
    name: 'missing-calls',
    text: `SELECT id, tenant_id, session_id, voice_call_id
           FROM leg
           WHERE state <> 'ended' AND voice_call_id IS NOT NULL AND voice_closed_at IS NULL
             AND created_at < now() - make_interval(secs => $2)
             AND voice_call_id <> ALL($1) AND ${isAt('$4')}
           ORDER BY voice_missing_lists DESC, created_at
           LIMIT $3`,
    values: [liveIds, olderMs / 1000, limit, accountId],
  });
  return rows;
}

/** An outbound leg whose dial request got no answer. */
interface DialWithoutCall {
  readonly id: string;
  /** The dialled number. */
  readonly remote: string;
  /**
   * Whether it still waits for its call id; `false`: the dial expired unobserved, and its call may
   * still exist.
   */
  readonly up: boolean;
}

/**
 * Returns outbound legs to these numbers whose dial request got no answer: those that wait for
 * their call id, and those that expired unobserved in the last ten minutes.
 */
export async function findDialsWithoutCall(
  store: Store,
  accountId: string | null,
  numbers: readonly string[],
): Promise<DialWithoutCall[]> {
  const { rows } = await store.query<DialWithoutCall>(EVERY_TENANT, {
    name: 'find-dials-without-call',
    text: `SELECT id, remote, state <> 'ended' AS up
           FROM leg
           WHERE kind = 'outbound' AND voice_call_id IS NULL AND dialled_at IS NOT NULL AND remote = ANY($1)
             AND (state <> 'ended' OR (reason = 'unobserved' AND ended_at > now() - interval '10 minutes'))
             AND account_id IS NOT DISTINCT FROM $2`,
    values: [numbers, accountId],
  });
  return rows;
}

/**
 * Returns ending legs whose dial request got no answer and no event since, dialled at least
 * `afterMs` before `askedAt`.
 */
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
      text: `SELECT id, tenant_id, session_id, kind
             FROM leg
             WHERE state = 'ending' AND voice_call_id IS NULL
               AND dialled_at <= $1::timestamptz - make_interval(secs => $2)
               AND account_id IS NOT DISTINCT FROM $4
             ORDER BY dialled_at, id
             LIMIT $3`,
      values: [askedAt, afterMs / 1000, limit, accountId],
    },
  );
  return rows;
}

/** A session whose legs are compared with the provider's list of connections. */
export interface MediaSessionToSweep {
  readonly id: string;
  readonly tenant_id: string;
  readonly media_session_id: string;
  readonly state: SessionState;
}

/**
 * Returns sessions whose video session may have connections: those that have not ended, ended less
 * than `afterEndS` ago, or have valid tokens (tokens live for the room's max duration). Live and
 * ending sessions come first, then open ones.
 */
export async function listMediaSessionsToSweep(
  store: Store,
  accountId: string | null,
  { afterEndS, limit = 2_000 }: { afterEndS: number; limit?: number },
): Promise<MediaSessionToSweep[]> {
  const { rows } = await store.query<MediaSessionToSweep>(EVERY_TENANT, {
    name: 'list-media',
    text: `SELECT id, tenant_id, media_session_id, state
           FROM (
             SELECT *
             FROM session
             WHERE state <> 'ended' AND media_session_id IS NOT NULL AND ${isAt('$3')}
             UNION ALL
             SELECT *
             FROM session
             WHERE state = 'ended' AND media_session_id IS NOT NULL AND ${isAt('$3')}
               AND ended_at > now() - make_interval(secs => $1)
             UNION ALL
             (
               SELECT s.*
               FROM session s
               JOIN room r ON r.id = s.room_id
               WHERE s.state = 'ended' AND s.media_session_id IS NOT NULL AND ${isAt('$3')}
                 AND (s.ended_at > now() - make_interval(secs => $1)) IS NOT TRUE
                 AND s.created_at > now() - make_interval(secs => $4)
                 AND s.created_at + make_interval(secs => r.max_duration_s) > now()
               ORDER BY s.created_at DESC
               LIMIT $2
             )
           ) AS s
           ORDER BY state IN ('live', 'ending') DESC, state = 'open' DESC, created_at DESC
           LIMIT $2`,
    values: [afterEndS, limit, accountId, MAX_TOKEN_LIFETIME_SECONDS],
  });
  return rows;
}

/** A leg with its video connection. */
export interface KnownConnection {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly media_connection_id: string | null;
  readonly voice_call_id: string | null;
  readonly media_missing_since: Date | null;
  readonly media_closed_at: Date | null;
  readonly answered_at: Date | null;
  readonly ended_at: Date | null;
  readonly created_at: Date;
}

/** Returns the legs of a session with their video connections, the oldest first. */
export async function listConnections(store: Store, tenantId: string, sessionId: string): Promise<KnownConnection[]> {
  const { rows } = await store.query<KnownConnection>(tenantId, {
    name: 'connections-of-session',
    text: `SELECT id, kind, state, media_connection_id, voice_call_id, media_missing_since, media_closed_at,
             answered_at, ended_at, created_at
           FROM leg
           WHERE session_id = $1 AND tenant_id = $2
           ORDER BY created_at, id`,
    values: [sessionId, tenantId],
  });
  return rows;
}

/** Reads the database clock: the time of a provider list, read before the list is requested. */
export async function readDatabaseClock(store: Store): Promise<Date> {
  const { rows } = await store.query<{ now: Date }>(EVERY_TENANT, {
    name: 'read-clock',
    text: 'SELECT clock_timestamp() AS now',
  });
  return rows[0]!.now;
}

/**
 * Records the calls of a complete inventory that match no leg. Deletes the orphan calls that it
 * lacks, except those with a hang-up attempt. Returns the calls to hang up, marked as attempted:
 * those that two inventories contained, the first at least `quarantineMs` ago.
 */
export async function recordOrphanCalls(
  store: Store,
  accountId: string | null,
  callIds: readonly string[],
  { quarantineMs }: { quarantineMs: number },
): Promise<string[]> {
  const { rows } = await store.query<{ id: string }>(EVERY_TENANT, {
    name: 'record-orphan-calls',
    text: `WITH gone AS (
             DELETE FROM orphan_call
             WHERE id <> ALL($1) AND hangup_attempted_at IS NULL AND account_id IS NOT DISTINCT FROM $3
           ),
           recorded AS (
             INSERT INTO orphan_call AS s (id, account_id)
             SELECT DISTINCT unnest($1::text[]), $3
             ON CONFLICT (id) DO UPDATE
             SET sweeps = s.sweeps + 1, last_seen_at = now(),
               hangup_attempted_at = COALESCE(
                 s.hangup_attempted_at,
                 CASE WHEN s.first_seen_at <= now() - make_interval(secs => $2) THEN now() END
               )
             RETURNING id, hangup_attempted_at
           )
           SELECT id
           FROM recorded
           WHERE hangup_attempted_at IS NOT NULL`,
    values: [callIds, quarantineMs / 1000, accountId],
  });
  return rows.map(({ id }) => id);
}

/**
 * Returns false kills, each once: calls that were hung up as orphans and that, by the rows of
 * today, belonged to a leg of a running session at that time, or to a leg that a wrong observation
 * had ended, also of a caller before admission. Finds them also when the leg got its call id late.
 */
export async function findFalseKills(
  store: Store,
  accountId: string | null,
): Promise<{ call_id: string; leg_id: string; kind: string }[]> {
  const { rows } = await store.query<{ call_id: string; leg_id: string; kind: string }>(EVERY_TENANT, {
    name: 'find-false-kills',
    text: `UPDATE orphan_call
           SET false_kill_at = now()
           FROM leg l
           LEFT JOIN session s ON s.id = l.session_id
           WHERE orphan_call.hangup_attempted_at IS NOT NULL AND orphan_call.false_kill_at IS NULL
             AND l.voice_call_id = orphan_call.id
             AND orphan_call.account_id IS NOT DISTINCT FROM $1 AND l.account_id IS NOT DISTINCT FROM $1
             AND (
               (l.hangup_requested_at IS NULL AND l.ended_at <= orphan_call.hangup_attempted_at)
               OR (
                 s.id IS NOT NULL
                 AND (l.hangup_requested_at IS NULL OR l.hangup_requested_at > orphan_call.hangup_attempted_at)
                 AND (l.ended_at IS NULL OR l.ended_at > orphan_call.hangup_attempted_at)
                 AND (s.ending_at IS NULL OR s.ending_at > orphan_call.hangup_attempted_at)
               )
             )
           RETURNING orphan_call.id AS call_id, l.id AS leg_id, l.kind`,
    values: [accountId],
  });
  return rows;
}
