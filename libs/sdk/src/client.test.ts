import { globSync, readFileSync } from 'node:fs';
import {
  acceptingProvider,
  generateKey,
  startTestHarness,
  type TestHarness,
} from '@partyline/room-api/testing/test-harness';
import { REASONS, type ReasonEntry } from '@partyline/domain/reasons';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Partyline } from './client.ts';
import { AuthenticationError, InvalidInputError, NotFoundError, PartylineError, toError } from './error.ts';

let harness: TestHarness;
let client: Partyline;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
  client = new Partyline({ apiKey: harness.keys.ours, baseUrl: harness.url });
});
afterAll(() => harness.stop());

describe('rooms', () => {
  it('creates, reads, joins and ends a room, and dials out from it', async () => {
    const { room, pin, session } = await client.rooms.create({ name: 'Board meeting' });
    const sessionId = session?.id ?? '';
    expect(await client.rooms.get(room.id)).toMatchObject({
      room: { id: room.id, name: 'Board meeting' },
      pin,
      session: { id: sessionId },
    });
    expect(await client.participants.token(room.id, { name: 'Grace' })).toMatchObject({
      client: { token: expect.any(String) as string },
    });
    const { participantId } = await client.participants.dial(room.id, { phone: '+442079460018', name: 'Charles' });
    expect((await client.participants.list(room.id).page()).participants.map(({ id }) => id)).toContain(participantId);
    expect(await client.rooms.observe(room.id)).toMatchObject({ legs: [] });
    expect(await client.rooms.end(room.id)).toMatchObject({ sessionId });
    expect((await client.sessions.events(sessionId)).events.at(0)?.seq).toBe(1);
    expect((await client.sessions.hangUps(sessionId)).hangUps).toEqual(expect.any(Array));
  });
});

describe('PagedList', () => {
  it('iterates over all pages', async () => {
    const created: string[] = [];
    for (let n = 0; n < 5; n++) created.unshift((await client.rooms.create({ name: `Room ${n}` })).room.id);
    const ids: string[] = [];
    for await (const room of client.rooms.list({ limit: 2 })) {
      ids.push(room.id);
      if (ids.length === 5) break;
    }
    expect(ids).toEqual(created);
    const { rooms, next } = await client.rooms.list({ limit: 2 }).page();
    expect([rooms.length, next]).toEqual([2, expect.any(String)]);
  });

  it('yields nothing for an empty list', async () => {
    const otherTenant = new Partyline({ apiKey: harness.keys.theirs, baseUrl: harness.url });
    const items = [];
    for await (const room of otherTenant.rooms.list()) items.push(room);
    for await (const entry of otherTenant.hangUps.list({ state: 'all' })) items.push(entry);
    expect(items).toEqual([]);
  });
});

