/** Callers dial, listen, key and hang up; phones are given their behaviour. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { createPerson, viewPerson } from '../people/persons.ts';
import { digitsOf, type Person, type World } from '../world.ts';
import { keyDigits } from '../voice/keys.ts';
import { endLeg } from '../voice/legs.ts';
import { applicationOf, receiveCall } from '../voice/receive-call.ts';
import type { PhoneView, TimelineEvent } from '../views.ts';
import { awaited, Refused, type Control } from './await.ts';

const dialBody = z.object({ from: z.string().min(1), to: z.string().min(1) });
const keyBody = z.object({ digits: z.string().regex(/^[0-9*#]+$/) });
const eventQuery = z.looseObject({ event: z.string(), after: z.coerce.number().default(0) });
const behaviourBody = z.object({
  mode: z.enum(['answer', 'busy', 'reject', 'no-answer', 'machine', 'unavailable', 'failed']),
  afterMs: z.number().nonnegative().optional(),
  hangUpAfterMs: z.number().nonnegative().optional(),
});

function personOf(world: World, params: unknown): Person {
  const { id } = params as { id: string };
  const person = world.people.get(id);
  if (person === undefined) throw new Refused(404, `nobody has the id ${id}`);
  return person;
}

function dial(world: World, input: z.output<typeof dialBody>): Person {
  if (applicationOf(world, input.to) === undefined)
    throw new Refused(404, `${input.to} is not linked to an application`);
  const { person, party } = createPerson(world, 'caller', digitsOf(input.from), digitsOf(input.to));
  party.note('dialled');
  const call = receiveCall(world, {
    kind: 'voice-inbound',
    endpointType: 'phone',
    from: digitsOf(input.from),
    to: input.to,
    party,
  });
  if (call === undefined) throw new Refused(404, 'not linked');
  person.leg = call.leg;
  person.callId = call.leg.uuid;
  call.ring();
  return person;
}

const numberOf = (params: unknown): string => {
  const { number } = params as { number: string };
  return number.startsWith('sip') ? number : digitsOf(number);
};

function viewPhone(world: World, number: string): PhoneView {
  const calls = [...world.people.values()].filter((person) => person.kind === 'phone' && person.to === number);
  return { number, behaviour: world.phones.get(number) ?? { mode: 'answer' }, calls: calls.map(viewPerson) };
}

async function awaitEvent(world: World, request: FastifyRequest): Promise<TimelineEvent> {
  const person = personOf(world, request.params);
  const { event, after } = eventQuery.parse(request.query);
  const find = (): TimelineEvent | undefined => person.timeline.find((one) => one.event === event && one.seq > after);
  const found = await awaited(world, request, () => find() ?? (person.state === 'ended' ? 'over' : undefined));
  // Nothing comes after the end: say so now, and not when the time is up.
  if (found === 'over') throw new Refused(410, `the call ended (${person.endReason ?? ''}) without another "${event}"`);
  return found;
}

/** Adds the routes of callers and phones. */
export function addPeopleRoutes({ app, world }: Control): void {
  app.post('/emulator/callers', (request) => viewPerson(dial(world(), dialBody.parse(request.body ?? {}))));
  app.get('/emulator/callers', () => [...world().people.values()].map(viewPerson));
  app.get('/emulator/callers/:id', (request) => viewPerson(personOf(world(), request.params)));
  app.get('/emulator/callers/:id/await', (request) => awaitEvent(world(), request));
  app.post('/emulator/callers/:id/key', (request) => {
    const person = personOf(world(), request.params);
    const { digits } = keyBody.parse(request.body ?? {});
    if (person.state !== 'answered') throw new Refused(409, `the call is ${person.state}`);
    person.leg.party.note('keyed', { text: digits });
    keyDigits(world(), person.leg, digits);
    return viewPerson(person);
  });
  app.post('/emulator/callers/:id/answer', (request) => {
    const person = personOf(world(), request.params);
    if (person.state !== 'ringing' || person.pickUp === undefined)
      throw new Refused(409, `no phone rings: the call is ${person.state}`);
    person.pickUp();
    return viewPerson(person);
  });
  app.post('/emulator/callers/:id/hangup', (request) => {
    const person = personOf(world(), request.params);
    endLeg(world(), person.leg, { reason: 'hung-up', by: 'user' });
    return viewPerson(person);
  });
  app.put('/emulator/phones/:number', (request) => {
    const number = numberOf(request.params);
    world().phones.set(number, behaviourBody.parse(request.body ?? {}));
    return viewPhone(world(), number);
  });
  app.get('/emulator/phones/:number', (request) => viewPhone(world(), numberOf(request.params)));
  app.get('/emulator/phones/:number/await', (request) => {
    const number = numberOf(request.params);
    const { count } = z.looseObject({ count: z.coerce.number().int().positive().default(1) }).parse(request.query);
    return awaited(world(), request, () => {
      const { calls } = viewPhone(world(), number);
      return calls.length >= count ? calls[calls.length - 1] : undefined;
    });
  });
}
