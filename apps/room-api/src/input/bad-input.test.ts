import { openApi, type JsonSchema } from '@partyline/contracts/openapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agreeable, startStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
let room: string;
beforeAll(async () => {
  stage = await startStage(() => agreeable);
  room = `/v1/rooms/${(await stage.ask('POST', '/v1/rooms', { body: { name: 'Room' } })).body.room.id}`;
});
afterAll(() => stage.stop());

/** Asks, and makes sure that nothing came of it. */
async function refused(...[method, path, given]: Parameters<Stage['ask']>) {
  const before = await stage.counts();
  const reply = await stage.ask(method, path, given);
  expect(await stage.counts()).toEqual(before);
  return reply;
}

describe('a body that is not as it should be', () => {
  it.each([
    [{}, [['/name', /expected string/]]],
    [{ name: '' }, [['/name', /must not be empty/]]],
    [{ name: '   ' }, [['/name', /must not be empty/]]],
    [{ name: 7 }, [['/name', /expected string/]]],
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
    [{ name: 'X', 'a/b~c': 1 }, [['/a~1b~0c', /not a known field/]]],
    [
      { nmae: 'X', maxParticipants: 0 },
      [
        ['/name', /expected string/],
        ['/maxParticipants', /at least 2/],
        ['/nmae', /not a known field/],
      ],
    ],
    ['[]', [['', /must be a JSON object/]]],
    ['null', [['', /must be a JSON object/]]],
    ['"name"', [['', /must be a JSON object/]]],
    ['{"name":', [['', /not JSON/]]],
    ['{"__proto__":{"name":"X"}}', [['', /not JSON/]]],
    ['', [['', /must be a JSON object/]]],
  ] as const)('%j names every wrong field', async (body, issues) => {
    const reply = await refused('POST', '/v1/rooms', { body });
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
  ])('%s refuses %j', async (what, body, pointer) => {
    const reply = await refused('POST', `${room}/${what}`, { body });
    expect([reply.status, reply.body.reason, reply.body.errors[0].pointer]).toEqual([422, 'invalid-body', pointer]);
  });

  it('is missing', async () => {
    const reply = await refused('POST', '/v1/rooms');
    expect([reply.status, reply.body.detail]).toEqual([422, 'The body must be a JSON object.']);
  });
});

describe('text that the database cannot hold', () => {
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
  )('is refused by %s %s in %s', async (method, path, name) => {
    const { status, body } = await refused(method, `${path}?${name}=%00`);
    expect([status, body.reason, body.errors[0].pointer.split('/')[1]]).toEqual([422, 'invalid-query', name]);
  });

  const whole = (schema: JsonSchema): JsonSchema =>
    schema.$ref === undefined ? schema : (components.schemas[schema.$ref.replace(/.*\//, '')] ?? {});
  const isText = ({ type, anyOf = [] }: JsonSchema): boolean =>
    type === 'string' || anyOf.some((each) => whole(each).type === 'string');
  /** A body with `bad` in each of its texts in turn, and in the names that one may choose. */
  function* spoilt(schema: JsonSchema, bad: string): Generator<readonly [where: string, value: unknown]> {
    const { properties = {}, required = [], items, additionalProperties } = whole(schema);
    const good = Object.fromEntries(required.map((name) => [name, whole(properties[name] ?? {}).examples?.[0]]));
    if (isText(whole(schema))) yield ['', bad];
    if (items !== undefined) for (const [where, value] of spoilt(items, bad)) yield [`/0${where}`, [value]];
    if (typeof additionalProperties === 'object')
      yield* [
        ['/a', { a: bad }],
        [`/${bad}`, { [bad]: 'a' }],
      ] as const;
    for (const [name, field] of Object.entries(properties))
      for (const [where, value] of spoilt(field, bad)) yield [`/${name}${where}`, { ...good, [name]: value }];
  }
  const bodies = operations.flatMap(({ method, path, operation }) =>
    Object.values(operation.requestBody?.content ?? {}).flatMap(({ schema }) =>
      ['\u0000', 'x\ud800'].flatMap((bad) =>
        [...spoilt(schema, bad)].map(([where, value]) => [method, path, JSON.stringify(where), value] as const),
      ),
    ),
  );
  it('is looked for in every body', () => expect(bodies.length).toBeGreaterThan(60));

  it.each(bodies)('is refused by %s %s in %s', async (method, path, _where, body) => {
    const { status } = await refused(method, path, { body: body as object });
    expect([404, 422]).toContain(status);
  });
});

describe('a request that is not one of the API’s', () => {
  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/xml',
    'multipart/form-data; boundary=x',
    'nonsense',
  ])('refuses a body that is %s', async (type) => {
    const reply = await refused('POST', '/v1/rooms', { body: '{"name":"X"}', type });
    expect([reply.status, reply.body.reason, reply.body.fix]).toEqual([
      415,
      'wrong-media-type',
      'Send content-type: application/json.',
    ]);
  });

  it('refuses a body that is too large', async () => {
    const reply = await refused('POST', '/v1/rooms', { body: { name: 'x'.repeat(70_000) } });
    expect([reply.status, reply.body.reason]).toEqual([413, 'body-too-large']);
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
  ])('has nothing at %s', async (path) => {
    const reply = await refused('GET', path);
    expect([reply.status, reply.body.reason, reply.body.fix]).toEqual([404, 'route-not-found', expect.any(String)]);
  });

  it.each(['room_%00', '..%2f..', "room_'; DROP TABLE room; --", 'room_💥'])('knows no room %s', async (id) => {
    for (const what of ['', '/live', '/participants'])
      expect((await refused('GET', `/v1/rooms/${id}${what}`)).body.reason).toBe('room-not-found');
    for (const [what, body] of [
      ['tokens', { name: 'X' }],
      ['participants', { phone: '+442079460018' }],
      ['end', undefined],
    ] as const)
      expect((await refused('POST', `/v1/rooms/${id}/${what}`, { body })).body.reason).toBe('room-not-found');
    expect((await refused('GET', `/v1/sessions/${id}/events`)).body.reason).toBe('session-not-found');
  });

  it.each([
    ['PUT', '/v1/rooms', 'POST, GET, HEAD'],
    ['PUT', '/v1/rooms/room_x', 'GET, HEAD, PATCH, DELETE'],
    ['GET', '/v1/rooms/room_x/end', 'POST'],
    ['PATCH', '/v1/rooms/room_x/participants', 'POST, GET, HEAD'],
    ['POST', '/v1/sessions/ses_x/events', 'GET, HEAD'],
    ['POST', '/v1/openapi.json', 'GET, HEAD'],
  ])('does not take %s %s and says what it takes', async (method, path, allow) => {
    const reply = await refused(method, path, { body: method === 'GET' ? undefined : '{not even JSON' });
    expect([reply.status, reply.body.reason, reply.headers.get('allow')?.split(', ').toSorted()]).toEqual([
      405,
      'method-not-allowed',
      allow.split(', ').toSorted(),
    ]);
  });
});
