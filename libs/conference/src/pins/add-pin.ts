import { insertParticipant } from '@partyline/store/participants/participants';
import type { Role } from '@partyline/store/legs/legs';
import { VerdictError } from '@partyline/domain/verdict';
import { countPersonalPins, releasePersonalPin, releaseRoomPins } from '@partyline/store/pins/pins';
import { lockRoom } from '@partyline/store/rooms/rooms';
import type { RoomRow } from '@partyline/store/sessions/session-lock';
import { inTransaction, type Tx } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import { PIN_QUARANTINE_SECONDS } from './pin-quarantine.ts';
import { noSuchPin, noSuchRoom, roomEnded } from '../errors.ts';
import { allocatePins, type PinDeps } from './allocate-pins.ts';

/** People of one room with PINs of their own: each makes a guess on its number a little likelier to hit. */
const MAX_PERSONAL_PINS = 500;

async function activeRoom(tx: Tx, tenantId: string, roomId: string): Promise<RoomRow> {
  const room = await lockRoom(tx, tenantId, roomId);
  if (room === null) throw noSuchRoom();
  if (room.state === 'ended') throw roomEnded();
  return room;
}

/**
 * Gives one person a PIN of their own: who calls with it is this entry of the roster. Throws 404 and 409 for the room, 409 when as many people as may have one.
 */
export async function addPin(
  deps: Pick<Deps, 'store'> & PinDeps,
  tenantId: string,
  roomId: string,
  { name, role }: { name: string; role: Role },
): Promise<{ id: string; pin: string; participantId: string; number: string }> {
  return inTransaction(deps.store, tenantId, async (tx) => {
    const { number } = await activeRoom(tx, tenantId, roomId);
    if ((await countPersonalPins(tx, tenantId, roomId)) >= MAX_PERSONAL_PINS) {
      throw new VerdictError('client', 'too-many-pins', `${MAX_PERSONAL_PINS} people of this room have PINs of their own already.`, {
        fix: 'Delete those that are not needed.',
      });
    }
    const participantId = deps.ids.next('part');
    await insertParticipant(tx, tenantId, roomId, { id: participantId, name, kind: 'caller', role });
    const [taken] = await allocatePins(deps, tx, tenantId, { roomId, number }, [{ role, participantId }]);
    return { ...taken!, participantId, number };
  });
}

/** Takes a person's PIN from them; it lets nobody in from now on. Throws 404. */
export async function removePin(
  deps: Pick<Deps, 'store'>,
  tenantId: string,
  roomId: string,
  pinId: string,
): Promise<void> {
  const released = await inTransaction(deps.store, tenantId, (tx) =>
    releasePersonalPin(tx, tenantId, { roomId, pinId, quarantineS: PIN_QUARANTINE_SECONDS }),
  );
  if (!released) throw noSuchPin();
}

/** Draws a room's two PINs anew; the old ones let nobody in from now on. Throws 404 and 409 for the room. */
export async function rotatePins(
  deps: Pick<Deps, 'store'> & PinDeps,
  tenantId: string,
  roomId: string,
): Promise<{ pin: string; hostPin: string; room: RoomRow }> {
  return inTransaction(deps.store, tenantId, async (tx) => {
    const room = await activeRoom(tx, tenantId, roomId);
    await releaseRoomPins(tx, tenantId, roomId, PIN_QUARANTINE_SECONDS);
    const [participant, host] = await allocatePins(deps, tx, tenantId, { roomId, number: room.number }, [
      { role: 'participant' },
      { role: 'host' },
    ]);
    return { pin: participant!.pin, hostPin: host!.pin, room };
  });
}
