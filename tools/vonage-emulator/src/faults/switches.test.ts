import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NUMBER, startTestHarness, type Harness } from '../testing/test-harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness({ clock: 'virtual' });
});
afterEach(() => harness.reset());
afterAll(() => harness.close());

const TO = '447700900200';
const createCall = (): Promise<{ uuid: string }> =>
  harness.vonage.voice.createOutboundCall({
    to: [{ type: 'phone', number: TO }],
    from: { type: 'phone', number: NUMBER },
    ncco: [{ action: 'conversation', name: 'hold' }],
  } as never);
const events = (): Record<string, unknown>[] =>
  harness.hooks.filter((hook) => hook.path === '/event' && 'status' in hook.body).map((hook) => hook.body);

it('numericFields: sends rate, price and duration as numbers', async () => {
  await harness.client.setFaults({ switches: { numericFields: true } });
  const { uuid } = await createCall();
  await harness.client.advanceClock(10_000);
  await harness.vonage.voice.hangupCall(uuid);
  await harness.client.advanceClock(0);
  expect(events().at(-1)).toMatchObject({ status: 'completed', duration: 10, rate: 0.00798, price: 0.00133 });
  expect(await harness.vonage.voice.getCall(uuid)).toMatchObject({ duration: 10, rate: 0.00798, price: 0.00133 });
});

describe('GET /v1/calls', () => {
  const list = (): Promise<{ count: number; _links: { next?: { href: string } } }> =>
    harness.vonage.voice.search({ pageSize: 2 }) as never;

  it.each([
    ['total', 3],
    ['page', 2],
    ['zero', 0],
  ] as const)('listCount %s: counts %d of three calls on a page of two', async (listCount, count) => {
    for (let made = 0; made < 3; made += 1) await createCall();
    await harness.client.setFaults({ switches: { listCount } });
    expect((await list()).count).toBe(count);
  });

  it('halLinks relative: links have no host', async () => {
    for (let made = 0; made < 3; made += 1) await createCall();
    expect((await list())._links.next?.href).toMatch(/^http:/);
    await harness.client.setFaults({ switches: { halLinks: 'relative' } });
    expect((await list())._links.next?.href).toMatch(/^\/v1\/calls\?/);
  });
});

describe('eventDelivery', () => {
  // A virtual clock would wait for the reply that the test holds back.
  let live: Harness;
  beforeAll(async () => {
    live = await startTestHarness();
  });
  afterAll(() => live.close());

  it.each([
    ['sequential', 0],
    ['overlapping', 1],
  ] as const)('%s: sends %d ringing events before the reply to started', async (eventDelivery, ringing) => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    live.waits.set('/event', (hook) => (hook.body.status === 'started' ? held : undefined));
    await live.client.setFaults({ switches: { eventDelivery } });
    await live.vonage.voice.createOutboundCall({
      to: [{ type: 'phone', number: TO }],
      from: { type: 'phone', number: NUMBER },
      ncco: [{ action: 'conversation', name: 'hold' }],
    } as never);
    const { id } = await live.client.awaitRing(TO);
    await live.client.awaitJoined(id);
    if (ringing > 0) await live.client.awaitWebhook({ event: 'ringing' });
    expect(await live.client.webhookLog({ event: 'ringing' })).toHaveLength(ringing);
    expect(await live.client.webhookLog({ event: 'started' })).toMatchObject([{ outcome: 'pending' }]);
    release();
    await live.client.awaitWebhook({ event: 'transfer' });
    await live.reset();
  });
});

it('simultaneousEventsMs: gives close events the same timestamp', async () => {
  await createCall();
  await harness.client.advanceClock(5);
  const times = (): unknown[] => events().map(({ timestamp }) => timestamp);
  expect(new Set(times()).size).toBeGreaterThan(1);
  harness.hooks.length = 0;
  await harness.client.setFaults({ switches: { simultaneousEventsMs: 1_000 } });
  await createCall();
  await harness.client.advanceClock(5);
  expect([events().length > 1, new Set(times()).size]).toEqual([true, 1]);
});

it('detail: reports the configured word of a call that is not answered', async () => {
  await harness.client.setPhone(TO, { mode: 'reject', detail: 'restricted' });
  await createCall();
  await harness.client.advanceClock(1_000);
  expect(events().at(-1)).toMatchObject({ status: 'rejected', detail: 'restricted' });
});

it('html-no-effect: answers a hang-up with HTML and leaves the call live', async () => {
  const { uuid } = await createCall();
  await harness.client.advanceClock(1_000);
  await harness.client.setFaults({ rest: [{ route: 'hangup', fault: 'html-no-effect' }] });
  await harness.vonage.voice.hangupCall(uuid).catch(() => undefined);
  expect((await harness.client.restLog({ route: 'hangup' }))[0]).toMatchObject({
    status: 200,
    fault: 'html-no-effect',
  });
  expect((await harness.client.ledger()).up).toBe(1);
});
