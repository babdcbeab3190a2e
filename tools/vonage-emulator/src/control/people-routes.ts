/** Control routes of callers (dial, key, hang up) and of phones (set behaviour). */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { createPerson, viewPerson } from '../people/persons.ts';
import { toDigits, type Person, type World } from '../world.ts';
import { keyDigits } from '../voice/keys.ts';
import { endLeg } from '../voice/legs.ts';
import { findApplicationId, receiveCall } from '../voice/receive-call.ts';
import type { PhoneView, TimelineEvent } from '../views.ts';
import { longPoll, ControlError, type ControlContext } from './long-poll.ts';

const dialBody = z.object({ from: z.string().min(1), to: z.string().min(1) });
const keyBody = z.object({ digits: z.string().regex(/^[0-9*#]+$/) });
const eventQuery = z.looseObject({ event: z.string(), after: z.coerce.number().default(0) });
const behaviourBody = z.object({
  mode: z.enum(['answer', 'busy', 'reject', 'no-answer', 'machine', 'unavailable', 'failed']),
  afterMs: z.number().nonnegative().optional(),
  hangUpAfterMs: z.number().nonnegative().optional(),
  beepAfterMs: z.number().nonnegative().optional(),
  detail: z.string().min(1).optional(),
});

function findPerson(world: World, params: unknown): Person {
  const { id } = params as { id: string };
  const person = world.people.get(id);
  if (person === undefined) throw new ControlError(404, `No caller or phone call has the id ${id}.`);
  return person;
}

function dialNumber(world: World, input: z.output<typeof dialBody>): Person {
  if (findApplicationId(world, input.to) === undefined)
    throw new ControlError(
      404,
      `The number ${input.to} is not linked to an application. Add it to "numbers" in the configuration.`,
    );
  const { person, party } = createPerson(world, 'caller', toDigits(input.from), toDigits(input.to));
  party.recordEvent('dialled');
  const call = receiveCall(world, {
    kind: 'voice-inbound',
    endpointType: 'phone',
    from: toDigits(input.from),
    to: input.to,
    party,
  });
  if (call === undefined) throw new ControlError(404, `The number ${input.to} is not linked to an application.`);
  person.leg = call.leg;
  person.callId = call.leg.uuid;
  call.ring();
  return person;
}

const readPhoneNumber = (params: unknown): string => {
  const { number } = params as { number: string };
  return number.startsWith('sip') ? number : toDigits(number);
};

function viewPhone(world: World, number: string): PhoneView {
  const calls = [...world.people.values()].filter((person) => person.kind === 'phone' && person.to === number);
  return { number, behaviour: world.phones.get(number) ?? { mode: 'answer' }, calls: calls.map(viewPerson) };
}

async function awaitTimelineEvent(world: World, request: FastifyRequest): Promise<TimelineEvent> {
  const person = findPerson(world, request.params);
  const { event, after } = eventQuery.parse(request.query);
  const find = (): TimelineEvent | undefined => person.timeline.find((one) => one.event === event && one.seq > after);
  const found = await longPoll(world, request, () => find() ?? (person.state === 'ended' ? 'over' : undefined));
  // No event follows the end of a call: reject at once instead of at the timeout.
  if (found === 'over')
    throw new ControlError(410, `The call ended (${person.endReason ?? ''}) without another "${event}" event.`);
  return found;
}

/** Adds the routes of callers and phones. */
export function addPeopleRoutes({ app, world }: ControlContext): void {
  app.post('/emulator/callers', (request) => viewPerson(dialNumber(world(), dialBody.parse(request.body ?? {}))));
  app.get('/emulator/callers', () => [...world().people.values()].map(viewPerson));
  app.get('/emulator/callers/:id', (request) => viewPerson(findPerson(world(), request.params)));
  app.get('/emulator/callers/:id/await', (request) => awaitTimelineEvent(world(), request));
  app.post('/emulator/callers/:id/key', (request) => {
    const person = findPerson(world(), request.params);
    const { digits } = keyBody.parse(request.body ?? {});
    if (person.state !== 'answered')
      throw new ControlError(409, `Digits need an answered call: the call is ${person.state}.`);
    person.leg.party.recordEvent('keyed', { text: digits });
    keyDigits(world(), person.leg, digits);
    return viewPerson(person);
  });
  app.post('/emulator/callers/:id/answer', (request) => {
    const person = findPerson(world(), request.params);
    if (person.state !== 'ringing' || person.pickUp === undefined)
      throw new ControlError(409, `Only a ringing phone can be answered: the call is ${person.state}.`);
    person.pickUp();
    return viewPerson(person);
  });
  app.post('/emulator/callers/:id/hangup', (request) => {
    const person = findPerson(world(), request.params);
    endLeg(world(), person.leg, { reason: 'hung-up', by: 'user' });
    return viewPerson(person);
  });
  app.put('/emulator/phones/:number', (request) => {
    const number = readPhoneNumber(request.params);
    world().phones.set(number, behaviourBody.parse(request.body ?? {}));
    return viewPhone(world(), number);
  });
  app.get('/emulator/phones/:number', (request) => viewPhone(world(), readPhoneNumber(request.params)));
  app.get('/emulator/phones/:number/await', (request) => {
    const number = readPhoneNumber(request.params);
    const { count } = z.looseObject({ count: z.coerce.number().int().positive().default(1) }).parse(request.query);
    return longPoll(world(), request, () => {
      const { calls } = viewPhone(world(), number);
      return calls.length >= count ? calls[calls.length - 1] : undefined;
    });
  });
}
