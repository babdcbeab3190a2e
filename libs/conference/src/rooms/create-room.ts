import type { RandomInt } from '@partyline/domain/clock';
import { computeExpiry, type ExpiryRules } from '@partyline/domain/room-expiry';
import type { Schedule, SessionClocks } from '@partyline/domain/session-clock';
import { VerdictError } from '@partyline/domain/verdict';
import { appendRoomEvent } from '@partyline/store/events/append-events';
import { readLimits } from '@partyline/store/limits/limits';
import { findNumber, lockNumberForRoom, type NumberCriteria } from '@partyline/store/numbers/numbers';
import { violatedRoomConstraint, hasActiveRoom, insertRoom } from '@partyline/store/rooms/rooms';
import type { RoomRow } from '@partyline/store/sessions/session-lock';
import { inTransaction } from '@partyline/store/database/store';
import type { ProviderRpc, OpenedMedia } from '../providers/rpc-messages.ts';
import type { Deps } from '../deps.ts';
import { precheckLimit, enforceLimit } from '../limits/enforce-limit.ts';
import { enforceSpend } from '../limits/enforce-spend.ts';
import type { PinVault } from '../pins/pin-vault.ts';
import { externalIdTaken, notDedicated, numberInUse } from '../errors.ts';
import { allocatePins } from '../pins/allocate-pins.ts';

/** The settings of a room, which its tenant can also change later. */
export interface RoomSettings extends SessionClocks, Schedule, ExpiryRules {
  readonly name: string;
  readonly bridge: 'auto' | 'always';
  readonly max_participants: number;
  readonly wait_for_host: boolean;
  /** Admits the number's callers without a PIN. Requires a dedicated number. */
  readonly pinless: boolean;
  readonly starts_at: Date | null;
  /** The tenant's own identifier, unique among its active rooms. */
  readonly external_id: string | null;
  readonly metadata: Readonly<Record<string, string>>;
}

export type RoomRequest = Pick<RoomSettings, 'name' | 'bridge' | 'max_participants' | keyof SessionClocks> &
  Partial<RoomSettings> & {
    /** The name on the roster for the first token. */
    readonly hostName: string;
    /** Default: the operator's first shared number. */
    readonly numberWanted?: NumberCriteria;
  };

export interface CreatedRoom {
  readonly room: RoomRow;
  /** Null for a room with a later start: the first user to join opens its session. */
  readonly firstSession: FirstSession | null;
  readonly pin: string;
  readonly hostPin: string;
  readonly language: string;
}

/** A room's first session, with a token for the host's browser. */
interface FirstSession {
  readonly sessionId: string;
  /** When the session ends if no user joins. */
  readonly dueAt: Date;
  readonly participantId: string;
  readonly media: OpenedMedia;
}

/** The data of the events `room.created` and `room.updated`. */
export const describeRoom = ({ name, number, version }: RoomRow): Record<string, unknown> => ({
  name,
  dialInNumber: number,
  version,
});

/**
 * Throws `invalid-schedule` (422) for a room that would end before it starts, or would already be
 * over.
 */
export function checkSchedule(
  { starts_at, ends_at, expires_at }: Pick<RoomSettings, 'starts_at' | 'ends_at' | 'expires_at'>,
  now: Date,
): void {
  const reject = (field: string, message: string): never => {
    throw new VerdictError('client', 'invalid-schedule', message, {
      field,
      fix: 'Give a future endsAt that is later than startsAt, and a future expiresAt.',
    });
  };
  if (ends_at !== null && ends_at <= now) reject('/endsAt', 'endsAt is in the past.');
  if (ends_at !== null && starts_at !== null && ends_at <= starts_at)
    reject('/endsAt', 'endsAt is not later than startsAt.');
  if (expires_at !== null && expires_at <= now) reject('/expiresAt', 'expiresAt is in the past.');
}

/**
 * Creates a room with its two PINs, its first session and a token for the host's browser,
 * atomically. The video session is opened first: an empty one costs nothing and needs no clean-up.
 * A room with a later start gets its session when the first user joins. Throws 422 for an
 * unavailable number and an invalid schedule, 409 for a number or external id in use, 429 at the
 * limit of live rooms or live legs, 402 `spend-limit`, and the errors of the provider RPC.
 */
