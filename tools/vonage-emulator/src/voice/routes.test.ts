import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NUMBER, startTestHarness, type Harness } from '../testing/test-harness.ts';

const MINUTE = 60_000;
let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness({ clock: 'virtual' });
});
afterEach(() => harness.reset());
afterAll(() => harness.close());

const TO = '447700900200';
const roomNcco = [{ action: 'conversation', name: 'hold' }];
const createCall = async (extra: object = {}): Promise<{ uuid: string }> =>
  await harness.vonage.voice.createOutboundCall({
    to: [{ type: 'phone', number: TO }],
    from: { type: 'phone', number: NUMBER },
    ncco: roomNcco,
    ...extra,
  } as never);
const statuses = (): unknown[] =>
  harness.hooks.filter((hook) => hook.path === '/event').map((hook) => hook.body.status ?? hook.body.type ?? 'error');
const failureStatus = async (request: Promise<unknown>): Promise<number | undefined> => {
  try {
    await request;
    return undefined;
  } catch (error) {
    return (error as { response?: { status: number } }).response?.status;
  }
};

describe('outbound calls by @vonage/server-sdk (contract, section 2)', () => {
  it('returns 201 with uuid and conversation, then sends ringing, answered, transfer, completed', async () => {
    const made = await createCall();
    expect(made).toMatchObject({
      status: 'started',
      direction: 'outbound',
      conversationUUID: expect.stringMatching(/^CON-/) as string,
    });
    await harness.client.advanceClock(10_000);
    expect((await harness.vonage.voice.getCall(made.uuid)).status).toBe('answered');
    await harness.vonage.voice.hangupCall(made.uuid);
    await harness.client.advanceClock(0);
    expect(statuses()).toEqual(['started', 'ringing', 'answered', 'transfer', 'completed']);
    const done = await harness.vonage.voice.getCall(made.uuid);
    expect(done).toMatchObject({
      status: 'completed',
      duration: '10',
      rate: '0.00798000',
      price: '0.00133000',
      network: '65512',
    });
    const completed = harness.hooks.at(-1)?.body;
    expect(completed).toMatchObject({
      status: 'completed',
      duration: '10',
      price: '0.00133000',
      disconnected_by: 'platform',
      direction: 'outbound',
    });
  });

  it.each([
    ['busy', ['started', 'ringing', 'busy', 'completed']],
    ['reject', ['started', 'ringing', 'rejected']],
    ['unavailable', ['started', 'ringing', 'unanswered', 'completed']],
    ['failed', ['started', 'failed', 'completed']],
    ['no-answer', ['started', 'ringing', 'timeout', 'completed']],
  ] as const)('reports the statuses of a phone with mode %s', async (mode, expected) => {
    await harness.client.setPhone(TO, { mode });
    await createCall();
    await harness.client.advanceClock(MINUTE);
    expect(statuses()).toEqual(expected);
    expect((await harness.client.ledger()).totalMicros).toBe(0);
  });

  it('sends the machine event with call_uuid and hangs up', async () => {
    await harness.client.setPhone(TO, { mode: 'machine' });
    const made = await createCall({ machineDetection: 'hangup' });
    await harness.client.advanceClock(1_000);
    const machine = harness.hooks.find((hook) => hook.body.status === 'machine')?.body;
    expect(machine).toMatchObject({ call_uuid: made.uuid });
    expect(machine).not.toHaveProperty('uuid');
    expect((await harness.client.ledger()).up).toBe(0);
  });

  it('enforces length_timer (7200 s at most) and ringing_timer', async () => {
    await createCall({ lengthTimer: 7200 });
    await harness.client.advanceClock(7_199_000);
    expect((await harness.client.ledger()).up).toBe(1);
    await harness.client.advanceClock(2_000);
    expect((await harness.client.ledger()).up).toBe(0);
    expect(await failureStatus(createCall({ lengthTimer: 7201 }))).toBe(400);
    await harness.client.setPhone(TO, { mode: 'no-answer' });
    await createCall({ ringingTimer: 5 });
    await harness.client.advanceClock(5_000);
    expect((await harness.client.ledger()).up).toBe(0);
  });

  it('cancels a ringing call on hang-up, and returns 404 for an ended or unknown call', async () => {
    const made = await createCall();
    await harness.vonage.voice.hangupCall(made.uuid);
    await harness.client.advanceClock(0);
    expect(statuses()).toEqual(['started', 'cancelled', 'completed']);
    expect(await failureStatus(harness.vonage.voice.hangupCall(made.uuid))).toBe(404);
    expect(await failureStatus(harness.vonage.voice.getCall('unknown'))).toBe(404);
  });

  it('mutes, earmuffs, talks and plays digits', async () => {
    const { voice } = harness.vonage;
    const made = await createCall();
    await harness.client.advanceClock(1_000);
    await voice.muteCall(made.uuid);
    await voice.earmuffCall(made.uuid);
    expect((await harness.client.conversations())[0]?.members[0]).toMatchObject({ muted: true, earmuffed: true });
    await voice.unmuteCall(made.uuid);
    await voice.unearmuffCall(made.uuid);
    expect(await voice.playTTS(made.uuid, { action: 'talk', text: 'two minutes left' } as never)).toMatchObject({
      message: 'Talk started',
    });
    expect(await voice.streamAudio(made.uuid, 'https://example.com/a.mp3')).toMatchObject({
      message: 'Stream started',
    });
    await voice.stopTTS(made.uuid);
    expect(await voice.playDTMF(made.uuid, '12#')).toMatchObject({ message: 'DTMF sent' });
    const { calls } = await harness.client.phone(TO);
    expect(calls[0]?.timeline.map((one) => one.event)).toEqual([
      'ringing',
      'answered',
      'joined',
      'muted',
      'earmuffed',
      'unmuted',
      'unearmuffed',
      'heard',
      'heard',
      'dtmf-heard',
    ]);
  });

  it('transfers by NCCO and by URL', async () => {
    harness.replies.set('/other', () => ({ json: [{ action: 'conversation', name: 'third' }] }));
    const made = await createCall();
    await harness.client.advanceClock(1_000);
    await harness.vonage.voice.transferCallWithNCCO(made.uuid, [{ action: 'conversation', name: 'second' }] as never);
    await harness.client.advanceClock(0);
    expect((await harness.client.conversations()).map((one) => one.name)).toEqual(['second']);
    await harness.vonage.voice.transferCallWithURL(made.uuid, `${harness.hooksUrl}/other`);
    await harness.client.advanceClock(0);
    expect((await harness.client.conversations()).map((one) => one.name)).toEqual(['third']);
    expect((await harness.client.ledger()).up).toBe(1);
  });

  it("sends a call's events to its event_url, and retries after a 503", async () => {
    harness.replies.set('/own', (hook) => ({ status: hook.body.status === 'ringing' ? 503 : 200 }));
    await createCall({ eventUrl: [`${harness.hooksUrl}/own`] });
    await harness.client.advanceClock(1_000);
    expect(harness.hooks.map((hook) => [hook.path, hook.body.status ?? hook.body.type])).toEqual(
      ['started', 'ringing', 'ringing', 'answered', 'transfer'].map((one) => ['/own', one]),
    );
  });

  it('runs the NCCO of an answer_url when the phone answers', async () => {
    harness.replies.set('/outbound', () => ({ json: roomNcco }));
    const made = await createCall({ ncco: undefined, answerUrl: [`${harness.hooksUrl}/outbound`] });
    await harness.client.advanceClock(1_000);
    expect((await harness.client.conversations())[0]?.members[0]?.callId).toBe(made.uuid);
  });

  it('pages with an absolute next.href, which getAllCalls needs', async () => {
    for (let made = 0; made < 12; made += 1) await createCall();
    const found: string[] = [];
    for await (const one of harness.vonage.voice.getAllCalls()) found.push(one.uuid);
    expect(new Set(found).size).toBe(12);
    const page = await harness.vonage.voice.search({ status: 'completed' } as never);
    expect(page).toMatchObject({ count: 0 });
  });

  it('rejects a call without from, without an NCCO, or with an invalid NCCO', async () => {
    expect(await failureStatus(createCall({ from: undefined }))).toBe(400);
    expect(await failureStatus(createCall({ ncco: undefined }))).toBe(400);
    expect(await failureStatus(createCall({ ncco: [{ action: 'conversation' }] }))).toBe(400);
    expect(
      await failureStatus(
        createCall({ ncco: undefined, answerUrl: [`${harness.hooksUrl}/a`], randomFromNumber: true, from: undefined }),
      ),
    ).toBeUndefined();
  });

  it('returns 401 without a token', async () => {
    expect((await fetch(`${harness.emulator.url}/v1/calls`)).status).toBe(401);
  });
});

describe('rate limits (contract, section 7)', () => {
  it('accepts three new calls and fifteen other requests per second, and returns 429 to the rest', async () => {
    await harness.client.putConfig({ limits: { enabled: true } });
    const calls = await Promise.all(Array.from({ length: 4 }, () => failureStatus(createCall())));
    expect(calls.filter((one) => one === 429)).toHaveLength(1);
    const others = await Promise.all(
      Array.from({ length: 16 }, () => failureStatus(harness.vonage.voice.getCall('x'))),
    );
    expect(others.filter((one) => one === 429)).toHaveLength(1);
    await harness.client.advanceClock(1_000);
    expect(await failureStatus(createCall())).toBeUndefined();
    await harness.client.putConfig({ limits: { enabled: false } });
  });
});
