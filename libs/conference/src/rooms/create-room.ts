import type { RandomInt } from '@partyline/domain/clock';
import { computeExpiry, type ExpiryRules } from '@partyline/domain/room-expiry';
import type { Schedule, SessionClocks } from '@partyline/domain/session-clock';
import { VerdictError } from '@partyline/domain/verdict';
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

/** What a tenant may set of a room, and change later. */
export interface RoomSettings extends SessionClocks, Schedule, ExpiryRules {
  readonly name: string;
  readonly bridge: 'auto' | 'always';
  readonly max_participants: number;
  readonly wait_for_host: boolean;
  /** Its number's callers are seated without a PIN; only on a number that is the tenant's own. */
  readonly pinless: boolean;
  readonly starts_at: Date | null;
  /** The tenant's own name for it, good for one active room at a time. */
  readonly external_id: string | null;
  readonly metadata: Readonly<Record<string, string>>;
}

export type RoomRequest = Pick<RoomSettings, 'name' | 'bridge' | 'max_participants' | keyof SessionClocks> &
  Partial<RoomSettings> & {
    /** The name the first token's holder has on the roster. */
    readonly hostName: string;
    /** Absent: the operator's first shared number. */
    readonly numberWanted?: NumberCriteria;
  };

export interface CreatedRoom {
  readonly room: RoomRow;
  /** Null for a room that is to open later: whoever comes first opens its session then. */
  readonly firstSession: FirstSession | null;
  readonly pin: string;
  readonly hostPin: string;
  readonly language: string;
}

/** A room's first session, with a token for its first browser. */
interface FirstSession {
  readonly sessionId: string;
  /** When the session ends by itself if nobody comes. */
  readonly dueAt: Date;
  readonly participantId: string;
  readonly media: OpenedMedia;
}

/** Throws `invalid-schedule` for a room that would be over before it opens, or that is over already. */
export function checkSchedule(
  { starts_at, ends_at, expires_at }: Pick<RoomSettings, 'starts_at' | 'ends_at' | 'expires_at'>,
  now: Date,
): void {
  const refuse = (field: string, message: string): never => {
    throw new VerdictError('client', 'invalid-schedule', message, {
      field,
      fix: 'Give times in this order: now, startsAt, endsAt; expiresAt is later than now.',
    });
  };
  if (ends_at !== null && ends_at <= now) refuse('/endsAt', 'The room would be over already.');
  if (ends_at !== null && starts_at !== null && ends_at <= starts_at)
    refuse('/endsAt', 'The room would end before it starts.');
  if (expires_at !== null && expires_at <= now) refuse('/expiresAt', 'The room would have expired already.');
}

/**
 * Creates a room with its two PINs, its first session and a token for its first browser, who is its host: all of it, or nothing. The video session is
 * opened first, since an empty one costs nothing and leaves nothing to undo. A room that opens later gets its session when somebody comes.
 * Throws 422 for a number that is none of the tenant's and for impossible times, 409 for one in use, 429 when the tenant has as many rooms as it may, or would be given a
 * token and has as many people connected, 402 when there is not enough money for whoever comes with it, and what asking the provider throws.
 */
export async function createRoom(
  deps: Pick<Deps, 'store' | 'ids'> & {
    readonly pins: PinVault;
    readonly random: RandomInt;
    readonly provider: Pick<ProviderRpc, 'openMedia'>;
  },
  tenantId: string,
  { hostName, numberWanted: on = {}, ...wanted }: RoomRequest,
): Promise<CreatedRoom> {
  const settings = {
    wait_for_host: false,
    pinless: false,
    starts_at: null,
    ends_at: null,
    expires_at: null,
    idle_days: null,
    ...wanted,
  };
  // Before the provider is asked, whose pace is everybody's.
  const [number, limits] = await Promise.all([findNumber(deps.store, tenantId, on), readLimits(deps.store, tenantId)]);
  precheckLimit('live-rooms', limits);
  if (number === null) throw noSuchNumber(on);
  if (number.bound) throw numberInUse();
  if (settings.pinless && !number.dedicated) throw notDedicated();
  checkSchedule(settings, number.now);

  const ids = { room: deps.ids.next('room'), session: deps.ids.next('ses'), participant: deps.ids.next('part') };
  const opensNow = settings.starts_at === null || settings.starts_at <= number.now;
  // Its token is no connection yet, so no row of it is made here, and there is nothing to hold: whoever comes by it beyond the limit is let go (apply-session-event.ts).
  if (opensNow) precheckLimit('live-legs', limits);
  const media = opensNow
    ? await deps.provider.openMedia({
        tenantId,
        accountId: number.account_id,
        participantId: ids.participant,
        lifetimeS: wanted.max_duration_s,
      })
    : null;
  try {
    return await inTransaction(deps.store, tenantId, async (tx) => {
      // It was found before the provider was asked, and may have become another tenant's since, or be at another account than that which the video session was opened in.
      const held = await lockNumberForRoom(tx, tenantId, number.e164);
      if (held === null || held.account_id !== number.account_id) throw numberGone();
      if (settings.pinless && !held.dedicated) throw notDedicated();
      if (settings.pinless && (await hasActiveRoom(tx, tenantId, number.e164))) throw numberInUse();
      const { room, due_at: dueAt } = await insertRoom(tx, tenantId, {
        room: { id: ids.room, ...settings, number: number.e164, expiry_check_at: computeExpiry(settings, number.now) },
        session: media && {
          id: ids.session,
          conversation: deps.ids.next('conv'),
          mediaSessionId: media.mediaSessionId,
          accountId: number.account_id,
        },
        participant: { id: ids.participant, name: hostName, role: 'host' },
      });
      const [participant, host] = await allocatePins(deps, tx, tenantId, { roomId: room.id, number: number.e164 }, [
        { role: 'participant' },
        { role: 'host' },
      ]);
      await enforceLimit(tx, tenantId, 'live-rooms');
      // A token is given with it: as when one is asked for (issue-token.ts).
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

const numberGone = (): VerdictError =>
  new VerdictError(
    'server',
    'temporarily-unavailable',
    'The number for this room was given to somebody else just now.',
    { fix: 'Try again.', retryAfterMs: 1_000 },
  );

function noSuchNumber(wanted: NumberCriteria): VerdictError {
  if (wanted.number !== undefined)
    return new VerdictError('client', 'unknown-number', 'This is not one of the dial-in numbers.', {
      field: '/number',
      fix: 'Leave it out to get a shared one; GET /v1/numbers lists those that you may use.',
    });
  if (Object.values(wanted).every((each) => each === undefined))
    return new VerdictError('server', 'no-numbers', 'There is no dial-in number yet.', {
      fix: 'The operator adds one: see docs/operators.md.',
    });
  return new VerdictError('client', 'unknown-number', 'No dial-in number that you may use is as wanted.', {
    field: '/numberWanted',
    fix: 'Ask for less; GET /v1/numbers lists those that you may use.',
  });
}
