/** Simulated people. Each has a timeline of what happens on the call. */
import type { Party, Person, World } from '../world.ts';
import type { PersonView } from '../views.ts';

/** Creates a person. The calling function sets `leg` and `callId` once the leg exists. */
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
    recordEvent(event, detail = {}) {
      person.timeline.push({ seq: person.timeline.length + 1, at: world.clock.now(), event, ...detail });
      if (event === 'answered') person.state = 'answered';
      if (event === 'joined' || event === 'waiting') person.conversation = detail.conversation;
      if (event === 'left') person.conversation = undefined;
      if (event === 'ended') Object.assign(person, { state: 'ended', endReason: detail.reason });
      world.changes.notify();
    },
  };
  return { person, party };
}

/** Returns the person as the control API shows it. */
export function viewPerson({ leg: _leg, pickUp: _pickUp, ...view }: Person): PersonView {
  return view;
}
