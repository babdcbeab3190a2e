import { openApi, type JsonSchema } from '@partyline/contracts/openapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
let room: string;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
  room = `/v1/rooms/${(await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } })).body.room.id}`;
});
afterAll(() => harness.stop());

/** Sends a request and asserts that it changed nothing. */
async function requestUnchanged(...[method, path, given]: Parameters<TestHarness['request']>) {
  const before = await harness.countRows();
  const reply = await harness.request(method, path, given);
  expect(await harness.countRows()).toEqual(before);
  return reply;
}

describe('invalid body', () => {
  it.each([
    [{}, [['/name', /is required/]]],
    [{ name: '' }, [['/name', /must not be empty/]]],
    [{ name: '   ' }, [['/name', /must not be empty/]]],
    [{ name: 7 }, [['/name', /must be text/]]],
    [{ name: 'x'.repeat(121) }, [['/name', /at most 120/]]],
    [{ name: 'two\nlines' }, [['/name', /one line/]]],
    [{ name: 'nul\u0000' }, [['/name', /one line/]]],
    [{ name: 'X', hostName: '' }, [['/hostName', /must not be empty/]]],
    [{ name: 'X', number: '12025550100' }, [['/number', /E\.164/]]],
    [{ name: 'X', bridge: 'never' }, [['/bridge', /auto.*always/]]],
    [{ name: 'X', maxParticipants: 1 }, [['/maxParticipants', /at least 2/]]],
    [{ name: 'X', maxParticipants: 50 }, [['/maxParticipants', /at most 49/]]],
    [{ name: 'X', maxParticipants: '10' }, [['/maxParticipants', /whole number/]]],
    [{ name: 'X', maxDurationSeconds: 59 }, [['/maxDurationSeconds', /at least 60/]]],
    [{ name: 'X', maxDurationSeconds: 21_601 }, [['/maxDurationSeconds', /at most 21600/]]],
    [{ name: 'X', maxDurationSeconds: null }, [['/maxDurationSeconds', /whole number/]]],
    [{ name: 'X', neverUsedSeconds: 0 }, [['/neverUsedSeconds', /at least 1 second/]]],
    [{ name: 'X', aloneSeconds: 1.5 }, [['/aloneSeconds', /whole number/]]],
    [{ name: 'X', emptySeconds: 1e12 }, [['/emptySeconds', /at most 86400/]]],
    [{ name: 'X', colour: 'red' }, [['/colour', /not a known field/]]],
    [{ name: 'X', 'a/b~c': 1 }, [['/a~1b~0c', /not a known field$/]]],
    [{ name: 'X', max_participants: 5 }, [['/max_participants', /did you mean maxParticipants\?/]]],
    [{ name: 'X', numberWanted: { contry: 'DE' } }, [['/numberWanted/contry', /did you mean country\?/]]],
    [
      { nmae: 'X', maxParticipants: 0 },
      [
        ['/name', /is required/],
        ['/maxParticipants', /at least 2/],
        ['/nmae', /not a known field: did you mean name\?/],
      ],
    ],
    ['[]', [['', /must be a JSON object/]]],
    ['null', [['', /must be a JSON object/]]],
    ['"name"', [['', /must be a JSON object/]]],
    ['{"name":', [['', /not valid JSON/]]],
    ['{"__proto__":{"name":"X"}}', [['', /not valid JSON/]]],
    ['', [['', /must be a JSON object/]]],
  ] as const)('reports every invalid field of %j', async (body, issues) => {
    const reply = await requestUnchanged('POST', '/v1/rooms', { body });
    expect([reply.status, reply.body.reason]).toEqual([422, 'invalid-body']);
    expect(reply.body.errors).toEqual(
      issues.map(([pointer, detail]) => ({ pointer, detail: expect.stringMatching(detail) })),
    );
    expect(reply.body.fix).toEqual(expect.any(String));
  });

  it.each([
    ['tokens', {}, '/name'],
    ['tokens', { name: 'X', role: 'king' }, '/role'],
    ['participants', {}, '/phone'],
    ['participants', { phone: 442079460018 }, '/phone'],
    ['participants', { phone: '+442079460018', name: '' }, '/name'],
    ['participants', { phone: '+442079460018', from: '+1' }, '/from'],
  ])('of %s is rejected: %j', async (what, body, pointer) => {
    const reply = await requestUnchanged('POST', `${room}/${what}`, { body });
    expect([reply.status, reply.body.reason, reply.body.errors[0].pointer]).toEqual([422, 'invalid-body', pointer]);
  });

  it('is rejected if it is missing', async () => {
    const reply = await requestUnchanged('POST', '/v1/rooms');
    expect([reply.status, reply.body.detail]).toEqual([422, 'The body must be a JSON object.']);
  });
});

