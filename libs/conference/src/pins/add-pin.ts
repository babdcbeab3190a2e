import { VerdictError } from '@partyline/domain/verdict';
import { inTransaction, type Tx } from '@partyline/store/database/store';
import type { Role } from '@partyline/store/legs/legs';
import { insertParticipant } from '@partyline/store/participants/participants';
import { countPersonalPins } from '@partyline/store/pins/pins';
import { lockRoom } from '@partyline/store/rooms/rooms';
import type { RoomRow } from '@partyline/store/sessions/session-lock';
import type { Deps } from '../deps.ts';
import { noSuchRoom, roomEnded } from '../errors.ts';
import { allocatePins, type PinDeps } from './allocate-pins.ts';

/**
 * Personal PINs of one room. Each slightly raises the chance that a guess on the number hits a PIN.
 */
const MAX_PERSONAL_PINS = 500;

/**
 * Creates a participant with a personal PIN. A caller with this PIN joins as this participant.
 * Throws 404 and 409 for the room, and `too-many-pins` (409).
 */
export async function addPin(
  deps: Pick<Deps, 'store'> & PinDeps,
  tenantId: string,
  roomId: string,
  { name, role }: { name: string; role: Role },
): Promise<{ id: string; pin: string; participantId: string; number: string }> {
  return inTransaction(deps.store, tenantId, async (tx) => {
    const { number } = await lockActiveRoom(tx, tenantId, roomId);
    if ((await countPersonalPins(tx, tenantId, roomId)) >= MAX_PERSONAL_PINS)
      throw new VerdictError(
        'client',
        'too-many-pins',
        `This room has ${MAX_PERSONAL_PINS} personal PINs, which is the maximum.`,
        { fix: 'Delete PINs that are not needed.' },
      );
    const participantId = deps.ids.next('part');
    await insertParticipant(tx, tenantId, roomId, { id: participantId, name, kind: 'caller', role });
    const [allocated] = await allocatePins(deps, tx, tenantId, { roomId, number }, [{ role, participantId }]);
    return { ...allocated!, participantId, number };
  });
}

/** Throws 404 for an unknown room, 409 for one that has ended. */
export async function lockActiveRoom(tx: Tx, tenantId: string, roomId: string): Promise<RoomRow> {
  const room = await lockRoom(tx, tenantId, roomId);
  if (room === null) throw noSuchRoom();
  if (room.state === 'ended') throw roomEnded();
  return room;
}
