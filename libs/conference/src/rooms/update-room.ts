import { isDeepStrictEqual } from 'node:util';
import { readLastUse, findNewestSession } from '@partyline/store/sessions/sessions';
import { computeExpiry } from '@partyline/domain/room-expiry';
import { canJoin } from '@partyline/domain/session';
import { VerdictError } from '@partyline/domain/verdict';
import { appendRoomEvent } from '@partyline/store/events/append-events';
import { isDedicated } from '@partyline/store/numbers/numbers';
import { violatedRoomConstraint, hasActiveRoom, lockRoom, saveRoom } from '@partyline/store/rooms/rooms';
import type { RoomRow } from '@partyline/store/sessions/session-lock';
import { inTransaction } from '@partyline/store/database/store';
import { changeSession } from '../sessions/change-session.ts';
import { enqueueSessionJob } from '../sessions/enqueue-session-job.ts';
import { checkSchedule, describeRoom, type RoomSettings } from './create-room.ts';
import type { Deps } from '../deps.ts';
import { externalIdTaken, noSuchRoom, notDedicated, numberInUse, roomEnded } from '../errors.ts';

/**
 * Changes the settings of a room and of its running session, which ends at once if its new limits
 * have passed. Without a difference nothing is written and no event is sent. Returns the room
 * before and after the change. Throws 404 and 409 for the room, 412
 * for another version, 409 for a number or external id in use, 422 for an invalid schedule.
 * @param version the version that the tenant has read; null skips the check
 */
export async function updateRoom(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  roomId: string,
  changes: Partial<RoomSettings>,
  version: number | null,
): Promise<{ before: RoomRow; room: RoomRow }> {
  try {
    const { sessionId, ...changed } = await inTransaction(deps.store, tenantId, async (tx) => {
      const locked = await lockRoom(tx, tenantId, roomId);
      if (locked === null) throw noSuchRoom();
      const { now, ...before } = locked;
      if (version !== null && version !== before.version) throw versionMismatch(before.version);
      if (before.state === 'ended') throw roomEnded();
      if (!hasChange(before, changes)) return { before, room: before, sessionId: null };
      const after = { ...before, ...changes };
      checkTimes(before, after, now);
      if (after.pinless && !before.pinless) {
        if (!(await isDedicated(tx, tenantId, before.number))) throw notDedicated();
        if (await hasActiveRoom(tx, tenantId, before.number, roomId)) throw numberInUse();
      }
      const last = await readLastUse(tx, tenantId, roomId);
      const usedAt = last === null ? before.created_at : canJoin(last.state) ? now : (last.ended_at ?? now);
      const room = await saveRoom(tx, tenantId, roomId, { ...after, expiry_check_at: computeExpiry(after, usedAt) });
      await appendRoomEvent(tx, tenantId, roomId, { type: 'room.updated', data: describeRoom(room) });
      return {
        before,
        room,
        sessionId: (await findNewestSession(tx, tenantId, roomId))?.id ?? null,
      };
    });
    // The committed row makes the settling due, so a crash here only delays it.
    if (sessionId !== null) {
      await changeSession(deps, tenantId, sessionId, () => undefined);
      if (hasOtherEnd(changed.before, changed.room))
        await enqueueSessionJob(deps, 'move-deadlines', tenantId, sessionId);
    }
    return changed;
  } catch (error) {
    const rule = violatedRoomConstraint(error);
    throw rule === null ? error : rule === 'room_pinless' ? numberInUse() : externalIdTaken();
  }
}

const hasChange = (room: RoomRow, changes: Partial<RoomSettings>): boolean =>
  (Object.keys(changes) as (keyof RoomSettings)[]).some((field) => !isDeepStrictEqual(changes[field], room[field]));

/** Whether sessions of the room end at another time at the latest. */
const hasOtherEnd = (before: RoomRow, after: RoomRow): boolean =>
  before.ends_at?.getTime() !== after.ends_at?.getTime() || before.max_duration_s !== after.max_duration_s;

/**
 * Checks only changed times against the clock, so that a room that closed yesterday can be renamed.
 */
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

const versionMismatch = (version: number): VerdictError =>
  new VerdictError(
    'client',
    'version-mismatch',
    `The room has changed since you read it. It now has version ${version}.`,
    { fix: 'Read the room again, and send its ETag as If-Match.' },
  );
