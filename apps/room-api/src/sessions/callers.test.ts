import { makeLeg } from '@partyline/store/testing/fixtures';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
let sessionId: string;
const numbers = ['+447700900123', '+442079460018'] as const;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
  const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
  sessionId = body.session.id;
  const room = { tenantId: 'ten_ours', roomId: body.room.id as string, sessionId };
  await makeLeg(harness.store, room, { kind: 'inbound', state: 'joined', remote: numbers[0] });
  await makeLeg(harness.store, room, { kind: 'outbound', state: 'joined', remote: numbers[1] });
  await makeLeg(harness.store, room, { kind: 'inbound', state: 'joined', remote: 'anonymous' });
  await makeLeg(harness.store, room, { kind: 'webrtc', state: 'joined' });
});
afterAll(() => harness.stop());

const createKey = async (scopes: readonly string[]): Promise<{ key: string; id: string }> => {
  const { body } = await harness.request('POST', '/v1/keys', { body: { label: 'Key', scopes } });
  return { key: body.key, id: body.apiKey.id };
};
const auditEntries = async () => (await harness.request('GET', '/v1/audit?operation=listSessionCallers')).body.entries;

it('shows the full phone numbers of a session to a key with callers:read, and audits each read', async () => {
  const { key, id } = await createKey(['callers:read']);
  const { status, body } = await harness.request('GET', `/v1/sessions/${sessionId}/callers`, { key });
  expect([status, body.callers.map((each: { number: string }) => each.number), body.complete]).toEqual([
    200,
    [...numbers],
    true,
  ]);
  const entries = await auditEntries();
  expect(entries).toMatchObject([
    { operation: 'listSessionCallers', actor: { kind: 'key', id }, targets: { sessionId }, status: 200 },
  ]);
  expect(JSON.stringify(entries)).not.toContain(numbers[0].slice(4));
  await harness.request('GET', `/v1/sessions/${sessionId}/callers`, { key });
  expect(await auditEntries()).toHaveLength(2);
});

it('rejects every other scope, shows no number, and audits no other read', async () => {
  const before = (await auditEntries()).length;
  const { key } = await createKey(['rooms:read', 'rooms:write', 'calls:write', 'events:read', 'keys:write']);
  const { status, body } = await harness.request('GET', `/v1/sessions/${sessionId}/callers`, { key });
  expect([status, body.reason]).toEqual([403, 'scope-missing']);
  const legs = await harness.request('GET', `/v1/sessions/${sessionId}/legs`, { key });
  for (const number of numbers) expect(JSON.stringify(legs.body)).not.toContain(number);
  expect(await auditEntries()).toHaveLength(before);
});

it('returns 404 for a session of another tenant, and records the attempt in the log of that tenant', async () => {
  const { status, body } = await harness.request('GET', `/v1/sessions/${sessionId}/callers`, {
    key: harness.keys.theirs,
  });
  expect([status, body.reason]).toEqual([404, 'session-not-found']);
  const theirs = await harness.request('GET', '/v1/audit?operation=listSessionCallers', { key: harness.keys.theirs });
  expect(theirs.body.entries).toMatchObject([{ status: 404, reason: 'session-not-found' }]);
});