export async function createRoom(
  deps: Pick<Deps, 'store' | 'ids'> & {
    readonly pins: PinVault;
    readonly random: RandomInt;
    readonly provider: Pick<ProviderRpc, 'openMedia'>;
  },
  tenantId: string,
  { hostName, numberWanted = {}, ...rest }: RoomRequest,
): Promise<CreatedRoom> {
  const settings = {
    wait_for_host: false,
    pinless: false,
    starts_at: null,
    ends_at: null,
    expires_at: null,
    idle_days: null,
    ...rest,
  };
  // Checked before the provider request, because all tenants share its rate limit.
  const [number, limits] = await Promise.all([
    findNumber(deps.store, tenantId, numberWanted),
    readLimits(deps.store, tenantId),
  ]);
  precheckLimit('live-rooms', limits);
  if (number === null) throw noSuchNumber(numberWanted);
  if (number.bound) throw numberInUse();
  if (settings.pinless && !number.dedicated) throw notDedicated();
  checkSchedule(settings, number.now);

  const ids = {
    room: deps.ids.next('room'),
    session: deps.ids.next('ses'),
    conversation: deps.ids.next('conv'),
    participant: deps.ids.next('part'),
  };
  const opensNow = settings.starts_at === null || settings.starts_at <= number.now;
  // The token is not a connection yet, so no leg row or limit lock is needed here. A browser that
  // joins beyond the limit is hung up (insert-browser.ts).
  if (opensNow) precheckLimit('live-legs', limits);
  const media = opensNow
    ? await deps.provider.openMedia({
        tenantId,
        accountId: number.account_id,
        conversation: ids.conversation,
        participantId: ids.participant,
        lifetimeS: rest.max_duration_s,
      })
    : null;
  try {
    return await inTransaction(deps.store, tenantId, async (tx) => {
      // The number was read before the provider request. Its tenant or account may have changed
      // since.
      const locked = await lockNumberForRoom(tx, tenantId, number.e164);
      if (locked === null || locked.account_id !== number.account_id) throw numberReassigned();
      if (settings.pinless && !locked.dedicated) throw notDedicated();
      if (settings.pinless && (await hasActiveRoom(tx, tenantId, number.e164))) throw numberInUse();
      const { room, due_at: dueAt } = await insertRoom(tx, tenantId, {
        room: { id: ids.room, ...settings, number: number.e164, expiry_check_at: computeExpiry(settings, number.now) },
        session: media && {
          id: ids.session,
          conversation: ids.conversation,
          mediaSessionId: media.mediaSessionId,
          accountId: number.account_id,
        },
        participant: { id: ids.participant, name: hostName, role: 'host' },
      });
      await appendRoomEvent(tx, tenantId, room.id, { type: 'room.created', data: describeRoom(room) });
      const [participant, host] = await allocatePins(deps, tx, tenantId, { roomId: room.id, number: number.e164 }, [
        { role: 'participant' },
        { role: 'host' },
      ]);
      await enforceLimit(tx, tenantId, 'live-rooms');
      // The room comes with a token, so the budget is checked as in issue-token.ts.
      if (media !== null) await enforceSpend(tx, tenantId, { roomId: room.id, direction: 'webrtc', number: null }, 1);
      const firstSession =
        media === null || dueAt === null
          ? null
          : { sessionId: ids.session, dueAt, participantId: ids.participant, media };
      return { room, firstSession, pin: participant!.pin, hostPin: host!.pin, language: number.language };
    });
  } catch (error) {
    const rule = violatedRoomConstraint(error);
    throw rule === null ? error : rule === 'room_pinless' ? numberInUse() : externalIdTaken();
  }
}

const numberReassigned = (): VerdictError =>
  new VerdictError('server', 'temporarily-unavailable', 'The number for this room was reassigned in the meantime.', {
    fix: 'Try again.',
    retryAfterMs: 1_000,
  });

function noSuchNumber(criteria: NumberCriteria): VerdictError {
  if (criteria.number !== undefined)
    return new VerdictError('client', 'unknown-number', 'There is no such dial-in number, or you may not use it.', {
      field: '/number',
      fix: 'Leave number out to get a shared one. GET /v1/numbers lists the numbers that you may use.',
    });
  if (Object.values(criteria).every((value) => value === undefined))
    return new VerdictError('server', 'no-numbers', 'The platform has no dial-in number yet.', {
      fix: 'Ask the operator to add a number: docs/operators.md.',
    });
  return new VerdictError('client', 'unknown-number', 'No dial-in number matches numberWanted.', {
    field: '/numberWanted',
    fix: 'Give fewer criteria. GET /v1/numbers lists the numbers that you may use.',
  });
}