describe('errors', () => {
  it('list each invalid field, with a fix', async () => {
    const error: unknown = await client.rooms
      .create({ name: '', maxParticipants: 1 })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidInputError);
    expect(error).toMatchObject({
      status: 422,
      reason: 'invalid-body',
      fix: expect.any(String) as string,
      requestId: expect.stringMatching(/^req_/) as string,
    });
    expect((error as InvalidInputError).errors.map(({ pointer }) => pointer)).toEqual(['/name', '/maxParticipants']);
  });

  it('have a class for every status of the API, which docs/sdk.md lists', async () => {
    const page = readFileSync(new URL('../../../docs/sdk.md', import.meta.url), 'utf8');
    const statuses = new Set(
      Object.values<ReasonEntry>(REASONS).flatMap(({ status, audience }) => (audience === undefined ? [status] : [])),
    );
    expect(statuses.size).toBeGreaterThan(12);
    for (const status of statuses) {
      const { name } = toError(new Response(null, { status }), { reason: 'x', detail: 'x' });
      expect([status, name]).toEqual([status, expect.not.stringMatching(/^PartylineError$/)]);
      expect(page).toMatch(new RegExp(`\\| \`${name}\` +\\|[^|]*\\b${status}\\b`));
    }
  });

  it('have a class by status', async () => {
    await expect(client.rooms.get('room_AAAAAAAAAAAAAAAAAAAAAA')).rejects.toThrow(NotFoundError);
    await expect(new Partyline({ apiKey: generateKey(), baseUrl: harness.url }).rooms.list().page()).rejects.toThrow(
      AuthenticationError,
    );
  });

  it.each([
    ['baseUrl is missing.', { apiKey: 'pl_x', baseUrl: undefined }, 'PARTYLINE_URL'],
    ['baseUrl is missing.', { apiKey: 'pl_x', baseUrl: '' }, 'PARTYLINE_URL'],
    ['baseUrl is missing.', { apiKey: 'pl_x', baseUrl: null }, 'PARTYLINE_URL'],
    ['baseUrl is missing.', undefined, 'PARTYLINE_URL'],
    ["baseUrl is 'api.example.com', which is not a URL.", { apiKey: 'pl_x', baseUrl: 'api.example.com' }, 'https://'],
    ["baseUrl is '80', which is not a URL.", { apiKey: 'pl_x', baseUrl: 80 }, 'https://'],
    ["baseUrl is 'http://', which is not a URL.", { apiKey: 'pl_x', baseUrl: 'http://' }, 'https://'],
    ['apiKey is missing.', { baseUrl: 'http://127.0.0.1', apiKey: undefined }, 'PARTYLINE_KEY'],
    ['apiKey is missing.', { baseUrl: 'http://127.0.0.1', apiKey: '' }, 'PARTYLINE_KEY'],
    ['apiKey contains characters', { baseUrl: 'http://127.0.0.1', apiKey: 'pl_x\n' }, 'without spaces'],
  ])('name the option that is missing or wrong, and the fix: %s %o', (message, options, fix) => {
    const open = (): Partyline => new Partyline(options as ConstructorParameters<typeof Partyline>[0]);
    expect(open).toThrow(PartylineError);
    expect(open).toThrow(
      expect.objectContaining({
        reason: 'invalid-options',
        message: expect.stringContaining(message) as string,
        fix: expect.stringContaining(fix) as string,
      }) as Error,
    );
  });

  it.each([undefined, null, '', 'undefined'])('name the id that is %o, and nothing is sent', async (id) => {
    const sent: string[] = [];
    const offline = new Partyline({
      apiKey: 'pl_x',
      baseUrl: 'http://127.0.0.1:9',
      retries: 0,
      fetch: async (input) => {
        sent.push((input as Request).url);
        return new Response('{}', { headers: { 'content-type': 'application/json' } });
      },
    });
    const missing = id as string;
    for (const [call, name] of [
      [() => offline.rooms.get(missing), 'roomId'],
      [() => offline.rooms.end(missing), 'roomId'],
      [() => offline.pins.delete('room_1', missing), 'pinId'],
      [() => offline.participants.list(missing).page(), 'roomId'],
      [() => offline.operator.deleteTenant(missing), 'tenantId'],
    ] as const)
      await expect(call()).rejects.toMatchObject({ reason: 'invalid-options', message: `${name} is missing.` });
    expect(sent).toEqual([]);
  });
});

it('Partyline has a method for every operation of the API', () => {
  const { paths } = JSON.parse(readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8')) as {
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  const operations = Object.values(paths).flatMap((methods) =>
    Object.values(methods).map(({ operationId }) => operationId),
  );
  const sources = globSync(`${import.meta.dirname}/resources/*.ts`).map((file) => readFileSync(file, 'utf8'));
  const called = new Set(
    sources.flatMap((source) => [...source.matchAll(/\b(\w+)\(\{ \.\.\.toRequestOptions\(/g)].map(([, name]) => name)),
  );
  expect(operations.filter((operation) => !called.has(operation))).toEqual([]);
});
