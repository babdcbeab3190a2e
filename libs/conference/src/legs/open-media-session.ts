import type { Deps, Providers } from '../deps.ts';
import { changeSession } from '../sessions/change-session.ts';

/** Opens the video session of a session that a caller began, at the session's own account. Of two at once one stays; the other is empty and costs nothing. */
export async function openMediaSession(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  media: Providers['media'],
  tenantId: string,
  sessionId: string,
): Promise<string | null> {
  const { mediaSessionId } = await media.openSession();
  const changed = await changeSession(
    deps,
    tenantId,
    sessionId,
    (view) => (view.session.media_session_id ??= mediaSessionId),
  );
  return changed?.result ?? null;
}
