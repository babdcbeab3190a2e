import { inTransaction } from '@partyline/store/database/store';
import { releaseRoomPins } from '@partyline/store/pins/pins';
import type { RoomRow } from '@partyline/store/sessions/session-lock';
import type { Deps } from '../deps.ts';
import { lockActiveRoom } from './add-pin.ts';
import { allocatePins, type PinDeps } from './allocate-pins.ts';
import { PIN_QUARANTINE_SECONDS } from './pin-quarantine.ts';

/**
 * Replaces a room's two PINs. The old ones admit no caller from now on. Throws 404 and 409 for the
 * room.
 */
export async function rotatePins(
  deps: Pick<Deps, 'store'> & PinDeps,
  tenantId: string,
  roomId: string,
): Promise<{ pin: string; hostPin: string; room: RoomRow }> {
  return inTransaction(deps.store, tenantId, async (tx) => {
    const room = await lockActiveRoom(tx, tenantId, roomId);
    await releaseRoomPins(tx, tenantId, roomId, PIN_QUARANTINE_SECONDS);
    const [participant, host] = await allocatePins(deps, tx, tenantId, { roomId, number: room.number }, [
      { role: 'participant' },
      { role: 'host' },
    ]);
    return { pin: participant!.pin, hostPin: host!.pin, room };
  });
}
