import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NUMBER, setStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
afterEach(() => stage.fresh());
afterAll(() => stage.close());

describe('long polls', () => {
  it('end with 408 when the time is up', async () => {
    await expect(stage.client.awaitLegsUp(1, { timeoutMs: 5 })).rejects.toMatchObject({ status: 408 });
  });

  it('end at once with 410 when the call is over and the event never came', async () => {
    stage.on.set('/answer', () => ({ json: [{ action: 'talk', text: 'no room for you' }] }));
    const { id } = await stage.client.dial({ from: '447700900001', to: NUMBER });
    await expect(stage.client.awaitJoined(id)).rejects.toMatchObject({ status: 410 });
    expect((await stage.client.awaitHeard(id)).text).toBe('no room for you');
  });

  it('give each prompt once to a client that asks again', async () => {
    const ask = { action: 'input', type: ['dtmf'], dtmf: { maxDigits: 1 }, eventUrl: [`${stage.hooksUrl}/dtmf`] };
    stage.on.set('/answer', () => ({ json: [{ action: 'talk', text: 'first', bargeIn: true }, ask] }));
    stage.on.set('/dtmf', () => ({ json: [{ action: 'talk', text: 'wrong, again', bargeIn: true }, ask] }));
    const { id } = await stage.client.dial({ from: '447700900001', to: NUMBER });
    const texts: (string | undefined)[] = [];
    for (const digit of ['1', '2', '3']) {
      texts.push((await stage.client.awaitPrompt(id)).text);
      await stage.client.key(id, digit);
    }
    expect(texts).toEqual(['first', 'wrong, again', 'wrong, again']);
  });

  it('wait for a phone to ring, and for a request to come in', async () => {
    const asked = stage.client.awaitRequest({ route: 'create-call' });
    const rung = stage.client.awaitRing('447700900200');
    await stage.vonage.voice.createOutboundCall({
      to: [{ type: 'phone', number: '447700900200' }],
      from: { type: 'phone', number: NUMBER },
      ncco: [{ action: 'conversation', name: 'r' }],
    } as never);
    expect(await asked).toMatchObject({ status: 201 });
    const { id } = await rung;
    await stage.client.awaitJoined(id);
    await stage.client.hangUp(id);
    await stage.client.awaitLegsUp(0);
  });
});

it('a phone that lets it ring is picked up when it is told to, once', async () => {
  await stage.client.setPhone('447700900201', { mode: 'no-answer' });
  await stage.vonage.voice.createOutboundCall({
    to: [{ type: 'phone', number: '447700900201' }],
    from: { type: 'phone', number: NUMBER },
    ncco: [{ action: 'conversation', name: 'r' }],
  } as never);
  const { id, state } = await stage.client.awaitRing('447700900201');
  expect(state).toBe('ringing');
  expect(await stage.client.answer(id)).toMatchObject({ state: 'answered' });
  await stage.client.awaitJoined(id);
  await expect(stage.client.answer(id)).rejects.toMatchObject({ status: 409 });
});

describe('what the control API refuses', () => {
  it('a number that is not linked, a person who is not there, a field it does not know', async () => {
    await expect(stage.client.dial({ from: '1', to: '15550009999' })).rejects.toMatchObject({ status: 404 });
    await expect(stage.client.caller('nobody')).rejects.toMatchObject({ status: 404 });
    await expect(stage.client.putConfig({ timings: { talkMs: 1 } as never })).rejects.toMatchObject({ status: 400 });
    await expect(stage.client.advanceClock(1)).rejects.toMatchObject({ status: 409 });
  });

  it('forgets everything but the configuration on reset', async () => {
    stage.on.set('/answer', () => ({ json: [{ action: 'conversation', name: 'r' }] }));
    await stage.client.dial({ from: '1', to: NUMBER });
    await stage.client.setFaults({ switches: { dtmfForm: 'legacy' } });
    await stage.client.reset();
    expect(await stage.client.ledger()).toMatchObject({ legs: [], up: 0 });
    expect([
      await stage.client.webhookLog(),
      await stage.client.callers(),
      (await stage.client.faults()).switches.dtmfForm,
    ]).toEqual([[], [], 'by-type']);
    expect((await stage.client.config()).numbers).toHaveLength(1);
  });
});
