import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NUMBER, setStage, type Stage } from '../testing/test-harness.ts';

const MINUTE = 60_000;
let stage: Stage;
beforeAll(async () => {
  stage = await setStage({ clock: 'virtual' });
});
afterEach(() => stage.fresh());
afterAll(() => stage.close());

const TO = '447700900200';
const hold = [{ action: 'conversation', name: 'hold' }];
const call = async (extra: object = {}): Promise<{ uuid: string }> =>
  await stage.vonage.voice.createOutboundCall({
    to: [{ type: 'phone', number: TO }],
    from: { type: 'phone', number: NUMBER },
    ncco: hold,
    ...extra,
  } as never);
const statuses = (): unknown[] =>
  stage.hooks.filter((hook) => hook.path === '/event').map((hook) => hook.body.status ?? hook.body.type ?? 'error');
const status = async (request: Promise<unknown>): Promise<number | undefined> => {
  try {
    await request;
    return undefined;
  } catch (error) {
    return (error as { response?: { status: number } }).response?.status;
  }
};

describe('outbound calls by @vonage/server-sdk (contract §2)', () => {
  it('answers 201 with uuid and conversation, then tells ringing, answered, transfer, completed', async () => {
    const made = await call();
    expect(made).toMatchObject({
      status: 'started',
      direction: 'outbound',
      conversationUUID: expect.stringMatching(/^CON-/) as string,
    });
    await stage.client.advanceClock(10_000);
    expect((await stage.vonage.voice.getCall(made.uuid)).status).toBe('answered');
    await stage.vonage.voice.hangupCall(made.uuid);
    await stage.client.advanceClock(0);
    expect(statuses()).toEqual(['started', 'ringing', 'answered', 'transfer', 'completed']);
    const done = await stage.vonage.voice.getCall(made.uuid);
    expect(done).toMatchObject({
      status: 'completed',
      duration: '10',
      rate: '0.00798000',
      price: '0.00133000',
      network: '65512',
    });
    const completed = stage.hooks.at(-1)?.body;
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
  ] as const)('reports a phone that is %s', async (mode, expected) => {
    await stage.client.setPhone(TO, { mode });
    await call();
    await stage.client.advanceClock(MINUTE);
    expect(statuses()).toEqual(expected);
    expect((await stage.client.ledger()).totalMicros).toBe(0);
  });

  it('tells human from machine by call_uuid', async () => {
    await stage.client.setPhone(TO, { mode: 'machine' });
    const made = await call({ machineDetection: 'hangup' });
    await stage.client.advanceClock(1_000);
    const machine = stage.hooks.find((hook) => hook.body.status === 'machine')?.body;
    expect(machine).toMatchObject({ call_uuid: made.uuid });
    expect(machine).not.toHaveProperty('uuid');
    expect((await stage.client.ledger()).up).toBe(0);
  });

  it('enforces length_timer (7200 s at most) and ringing_timer', async () => {
    await call({ lengthTimer: 7200 });
    await stage.client.advanceClock(7_199_000);
    expect((await stage.client.ledger()).up).toBe(1);
    await stage.client.advanceClock(2_000);
    expect((await stage.client.ledger()).up).toBe(0);
    expect(await status(call({ lengthTimer: 7201 }))).toBe(400);
    await stage.client.setPhone(TO, { mode: 'no-answer' });
    await call({ ringingTimer: 5 });
    await stage.client.advanceClock(5_000);
    expect((await stage.client.ledger()).up).toBe(0);
  });

  it('cancels a ringing call on hang-up, and gives 404 for one that is over or unknown', async () => {
    const made = await call();
    await stage.vonage.voice.hangupCall(made.uuid);
    await stage.client.advanceClock(0);
    expect(statuses()).toEqual(['started', 'cancelled', 'completed']);
    expect(await status(stage.vonage.voice.hangupCall(made.uuid))).toBe(404);
    expect(await status(stage.vonage.voice.getCall('nobody'))).toBe(404);
  });

  it('mutes, earmuffs, talks and plays digits', async () => {
    const { voice } = stage.vonage;
    const made = await call();
    await stage.client.advanceClock(1_000);
    await voice.muteCall(made.uuid);
    await voice.earmuffCall(made.uuid);
    expect((await stage.client.conversations())[0]?.members[0]).toMatchObject({ muted: true, earmuffed: true });
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
    const { calls } = await stage.client.phone(TO);
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
    stage.on.set('/other', () => ({ json: [{ action: 'conversation', name: 'third' }] }));
    const made = await call();
    await stage.client.advanceClock(1_000);
    await stage.vonage.voice.transferCallWithNCCO(made.uuid, [{ action: 'conversation', name: 'second' }] as never);
    await stage.client.advanceClock(0);
    expect((await stage.client.conversations()).map((one) => one.name)).toEqual(['second']);
    await stage.vonage.voice.transferCallWithURL(made.uuid, `${stage.hooksUrl}/other`);
    await stage.client.advanceClock(0);
    expect((await stage.client.conversations()).map((one) => one.name)).toEqual(['third']);
    expect((await stage.client.ledger()).up).toBe(1);
  });

  it("sends a call's own events to its event_url, and repeats one that meets a 503", async () => {
    stage.on.set('/own', (hook) => ({ status: hook.body.status === 'ringing' ? 503 : 200 }));
    await call({ eventUrl: [`${stage.hooksUrl}/own`] });
    await stage.client.advanceClock(1_000);
    expect(stage.hooks.map((hook) => [hook.path, hook.body.status ?? hook.body.type])).toEqual(
      ['started', 'ringing', 'ringing', 'answered', 'transfer'].map((one) => ['/own', one]),
    );
  });

  it('runs the NCCO of an answer_url when the phone answers', async () => {
    stage.on.set('/outbound', () => ({ json: hold }));
    const made = await call({ ncco: undefined, answerUrl: [`${stage.hooksUrl}/outbound`] });
    await stage.client.advanceClock(1_000);
    expect((await stage.client.conversations())[0]?.members[0]?.callId).toBe(made.uuid);
  });

  it('pages with an absolute next.href, so that getAllCalls works (contract §0.9)', async () => {
    for (let made = 0; made < 12; made += 1) await call();
    const found: string[] = [];
    for await (const one of stage.vonage.voice.getAllCalls()) found.push(one.uuid);
    expect(new Set(found).size).toBe(12);
    const page = await stage.vonage.voice.search({ status: 'completed' } as never);
    expect(page).toMatchObject({ count: 0 });
  });

  it('refuses a call without a from, without an NCCO, or with a broken one', async () => {
    expect(await status(call({ from: undefined }))).toBe(400);
    expect(await status(call({ ncco: undefined }))).toBe(400);
    expect(await status(call({ ncco: [{ action: 'conversation' }] }))).toBe(400);
    expect(
      await status(
        call({ ncco: undefined, answerUrl: [`${stage.hooksUrl}/a`], randomFromNumber: true, from: undefined }),
      ),
    ).toBeUndefined();
  });

  it('answers 401 without a token', async () => {
    expect((await fetch(`${stage.emulator.url}/v1/calls`)).status).toBe(401);
  });
});

describe('rate limits (contract §7)', () => {
  it('takes three new calls and fifteen other requests a second, and answers 429 to the rest', async () => {
    await stage.client.putConfig({ limits: { enabled: true } });
    const calls = await Promise.all(Array.from({ length: 4 }, () => status(call())));
    expect(calls.filter((one) => one === 429)).toHaveLength(1);
    const others = await Promise.all(Array.from({ length: 16 }, () => status(stage.vonage.voice.getCall('x'))));
    expect(others.filter((one) => one === 429)).toHaveLength(1);
    await stage.client.advanceClock(1_000);
    expect(await status(call())).toBeUndefined();
    await stage.client.putConfig({ limits: { enabled: false } });
  });
});
