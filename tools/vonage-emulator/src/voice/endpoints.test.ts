import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NUMBER, startTestHarness, type Harness } from '../testing/test-harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness({ clock: 'virtual' });
});
afterEach(() => harness.reset());
afterAll(() => harness.close());

const FROM = { type: 'phone', number: NUMBER };
const createCall = (call: object): Promise<{ uuid: string }> =>
  harness.vonage.voice.createOutboundCall({
    from: FROM,
    ncco: [{ action: 'conversation', name: 'hold' }],
    ...call,
  } as never);
const failureStatus = async (request: Promise<unknown>): Promise<number | undefined> =>
  request.then(
    () => undefined,
    (error: { response?: { status: number } }) => error.response?.status,
  );

describe('POST /v1/calls by @vonage/server-sdk', () => {
  it.each([
    [{ type: 'websocket', uri: 'wss://example.com/socket', contentType: 'audio/l16;rate=16000', headers: { a: 'b' } }],
    [{ type: 'sip', uri: 'sip:ann@sip.example.com' }],
    [{ type: 'vbc', extension: '1234' }],
    [{ type: 'app', user: 'ann' }],
  ])('calls the endpoint %j', async (to) => {
    const { uuid } = await createCall({ to: [to] });
    await harness.client.advanceClock(1_000);
    const shown = await harness.vonage.voice.getCall(uuid);
    const { type, ...address } = to as { type: string; uri?: string; extension?: string; user?: string };
    expect(shown).toMatchObject({
      status: 'answered',
      to: { type, ...Object.fromEntries(Object.entries(address).filter(([name]) => !/content|headers/.test(name))) },
    });
    await harness.vonage.voice.hangupCall(uuid);
    expect((await harness.client.ledger()).up).toBe(0);
  });

  it('joins user and domain of a SIP endpoint, and rejects one with neither form or both', async () => {
    await harness.vonage.voice.search({});
    const authorization = (await harness.client.restLog({ route: 'list-calls' })).at(-1)?.headers.authorization ?? '';
    // Not by the SDK, which sends only the URI of a SIP endpoint.
    const post = (to: object): Promise<Response> =>
      fetch(`${harness.emulator.url}/v1/calls`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ to: [{ type: 'sip', ...to }], from: FROM, ncco: [{ action: 'talk', text: 'hi' }] }),
      });
    const made = await post({ user: 'ann', domain: 'sip.example.com' });
    const { uuid } = (await made.json()) as { uuid: string };
    expect([made.status, await harness.vonage.voice.getCall(uuid)]).toMatchObject([
      201,
      { to: { type: 'sip', uri: 'sip:ann@sip.example.com' } },
    ]);
    for (const to of [{ user: 'ann' }, { uri: 'sip:a@b', user: 'ann', domain: 'b' }, {}])
      expect((await post(to)).status).toBe(400);
  });

  it('rejects from together with random_from_number', async () => {
    const to = [{ type: 'phone', number: '447700900200' }];
    expect(await failureStatus(createCall({ to, randomFromNumber: true }))).toBe(400);
    expect(await failureStatus(createCall({ to, randomFromNumber: true, from: undefined }))).toBeUndefined();
  });
});

describe('machine detection', () => {
  const TO = '447700900201';
  const detection = (more: object) => ({
    to: [{ type: 'phone', number: TO }],
    advancedMachineDetection: { behavior: 'continue', mode: 'detect_beep', beepTimeout: 45, ...more },
  });
  const states = (): unknown[] =>
    harness.hooks
      .filter((hook) => ['human', 'machine'].includes(String(hook.body.status)))
      .map((hook) => [hook.body.status, hook.body.sub_state]);

  it('reports the beep of an answering machine', async () => {
    await harness.client.setPhone(TO, { mode: 'machine', beepAfterMs: 4_000 });
    await createCall(detection({}));
    await harness.client.advanceClock(10_000);
    expect(states()).toEqual([
      ['machine', undefined],
      ['machine', 'beep_start'],
    ]);
  });

  it('reports that no beep came in time', async () => {
    await harness.client.setPhone(TO, { mode: 'machine' });
    await createCall(detection({}));
    await harness.client.advanceClock(46_000);
    expect(states()).toEqual([
      ['machine', undefined],
      ['machine', 'beep_timeout'],
    ]);
  });

  it.each([{ beepTimeout: 10 }, { mode: 'bogus' }])('rejects the options %o with 400', async (options) => {
    expect(await failureStatus(createCall(detection(options)))).toBe(400);
  });

  it('reports a person once, and hangs up on a machine', async () => {
    await createCall(detection({}));
    await harness.client.advanceClock(50_000);
    expect(states()).toEqual([['human', undefined]]);
    await harness.client.setPhone(TO, { mode: 'machine' });
    const { uuid } = await createCall(detection({ behavior: 'hangup' }));
    await harness.client.advanceClock(1_000);
    expect(await harness.vonage.voice.getCall(uuid)).toMatchObject({ status: 'completed' });
  });
});
