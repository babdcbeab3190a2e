import type { OpenedMedia } from '@partyline/conference/providers/rpc-messages';
import type { Leg } from '@partyline/contracts/legs/leg';
import type { Room } from '@partyline/contracts/rooms/room';
import type { Session } from '@partyline/contracts/sessions/session';
import type { Client } from '@partyline/contracts/participants/token';
import { maskNumber } from '@partyline/domain/phone';
import type { RoomDetails } from '@partyline/store/rooms/rooms';

type SessionRow = Omit<RoomDetails['sessions'][number], 'legs'>;
type LegRow = RoomDetails['sessions'][number]['legs'][number];

const iso = (at: Date | null): string | null => at?.toISOString() ?? null;

/** A room as the API shows it. */
export const showRoom = (row: Omit<RoomDetails, 'pins' | 'sessions' | 'max_spend_micro'>): Room => ({
  id: row.id,
  name: row.name,
  state: row.state as Room['state'],
  number: row.number,
  bridge: row.bridge as Room['bridge'],
  maxParticipants: row.max_participants,
  maxDurationSeconds: row.max_duration_s,
  neverUsedSeconds: row.never_used_s,
  browsersLeftSeconds: row.browsers_left_s,
  phonesLeftSeconds: row.phones_left_s,
  aloneSeconds: row.alone_s,
  emptySeconds: row.empty_s,
  hostLeftSeconds: row.host_left_s,
  waitForHost: row.wait_for_host,
  pinless: row.pinless,
  startsAt: iso(row.starts_at),
  endsAt: iso(row.ends_at),
  expiresAt: iso(row.expires_at),
  expireAfterDays: row.idle_days,
  externalId: row.external_id,
  metadata: row.metadata as Room['metadata'],
  version: row.version,
  createdAt: row.created_at.toISOString(),
  endedAt: iso(row.ended_at),
});

/** A session as the API shows it. */
export const showSession = (row: SessionRow): Session => ({
  id: row.id,
  roomId: row.room_id,
  state: row.state as Session['state'],
  createdAt: row.created_at.toISOString(),
  liveAt: iso(row.live_at),
  endingAt: iso(row.ending_at),
  endedAt: iso(row.ended_at),
  endReason: row.end_reason as Session['endReason'],
  dueAt: row.due_at.toISOString(),
  dueReason: row.due_reason as Session['dueReason'],
});

/** A leg as the API shows it: number masked, without provider ids and secrets. */
export const showLeg = (row: LegRow): Leg => ({
  id: row.id,
  kind: row.kind as Leg['kind'],
  state: row.state as Leg['state'],
  participantId: row.participant_id,
  number: row.remote === null ? null : maskNumber(row.remote),
  createdAt: row.created_at.toISOString(),
  answeredAt: iso(row.answered_at),
  joinedAt: iso(row.joined_at),
  endedAt: iso(row.ended_at),
  outcome: row.outcome as Leg['outcome'],
  reason: row.reason,
  hangUp: {
    requestedAt: iso(row.hangup_requested_at),
    reason: row.hangup_reason,
    lastAttemptAt: iso(row.hangup_attempted_at),
    attemptCount: row.hangup_attempts,
    confirmedAt: iso(row.confirmed_at),
  },
});

/** What the video SDK of a browser needs. */
export const showClient = ({ client, mediaSessionId, token, tokenExpiresAt }: OpenedMedia): Client => ({
  ...client,
  mediaSessionId,
  token,
  expiresAt: tokenExpiresAt.toISOString(),
});
