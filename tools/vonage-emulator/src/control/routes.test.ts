import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NUMBER, startTestHarness, type Harness } from '../testing/test-harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness();
});
afterEach(() => harness.reset());
afterAll(() => harness.close());

describe('long polls', () => {
  it('reject with 408 at the timeout', async () => {
    await expect(harness.client.awaitLegsUp(1, { timeoutMs: 5 })).rejects.toMatchObject({ status: 408 });
  });

  it('reject with 410 at once when the call has ended without the event', async () => {
    harness.replies.set('/answer', () => ({ json: [{ action: 'talk', text: 'no room for you' }] }));
    const { id } = await harness.client.dial({ from: '447700900001', to: NUMBER });
    await expect(harness.client.awaitJoined(id)).rejects.toMatchObject({ status: 410 });
    expect((await harness.client.awaitHeard(id)).text).toBe('no room for you');
  });

  it('return each prompt once to a client that awaits again', async () => {
    const digitInput = {
      action: 'input',
      type: ['dtmf'],
      dtmf: { maxDigits: 1 },
      eventUrl: [`${harness.hooksUrl}/dtmf`],
    };
    harness.replies.set('/answer', () => ({ json: [{ action: 'talk', text: 'first', bargeIn: true }, digitInput] }));
    harness.replies.set('/dtmf', () => ({
      json: [{ action: 'talk', text: 'wrong, again', bargeIn: true }, digitInput],
    }));
    const { id } = await harness.client.dial({ from: '447700900001', to: NUMBER });
    const texts: (string | undefined)[] = [];
    for (const digit of ['1', '2', '3']) {
      texts.push((await harness.client.awaitPrompt(id)).text);
      await harness.client.key(id, digit);
    }
    expect(texts).toEqual(['first', 'wrong, again', 'wrong, again']);
  });

  it('wait for a call to a phone, and for a REST request', async () => {
    const createCallRequest = harness.client.awaitRequest({ route: 'create-call' });
    const ringingPhone = harness.client.awaitRing('447700900200');
    await harness.vonage.voice.createOutboundCall({
      to: [{ type: 'phone', number: '447700900200' }],
      from: { type: 'phone', number: NUMBER },
      ncco: [{ action: 'conversation', name: 'r' }],
    } as never);
    expect(await createCallRequest).toMatchObject({ status: 201 });
    const { id } = await ringingPhone;
    await harness.client.awaitJoined(id);
    await harness.client.hangUp(id);
    await harness.client.awaitLegsUp(0);
  });
});

it('answers a ringing phone of mode no-answer once', async () => {
  await harness.client.setPhone('447700900201', { mode: 'no-answer' });
  await harness.vonage.voice.createOutboundCall({
    to: [{ type: 'phone', number: '447700900201' }],
    from: { type: 'phone', number: NUMBER },
    ncco: [{ action: 'conversation', name: 'r' }],
  } as never);
  const { id, state } = await harness.client.awaitRing('447700900201');
  expect(state).toBe('ringing');
  expect(await harness.client.answer(id)).toMatchObject({ state: 'answered' });
  await harness.client.awaitJoined(id);
  await expect(harness.client.answer(id)).rejects.toMatchObject({ status: 409 });
});

describe('the control API', () => {
  it('rejects an unlinked number, an unknown person, an unknown field and advancing a real clock', async () => {
    await expect(harness.client.dial({ from: '1', to: '15550009999' })).rejects.toMatchObject({ status: 404 });
    await expect(harness.client.caller('unknown')).rejects.toMatchObject({ status: 404 });
    await expect(harness.client.putConfig({ timings: { talkMs: 1 } as never })).rejects.toMatchObject({ status: 400 });
    await expect(harness.client.advanceClock(1)).rejects.toMatchObject({ status: 409 });
  });

  it('keeps only the configuration on reset', async () => {
    harness.replies.set('/answer', () => ({ json: [{ action: 'conversation', name: 'r' }] }));
    await harness.client.dial({ from: '1', to: NUMBER });
    await harness.client.setFaults({ switches: { dtmfForm: 'legacy' } });
    await harness.client.reset();
    expect(await harness.client.ledger()).toMatchObject({ legs: [], up: 0 });
    expect([
      await harness.client.webhookLog(),
      await harness.client.callers(),
      (await harness.client.faults()).switches.dtmfForm,
    ]).toEqual([[], [], 'by-type']);
    expect((await harness.client.config()).numbers).toHaveLength(1);
  });
});