describe('text that Postgres cannot store', () => {
  const { paths, components } = openApi('0');
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, 'x_y'),
      operation,
    })),
  );

  it.each(
    operations.flatMap(({ method, path, operation }) =>
      (operation.parameters ?? [])
        .filter((each) => each.in === 'query')
        .map(({ name }) => [method, path, name] as const),
    ),
  )('is rejected by %s %s in %s', async (method, path, name) => {
    const { status, body } = await requestUnchanged(method, `${path}?${name}=%00`);
    expect([status, body.reason, body.errors[0].pointer.split('/')[1]]).toEqual([422, 'invalid-query', name]);
  });

  const resolve = (schema: JsonSchema): JsonSchema =>
    schema.$ref === undefined ? schema : (components.schemas[schema.$ref.replace(/.*\//, '')] ?? {});
  const isText = ({ type, anyOf = [] }: JsonSchema): boolean =>
    type === 'string' || anyOf.some((each) => resolve(each).type === 'string');
  /** Bodies with `bad` in one text field each, and in each name that a user can choose. */
  function* invalidBodies(schema: JsonSchema, bad: string): Generator<readonly [where: string, value: unknown]> {
    const { properties = {}, required = [], items, additionalProperties } = resolve(schema);
    const good = Object.fromEntries(required.map((name) => [name, resolve(properties[name] ?? {}).examples?.[0]]));
    if (isText(resolve(schema))) yield ['', bad];
    if (items !== undefined) for (const [where, value] of invalidBodies(items, bad)) yield [`/0${where}`, [value]];
    if (typeof additionalProperties === 'object')
      yield* [
        ['/a', { a: bad }],
        [`/${bad}`, { [bad]: 'a' }],
      ] as const;
    for (const [name, field] of Object.entries(properties))
      for (const [where, value] of invalidBodies(field, bad)) yield [`/${name}${where}`, { ...good, [name]: value }];
  }
  const bodies = operations.flatMap(({ method, path, operation }) =>
    Object.values(operation.requestBody?.content ?? {}).flatMap(({ schema }) =>
      ['\u0000', 'x\ud800'].flatMap((bad) =>
        [...invalidBodies(schema, bad)].map(([where, value]) => [method, path, JSON.stringify(where), value] as const),
      ),
    ),
  );
  it('is tested in more than sixty bodies', () => expect(bodies.length).toBeGreaterThan(60));

  it.each(bodies)('is rejected by %s %s in %s', async (method, path, _where, body) => {
    const { status } = await requestUnchanged(method, path, { body: body as object });
    expect([404, 422]).toContain(status);
  });
});

describe('request that matches no operation', () => {
  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/xml',
    'multipart/form-data; boundary=x',
    'nonsense',
  ])('with a body of type %s is rejected', async (type) => {
    const reply = await requestUnchanged('POST', '/v1/rooms', { body: '{"name":"X"}', type });
    expect([reply.status, reply.body.reason, reply.body.fix]).toEqual([
      415,
      'wrong-media-type',
      'Send content-type: application/json.',
    ]);
  });

  it('with a body above the size limit is rejected', async () => {
    const reply = await requestUnchanged('POST', '/v1/rooms', { body: { name: 'x'.repeat(70_000) } });
    expect([reply.status, reply.body.reason, reply.body.fix]).toEqual([
      413,
      'body-too-large',
      'Send at most 64 kB: shorten the longest fields, or send fewer items in each request.',
    ]);
  });

  it.each([
    '/',
    '/v1',
    '/v1/room',
    '/v2/rooms',
    '/v1/rooms/',
    '/v1/rooms/%zz',
    `/v1/rooms/${'x'.repeat(200)}`,
    '/v1/session',
  ])('to %s gets 404', async (path) => {
    const reply = await requestUnchanged('GET', path);
    expect([reply.status, reply.body.reason, reply.body.fix]).toEqual([404, 'route-not-found', expect.any(String)]);
  });

  it.each(['room_%00', '..%2f..', "room_'; DROP TABLE room; --", 'room_\u{1f4a5}'])(
    'with the id %s gets 404',
    async (id) => {
      for (const what of ['', '/live', '/participants'])
        expect((await requestUnchanged('GET', `/v1/rooms/${id}${what}`)).body.reason).toBe('room-not-found');
      for (const [what, body] of [
        ['tokens', { name: 'X' }],
        ['participants', { phone: '+442079460018' }],
        ['end', undefined],
      ] as const)
        expect((await requestUnchanged('POST', `/v1/rooms/${id}/${what}`, { body })).body.reason).toBe(
          'room-not-found',
        );
      expect((await requestUnchanged('GET', `/v1/sessions/${id}/events`)).body.reason).toBe('session-not-found');
    },
  );

  it.each([
    ['PUT', '/v1/rooms', 'POST, GET, HEAD'],
    ['PUT', '/v1/rooms/room_x', 'GET, HEAD, PATCH, DELETE'],
    ['GET', '/v1/rooms/room_x/end', 'POST'],
    ['PATCH', '/v1/rooms/room_x/participants', 'POST, GET, HEAD'],
    ['POST', '/v1/sessions/ses_x/events', 'GET, HEAD'],
    ['POST', '/v1/openapi.json', 'GET, HEAD'],
  ])('%s %s gets 405 with the allowed methods', async (method, path, allow) => {
    const reply = await requestUnchanged(method, path, { body: method === 'GET' ? undefined : '{not even JSON' });
    expect([reply.status, reply.body.reason, reply.headers.get('allow')?.split(', ').toSorted()]).toEqual([
      405,
      'method-not-allowed',
      allow.split(', ').toSorted(),
    ]);
  });
});
