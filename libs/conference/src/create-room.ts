import { drawPin, pinLength } from '@partyline/domain/pin';
import type { RandomInt } from '@partyline/domain/clock';
import type { SessionClocks } from '@partyline/domain/session-clock';
import { VerdictError } from '@partyline/domain/verdict';
import { claimPin, countPins, findNumber, insertRoom } from '@partyline/store/rooms';
import type { RoomRow } from '@partyline/store/session-view';
import { inTransaction } from '@partyline/store/store';
import type { Deps } from './deps.ts';
import type { PinVault } from './pin-vault.ts';
import type { AskProvider, OpenedMedia } from './ask-provider.ts';

export interface RoomWanted extends SessionClocks {
  readonly name: string;
  /** The name the first token's holder has on the roster. */
  readonly hostName: string;
  /** E.164; absent: the operator's first number. */
  readonly number?: string;
  readonly bridge: 'auto' | 'always';
  readonly max_participants: number;
}

export interface CreatedRoom {
  readonly room: RoomRow;
  readonly sessionId: string;
  /** When the session ends by itself if nobody comes. */
  readonly dueAt: Date;
  readonly participantId: string;
  readonly pin: string;
  readonly language: string;
  readonly media: OpenedMedia;
}

/** Draws before another digit is tried; at a full half of all PINs of a length, twelve misses are one in four thousand. */
const DRAWS = 12;

/**
 * Creates a room with its PIN, its first session and a token for its first browser: all of it, or nothing. The video session is opened
 * first, since an empty one costs nothing and leaves nothing to undo.
 * Throws 422 for a number that is not ours, and what asking the provider throws.
 */
export async function createRoom(
  deps: Pick<Deps, 'store' | 'ids'> & { readonly pins: PinVault; readonly random: RandomInt; readonly provider: Pick<AskProvider, 'openMedia'> },
  tenantId: string,
  wanted: RoomWanted,
): Promise<CreatedRoom> {
  const number = await findNumber(deps.store, wanted.number);
  if (number === null) {
    throw wanted.number === undefined
      ? new VerdictError('server', 'no-numbers', 'There is no dial-in number yet.', { fix: 'The operator adds one: see docs/operators.md.' })
      : new VerdictError('client', 'unknown-number', 'This is not one of the dial-in numbers.', { field: '/number', fix: 'Leave it out to get a shared one.' });
  }
  const participantId = deps.ids.next('part');
  const media = await deps.provider.openMedia({ tenantId, participantId, lifetimeS: wanted.max_duration_s });
  const { hostName, ...settings } = wanted;
  const ids = { room: deps.ids.next('room'), session: deps.ids.next('ses'), pin: deps.ids.next('pin') };
  return inTransaction(deps.store, tenantId, async (tx) => {
    const { room, due_at: dueAt } = await insertRoom(tx, tenantId, {
      room: { id: ids.room, ...settings, number: number.e164 },
      session: { id: ids.session, conversation: deps.ids.next('conv'), mediaSessionId: media.mediaSessionId },
      participant: { id: participantId, name: hostName },
    });
    let length = pinLength(await countPins(tx, number.e164));
    for (let draw = 1; ; draw++) {
      const pin = drawPin(length, deps.random);
      const claimed = await claimPin(tx, tenantId, { id: ids.pin, roomId: room.id, number: number.e164, lookup: deps.pins.lookup(pin), sealed: deps.pins.seal(pin, ids.pin) });
      if (claimed) return { room, sessionId: ids.session, dueAt, participantId, pin, language: number.language, media };
      if (draw % DRAWS === 0) length += 1;
    }
  });
}
