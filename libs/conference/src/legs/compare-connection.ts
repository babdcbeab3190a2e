import type { LegRow } from '@partyline/store/legs/legs';
import { applyMediaEvent } from './apply-media-event.ts';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';

/**
 * A connection counts as closed after two complete lists, at least this far apart, that both lack
 * it: the provider has no look-up of one connection, and a single list may omit a live one.
 */
const MIN_MISSING_MS = 30_000;

/**
 * The result of a complete list of a video session's connections, for one connection that is up.
 */
interface ListResult {
  readonly accountId: string | null;
  readonly tenantId: string;
  readonly sessionId: string;
  readonly mediaSessionId: string;
  readonly isListed: boolean;
  /** The database's time before the list was requested. */
  readonly askedAt: Date;
}

/**
 * Compares a leg's connection with a complete list. Sets `media_missing_since` when the list lacks
 * it, clears it when the list shows it, and closes the media handle when the connection has been
 * missing for `MIN_MISSING_MS`.
 * @returns whether the media handle was closed
 */
export async function compareConnection(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'report'>,
  leg: Pick<LegRow, 'id' | 'media_connection_id' | 'media_missing_since'>,
  { accountId, tenantId, sessionId, mediaSessionId, isListed: listed, askedAt }: ListResult,
): Promise<boolean> {
  const { media_connection_id: connectionId, media_missing_since: missedAt } = leg;
  if (connectionId === null || (listed && missedAt === null)) return false;
  if (!listed && missedAt !== null && askedAt.getTime() - missedAt.getTime() >= MIN_MISSING_MS) {
    // No time: only the provider's time counts, and this process's clock may be wrong.
    return (
      (await applyMediaEvent(
        deps,
        { via: 'look-up', accountId },
        { kind: 'disconnected', mediaSessionId, connectionId, data: '', reason: 'not-in-list', at: null },
      )) === 'applied'
    );
  }
  if (!listed && missedAt !== null) return false;
  await changeSession(deps, tenantId, sessionId, (view) => {
    const row = view.legs.find(({ id }) => id === leg.id);
    if (row === undefined || row.media_closed_at !== null) return;
    row.media_missing_since = listed ? null : (row.media_missing_since ?? view.now);
  });
  return false;
}
