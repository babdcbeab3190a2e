import type { Participant } from '@partyline/contracts/participant';
import { showLeg } from '../rooms/show.ts';

type LegRow = Parameters<typeof showLeg>[0];

/** Whose legs these are. */
export const seatedIn = (legs: readonly LegRow[]): string[] => [...new Set(legs.flatMap(({ participant_id }) => participant_id ?? []))];

type PersonRow = { readonly id: string; readonly room_id: string; readonly name: string; readonly kind: string; readonly role: string };

/** A person with their one leg. Somebody who came back (a browser that reconnected) has several rows; what counts is the one that is up, or else the last. */
export function showPerson({ id, room_id, name, kind, role }: PersonRow, theirs: readonly LegRow[]): Participant {
  const row = theirs.findLast((leg) => leg.state !== 'ended') ?? theirs.at(-1);
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

/** The roster: each person with their leg among these. */
export const showRoster = (people: readonly PersonRow[], legs: readonly LegRow[]): Participant[] => people.map((person) => showPerson(person, legs.filter((leg) => leg.participant_id === person.id)));
