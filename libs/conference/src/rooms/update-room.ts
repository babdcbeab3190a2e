import { readLastUse, findNewestSession } from '@partyline/store/sessions/sessions';
import { computeExpiry } from '@partyline/domain/room-expiry';
import { canJoin } from '@partyline/domain/session';
import { VerdictError } from '@partyline/domain/verdict';
import { isDedicated } from '@partyline/store/numbers/numbers';
import { violatedRoomConstraint, hasActiveRoom, lockRoom, saveRoom } from '@partyline/store/rooms/rooms';
import type { RoomRow } from '@partyline/store/sessions/session-lock';
import { inTransaction } from '@partyline/store/database/store';
import { changeSession } from '../sessions/change-session.ts';
import { checkSchedule, type RoomSettings } from './create-room.ts';
import type { Deps } from '../deps.ts';
import { externalIdTaken, noSuchRoom, notDedicated, numberInUse, roomEnded } from '../errors.ts';

/**
 * Changes a room's settings, those of its running session with them: one that is past its new times ends at once.
 * Throws 404 and 409 for the room, 412 when it has not the version that the tenant read, 409 for a number or an external id in use, 422 for impossible times.
 * Answers the room as it was and as it is now.
 * @param version null: whatever it is
 */
export async function updateRoom(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  roomId: string,
  wanted: Partial<RoomSettings>,
  version: number | null,
): Promise<{ before: RoomRow; room: RoomRow }> {
  try {
    const { sessionId, ...changed } = await inTransaction(deps.store, tenantId, async (tx) => {
      const locked = await lockRoom(tx, tenantId, roomId);
      if (locked === null) throw noSuchRoom();
      const { now, ...before } = locked;
      if (version !== null && version !== before.version) throw otherVersion(before.version);
      if (before.state === 'ended') throw roomEnded();
      const after = { ...before, ...wanted };
      checkTimes(before, after, now);
      if (after.pinless && !before.pinless) {
        if (!(await isDedicated(tx, tenantId, before.number))) throw notDedicated();
        if (await hasActiveRoom(tx, tenantId, before.number, roomId)) throw numberInUse();
      }
      const last = await readLastUse(tx, tenantId, roomId);
      const usedAt = last === null ? before.created_at : canJoin(last.state) ? now : (last.ended_at ?? now);
      return {
        before,
        room: await saveRoom(tx, tenantId, roomId, { ...after, expiry_check_at: computeExpiry(after, usedAt) }),
        sessionId: (await findNewestSession(tx, tenantId, roomId))?.id ?? null,
      };
    });
    // Owed by its row since the commit: a crash here costs only time.
    if (sessionId !== null) await changeSession(deps, tenantId, sessionId, () => undefined);
    return changed;
  } catch (error) {
    const rule = violatedRoomConstraint(error);
    throw rule === null ? error : rule === 'room_pinless' ? numberInUse() : externalIdTaken();
  }
}

/** Only what is changed is held against the clock: a room that closed yesterday can be renamed. */
function checkTimes(before: RoomRow, after: Parameters<typeof checkSchedule>[0], now: Date): void {
  const changed = (field: 'starts_at' | 'ends_at' | 'expires_at'): boolean =>
    before[field]?.getTime() !== after[field]?.getTime();
  const touched = changed('starts_at') || changed('ends_at');
  checkSchedule(
    {
      starts_at: touched ? after.starts_at : null,
      ends_at: touched ? after.ends_at : null,
      expires_at: changed('expires_at') ? after.expires_at : null,
    },
    now,
  );
}

const otherVersion = (version: number): VerdictError =>
  new VerdictError(
    'client',
    'version-mismatch',
    `The room has changed since you read it; it has version ${version} now.`,
    { fix: 'Read it again, and send its ETag as If-Match.' },
  );
