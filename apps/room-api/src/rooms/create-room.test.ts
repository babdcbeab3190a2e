import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
afterAll(() => harness.stop());

describe('POST /v1/rooms', () => {
  it('returns the room, its session, PIN, client token and invitation', async () => {
    const { status, body } = await harness.request('POST', '/v1/rooms', {
      body: { name: 'Board meeting', hostName: 'Ada' },
    });
    expect(status).toBe(201);
    const { pin, pinSpaced, participantId, session } = body;
    expect(pin).toMatch(/^\d{9}$/);
    expect(pinSpaced).toBe(`${pin.slice(0, 3)} ${pin.slice(3, 6)} ${pin.slice(6)}`);
    expect(body).toMatchObject({
      room: { name: 'Board meeting', state: 'active', number: '+12025550100', endedAt: null },
      session: { state: 'open' },
      client: {
        kind: 'unified',
        application: 'app-1',
        mediaSessionId: `ms_${participantId}`,
        token: `token-of-${participantId}`,
      },
      number: '+12025550100',
      numbers: [{ number: '+12025550100', language: 'en-US' }],
      tapToCall: `tel:+12025550100,,${pin}`,
      invitation: [
        'Board meeting',
        'Phone: +12025550100',
        `PIN: ${pinSpaced} # (then the hash key)`,
        `One tap: tel:+12025550100,,${pin}`,
      ].join('\n'),
    });
    // By default, an unused session ends one hour after its room was created.
    expect(Date.parse(session.dueAt) - Date.parse(body.room.createdAt)).toBe(3_600_000);
    const roster = await harness.request('GET', `/v1/rooms/${body.room.id}/participants`);
    expect(roster.body.participants).toMatchObject([
      { id: participantId, name: 'Ada', kind: 'browser', state: 'invited', number: null },
    ]);
  });

  it('applies a default to every omitted setting and trims the name', async () => {
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: ' Padded ' } });
    expect(body.room).toMatchObject({
      name: 'Padded',
      bridge: 'auto',
      maxParticipants: 49,
      maxDurationSeconds: 14_400,
      neverUsedSeconds: 3_600,
      browsersLeftSeconds: 60,
      phonesLeftSeconds: null,
      aloneSeconds: 600,
      emptySeconds: 30,
    });
  });

  it('stores the given settings, and null disables a timeout', async () => {
    const settings = {
      bridge: 'always',
      maxParticipants: 2,
      maxDurationSeconds: 60,
      neverUsedSeconds: null,
      browsersLeftSeconds: 1,
      phonesLeftSeconds: 2,
      aloneSeconds: null,
      emptySeconds: null,
    };
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Set', ...settings } });
    expect(body.room).toMatchObject(settings);
    expect(Date.parse(body.session.dueAt) - Date.parse(body.room.createdAt)).toBe(60_000);
    expect((await harness.request('GET', `/v1/rooms/${body.room.id}`)).body.room).toEqual(body.room);
  });

  it('writes the invitation in the language of the dial-in number', async () => {
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Runde', number: '+4930555010' } });
    expect(body.numbers).toEqual([{ number: '+4930555010', language: 'de-DE' }]);
    expect(body.invitation).toBe(
      `Runde\nTelefon: +4930555010\nPIN: ${body.pinSpaced} # (dann die Rautetaste)\nMit einem Tipp: ${body.tapToCall}`,
    );
  });

  it('rejects an unknown dial-in number and stores nothing', async () => {
    const before = await harness.countRows();
    const { status, body } = await harness.request('POST', '/v1/rooms', {
      body: { name: 'X', number: '+442079460018' },
    });
    expect([status, body.reason, body.errors]).toEqual([
      422,
      'unknown-number',
      [{ pointer: '/number', detail: 'There is no such dial-in number, or you may not use it.' }],
    ]);
    expect(await harness.countRows()).toEqual(before);
  });

  it('returns 503 when the deployment has no dial-in number, and stores nothing', async () => {
    const { rows } = await harness.store.pool.query('DELETE FROM dial_in_number RETURNING *');
    const before = await harness.countRows();
    const { status, body } = await harness.request('POST', '/v1/rooms', { body: { name: 'X' } });
    for (const { e164, language, created_at } of rows)
      await harness.store.pool.query('INSERT INTO dial_in_number (e164, language, created_at) VALUES ($1, $2, $3)', [
        e164,
        language,
        created_at,
      ]);
    expect([status, body.reason]).toEqual([503, 'no-numbers']);
    expect(await harness.countRows()).toEqual(before);
  });
});
