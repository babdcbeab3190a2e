import type { Participant } from '@partyline/contracts/participant';
import { showLeg } from '../rooms/show.ts';

type LegRow = Parameters<typeof showLeg>[0];

/** Whose legs these are. */
export const seatedIn = (legs: readonly LegRow[]): string[] => [...new Set(legs.flatMap(({ participant_id }) => participant_id ?? []))];

/** The roster: each person with their one leg. Somebody who came back (a browser that reconnected) has several rows; what counts is the one that is up, or else the last. */
export function showRoster(people: readonly { id: string; name: string; kind: string }[], legs: readonly LegRow[]): Participant[] {
  return people.map(({ id, name, kind }) => {
    const theirs = legs.filter((leg) => leg.participant_id === id);
    const row = theirs.findLast((leg) => leg.state !== 'ended') ?? theirs.at(-1);
    const leg = row && showLeg(row);
    return {
      id,
      name,
      kind: kind as Participant['kind'],
      state: leg?.state ?? 'invited',
      number: leg?.number ?? null,
      legId: leg?.id ?? null,
      joinedAt: leg?.joinedAt ?? null,
      leftAt: leg?.endedAt ?? null,
      outcome: leg?.outcome ?? null,
      reason: leg?.reason ?? null,
    };
  });
}
