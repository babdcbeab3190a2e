import type { LegRow } from '@partyline/store/legs/legs';
import { applyMediaEvent } from './apply-media-event.ts';
import { changeSession } from '../sessions/change-session.ts';
import type { Deps } from '../deps.ts';

/** A connection is held to be gone after two complete lists this far apart that both lack it: no other request tells of one, and a single list may leave somebody out who is there. */
const MIN_MISSING_MS = 30_000;

/** What a complete list of a video session's connections says of one that we hold to be up. */
interface ListedConnection {
  readonly accountId: string | null;
  readonly tenantId: string;
  readonly sessionId: string;
  readonly mediaSessionId: string;
  readonly isListed: boolean;
  /** By the database's clock, before the list was asked for. */
  readonly askedAt: Date;
}

/**
 * Compares a leg's connection with a complete list: remembers on the leg since when lists lack it, forgets that when one shows it, and closes its video
 * side when a list that was asked for long enough after the first still lacks it. `true` when that closed it.
 */
export async function compareConnection(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'report'>,
  leg: Pick<LegRow, 'id' | 'media_connection_id' | 'media_missing_since'>,
  { accountId, tenantId, sessionId, mediaSessionId, isListed: listed, askedAt }: ListedConnection,
): Promise<boolean> {
  const { media_connection_id: connectionId, media_missing_since: missedAt } = leg;
  if (connectionId === null || (listed && missedAt === null)) return false;
  if (!listed && missedAt !== null && askedAt.getTime() - missedAt.getTime() >= MIN_MISSING_MS) {
    // Without a time: ours is no vendor's, and a process's own clock may be anything.
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
