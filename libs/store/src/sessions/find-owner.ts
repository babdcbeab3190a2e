import { EVERY_TENANT, type Store } from '../database/store.ts';

/* Platform-wide: the provider names a call or video session, and its row gives the tenant for all
   further queries. */

interface Owner {
  readonly tenant_id: string;
  readonly session_id: string;
}

/** Returns the owner of a video session at an account; `null` when it is not one of ours. */
export async function findOwnerOfMediaSession(
  store: Store,
  accountId: string | null,
  mediaSessionId: string,
): Promise<Owner | null> {
  const { rows } = await store.query<Owner>(EVERY_TENANT, {
    name: 'owner-of-media',
    text: `SELECT tenant_id, id AS session_id
           FROM session
           WHERE media_session_id = $1 AND account_id IS NOT DISTINCT FROM $2`,
    values: [mediaSessionId, accountId],
  });
  return rows[0] ?? null;
}

/**
 * Returns the leg of a call at an account, by the call id or else by the leg id in its event URL.
 * Tenant and session are null before admission.
 */
export async function findLegOfCall(
  store: Store,
  accountId: string | null,
  by: { callId: string; legId?: string },
): Promise<{ id: string; tenant_id: string | null; session_id: string | null } | null> {
  const { rows } = await store.query<{ id: string; tenant_id: string | null; session_id: string | null }>(
    EVERY_TENANT,
    {
      name: 'leg-of-call',
      text: `SELECT id, tenant_id, session_id
             FROM leg
             WHERE voice_call_id = $1 AND account_id IS NOT DISTINCT FROM $3
             UNION ALL
             SELECT id, tenant_id, session_id
             FROM leg
             WHERE id = $2 AND voice_call_id IS NULL AND account_id IS NOT DISTINCT FROM $3
             LIMIT 1`,
      values: [by.callId, by.legId ?? null, accountId],
    },
  );
  return rows[0] ?? null;
}
