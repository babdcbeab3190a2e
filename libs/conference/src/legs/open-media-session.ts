import type { Deps, Providers } from '../deps.ts';
import { changeSession } from '../sessions/change-session.ts';

/**
 * Opens the video session of a session that a caller started. Of two concurrent calls one result is
 * kept; the other video session stays empty and costs nothing.
 * @param media the media provider of the session's account
 * @returns the id of the video session that is kept; `null` when the tenant has no such session
 */
export async function openMediaSession(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  media: Providers['media'],
  tenantId: string,
  session: { readonly id: string; readonly conversation: string },
): Promise<string | null> {
  const { mediaSessionId } = await media.openSession({ conversation: session.conversation });
  const changed = await changeSession(
    deps,
    tenantId,
    session.id,
    (view) => (view.session.media_session_id ??= mediaSessionId),
  );
  return changed?.result ?? null;
}
