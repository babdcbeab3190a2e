import type { Participant } from '@partyline/contracts/participants/participant';
import { showLeg } from '../rooms/show.ts';

type LegRow = Parameters<typeof showLeg>[0];

type ParticipantRow = {
  readonly id: string;
  readonly room_id: string;
  readonly name: string;
  readonly kind: string;
  readonly role: string;
  readonly removed_at: Date | null;
};

/**
 * A participant with its connection; null before the first one, which a removed participant never
 * has.
 */
export function showParticipant(person: ParticipantRow, row: LegRow | null): Participant {
  const { id, room_id, name, kind, role, removed_at } = person;
  const leg = row && showLeg(row);
  const removed = leg === null && removed_at !== null;
  return {
    id,
    roomId: room_id,
    name,
    kind: kind as Participant['kind'],
    role: role as Participant['role'],
    state: leg?.state ?? (removed ? 'ended' : 'invited'),
    number: leg?.number ?? null,
    legId: leg?.id ?? null,
    muted: row?.muted ?? false,
    joinedAt: leg?.joinedAt ?? null,
    leftAt: leg?.endedAt ?? (removed ? removed_at.toISOString() : null),
    outcome: leg?.outcome ?? (removed ? 'success' : null),
    reason: leg?.reason ?? (removed ? 'removed' : null),
  };
}
