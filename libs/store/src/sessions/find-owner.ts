import { EVERY_TENANT, type Store } from '../database/store.ts';

/* Platform-wide: a provider names a thing, and its row says whose it is. From there on everything is asked with that tenant. */

/** Whose a thing named by a provider is. The tenant comes from the row. */
interface Owner {
  readonly tenant_id: string;
  readonly session_id: string;
}

/** Whose session a video session at an account is; `null` when none of ours there. */
export async function findOwnerOfMediaSession(
  store: Store,
  accountId: string | null,
  mediaSessionId: string,
): Promise<Owner | null> {
  const { rows } = await store.query<Owner>(EVERY_TENANT, {
    name: 'owner-of-media',
    text: 'SELECT tenant_id, id AS session_id FROM session WHERE media_session_id = $1 AND account_id IS NOT DISTINCT FROM $2',
    values: [mediaSessionId, accountId],
  });
  return rows[0] ?? null;
}

/** The leg that a call at an account belongs to, by the leg id in its event URL or else by the call id; tenant and session are null before admission. */
export async function findLegOfCall(
  store: Store,
  accountId: string | null,
  by: { callId: string; legId?: string },
): Promise<{ id: string; tenant_id: string | null; session_id: string | null } | null> {
  const { rows } = await store.query<{ id: string; tenant_id: string | null; session_id: string | null }>(
    EVERY_TENANT,
    {
      name: 'leg-of-call',
      text: `SELECT id, tenant_id, session_id FROM leg WHERE voice_call_id = $1 AND account_id IS NOT DISTINCT FROM $3
           UNION ALL SELECT id, tenant_id, session_id FROM leg WHERE id = $2 AND voice_call_id IS NULL AND account_id IS NOT DISTINCT FROM $3 LIMIT 1`,
      values: [by.callId, by.legId ?? null, accountId],
    },
  );
  return rows[0] ?? null;
}
