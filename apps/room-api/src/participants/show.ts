import type { Participant } from '@partyline/contracts/participants/participant';
import { showLeg } from '../rooms/show.ts';

type LegRow = Parameters<typeof showLeg>[0];

type ParticipantRow = {
  readonly id: string;
  readonly room_id: string;
  readonly name: string;
  readonly kind: string;
  readonly role: string;
};

/** A participant with its connection; null before the first one. */
export function showParticipant({ id, room_id, name, kind, role }: ParticipantRow, row: LegRow | null): Participant {
  const leg = row && showLeg(row);
  return {
    id,
    roomId: room_id,
    name,
    kind: kind as Participant['kind'],
    role: role as Participant['role'],
    state: leg?.state ?? 'invited',
    number: leg?.number ?? null,
    legId: leg?.id ?? null,
    muted: row?.muted ?? false,
    joinedAt: leg?.joinedAt ?? null,
    leftAt: leg?.endedAt ?? null,
    outcome: leg?.outcome ?? null,
    reason: leg?.reason ?? null,
  };
}
