import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { isBodyOptional, isWrite } from '@partyline/contracts/operation';
import { OPERATIONS } from '@partyline/contracts/operations';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
afterAll(() => harness.stop());

/** The headers with which clients announce an empty body. `fetch` sends only the first. */
const EMPTY_BODIES = {
  'content-length: 0': { 'content-length': '0' },
  'an empty chunked body': { 'transfer-encoding': 'chunked' },
  'neither length nor encoding': {},
} as const;

async function sendEmpty(method: string, path: string, headers: Readonly<Record<string, string>>, json = '') {
  const key = path.startsWith('/v1/operator/') ? harness.keys.operator : harness.keys.ours;
  const sent = request(harness.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
  });
  sent.useChunkedEncodingByDefault = false;
  sent.end(json);
  const [reply] = (await once(sent, 'response')) as [IncomingMessage];
  const text = Buffer.concat(await reply.toArray()).toString();
  return {
    status: reply.statusCode,
    body: JSON.parse(text) as { reason?: string; decided?: boolean; errors?: unknown },
  };
}

const withoutBody = OPERATIONS.filter((each) => isWrite(each) && (each.body === undefined || isBodyOptional(each)));

it('finds operations without a body, and with one of which no field is required', () => {
  const names = withoutBody.map(({ id }) => id);
  expect(names).toEqual(expect.arrayContaining(['endRoom', 'endSession', 'deleteRoom', 'rotatePins', 'rotateKey']));
  expect(names).not.toContain('createRoom');
});

it.each(
  withoutBody.flatMap(({ id, method, path }) =>
    Object.entries(EMPTY_BODIES).map(([name, headers]) => [id, name, method.toUpperCase(), path, headers] as const),
  ),
)('%s accepts a JSON content type with %s', async (_id, _name, method, path, headers) => {
  const { status, body } = await sendEmpty(method, path.replaceAll(/\{\w+\}/g, 'x_y'), headers);
  expect([400, 415, 422, 500]).not.toContain(status);
  expect(body.reason ?? '').not.toMatch(/body|media-type/);
});

const withoutFields = withoutBody.filter(({ body }) => body === undefined);

it.each(withoutFields.map(({ id, method, path }) => [id, method.toUpperCase(), path] as const))(
  '%s rejects an unknown field, and accepts a body without fields',
  async (_id, method, path) => {
    const send = (json: string) =>
      sendEmpty(method, path.replaceAll(/\{\w+\}/g, 'x_y'), { 'content-length': String(json.length) }, json);
    expect(await send('{"foo":1}')).toMatchObject({
      status: 422,
      body: { reason: 'invalid-body', errors: [{ pointer: '/foo', detail: 'is not a known field' }] },
    });
    expect(await send('[]')).toMatchObject({ status: 422, body: { reason: 'invalid-body' } });
    expect((await send('{}')).body.reason ?? '').not.toMatch(/body|media-type/);
  },
);

it.each(Object.entries(EMPTY_BODIES))(
  'an operation that needs a body names it as missing with %s',
  async (_, headers) => {
    const { status, body } = await sendEmpty('POST', '/v1/rooms', headers);
    expect([status, body]).toMatchObject([422, { reason: 'invalid-body', detail: 'The body must be a JSON object.' }]);
  },
);

it.each(Object.entries(EMPTY_BODIES))('a room is ended by a request with %s, and ended again', async (_, headers) => {
  const { body: made } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
  const path = `/v1/rooms/${made.room.id}/end`;
  const ended = { state: 'ended', sessionId: made.session.id };
  expect(await sendEmpty('POST', path, headers)).toEqual({ status: 202, body: { ...ended, decided: true } });
  expect(await sendEmpty('POST', path, headers)).toEqual({ status: 202, body: { ...ended, decided: false } });
});
