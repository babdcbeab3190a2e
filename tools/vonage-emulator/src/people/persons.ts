/** Simulated people: a timeline of what each one sees and hears. */
import type { Party, Person, World } from '../world.ts';
import type { PersonView } from '../views.ts';

/** Makes a person who is about to be on a call; the leg is put in by whoever makes it. */
export function createPerson(
  world: World,
  kind: 'caller' | 'phone',
  from: string,
  to: string,
): { person: Person; party: Party } {
  const person = {
    id: `${kind}-${world.newId()}`,
    kind,
    from,
    to,
    callId: '',
    state: 'ringing',
    timeline: [],
  } as unknown as Person;
  world.people.set(person.id, person);
  const party: Party = {
    personId: person.id,
    note(event, detail = {}) {
      person.timeline.push({ seq: person.timeline.length + 1, at: world.clock.now(), event, ...detail });
      if (event === 'answered') person.state = 'answered';
      if (event === 'joined' || event === 'waiting') person.conversation = detail.conversation;
      if (event === 'left') person.conversation = undefined;
      if (event === 'ended') Object.assign(person, { state: 'ended', endReason: detail.reason });
      world.board.changed();
    },
  };
  return { person, party };
}

/** The person without its leg. */
export function viewPerson({ leg: _leg, pickUp: _pickUp, ...view }: Person): PersonView {
  return view;
}
