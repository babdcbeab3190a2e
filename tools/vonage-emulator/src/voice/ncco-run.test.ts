import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { APP, NUMBER, setStage, type Stage } from '../testing/test-harness.ts';
import { nccoSchema, parseNccoReply } from './ncco-schema.ts';

const SECOND = 1_000;
let stage: Stage;
beforeAll(async () => {
  stage = await setStage({ clock: 'virtual', timings: { talkMsPerCharacter: 100 } });
});
afterEach(() => stage.fresh());
afterAll(() => stage.close());

const answerWith = (...actions: object[]): void => void stage.on.set('/answer', () => ({ json: actions }));
const input = (options: object = {}): object => ({
  action: 'input',
  type: ['dtmf'],
  eventUrl: [`${stage.hooksUrl}/dtmf`],
  ...options,
});
const dial = async (from = '447700900001'): Promise<string> => {
  const { id } = await stage.client.dial({ from, to: NUMBER });
  await stage.client.advanceClock(0);
  return id;
};
const got = (path: string): Record<string, unknown>[] =>
  stage.hooks.filter((hook) => hook.path === path).map((hook) => hook.body);
const story = async (id: string): Promise<string[]> => (await stage.client.caller(id)).timeline.map((one) => one.event);
const up = async (): Promise<number> => (await stage.client.ledger()).up;

describe('the end of an NCCO is the end of the call (contract §4)', () => {
  it('runs actions in order and hangs up after the last', async () => {
    answerWith({ action: 'talk', text: '0123456789' }, { action: 'wait', timeout: 5 }, { action: 'talk', text: 'bye' });
    const id = await dial();
    await stage.client.advanceClock(1 * SECOND);
    expect(await story(id)).toEqual(['dialled', 'ringing', 'answered', 'heard']);
    await stage.client.advanceClock(5 * SECOND);
    expect((await stage.client.caller(id)).timeline.at(-1)).toMatchObject({ event: 'heard', text: 'bye' });
    await stage.client.advanceClock(1 * SECOND);
    expect(await stage.client.caller(id)).toMatchObject({ state: 'ended', endReason: 'ncco-complete' });
  });

  it('repeats a talk with loop, and for ever with loop 0', async () => {
    answerWith({ action: 'talk', text: '0123456789', loop: 3 });
    await dial();
    await stage.client.advanceClock(2.9 * SECOND);
    expect(await up()).toBe(1);
    await stage.client.advanceClock(0.2 * SECOND);
    expect(await up()).toBe(0);
    answerWith({ action: 'talk', text: 'x', loop: 0 });
    await dial();
    await stage.client.advanceClock(3_600 * SECOND);
    expect(await up()).toBe(1);
  });
});

describe('input', () => {
  it('posts the digits in the new form, and the reply replaces the rest', async () => {
    answerWith({ action: 'talk', text: 'PIN?', bargeIn: true }, input(), { action: 'talk', text: 'never said' });
    stage.on.set('/dtmf', () => ({ json: [{ action: 'conversation', name: 'r' }] }));
    const id = await dial();
    await stage.client.key(id, '1234');
    await stage.client.advanceClock(0);
    expect(got('/dtmf')[0]).toMatchObject({
      dtmf: { digits: '1234', timed_out: false },
      speech: { results: [] },
      to: NUMBER,
      from: '447700900001',
    });
    expect(await story(id)).toEqual(['dialled', 'ringing', 'answered', 'heard', 'prompt', 'keyed', 'joined']);
  });

  it('times out `timeOut` seconds after the last key, and the call flow continues', async () => {
    answerWith(input({ dtmf: { timeOut: 2, maxDigits: 6 } }), { action: 'talk', text: 'next' });
    const id = await dial();
    await stage.client.advanceClock(1.5 * SECOND);
    await stage.client.key(id, '1');
    await stage.client.advanceClock(1.5 * SECOND);
    expect(got('/dtmf')).toEqual([]);
    await stage.client.advanceClock(0.6 * SECOND);
    expect(got('/dtmf')[0]?.dtmf).toEqual({ digits: '1', timed_out: true });
    expect((await stage.client.caller(id)).timeline.at(-1)?.text).toBe('next');
  });

  it('submits on hash, leaving the hash out', async () => {
    answerWith(input({ dtmf: { maxDigits: 10, submitOnHash: true } }));
    const id = await dial();
    await stage.client.key(id, '77#');
    await stage.client.advanceClock(0);
    expect(got('/dtmf')[0]?.dtmf).toEqual({ digits: '77', timed_out: false });
  });

  it('speaks the legacy form to an input without a type, with its options at top level (contract §3)', async () => {
    answerWith({ action: 'input', maxDigits: 2, eventUrl: [`${stage.hooksUrl}/dtmf`] });
    const id = await dial();
    await stage.client.key(id, '42');
    await stage.client.advanceClock(0);
    expect(got('/dtmf')[0]).toMatchObject({ dtmf: '42', timed_out: false });
    expect(String(got('/dtmf')[0]?.conversation_uuid)).not.toMatch(/^CON-/);
  });

  it('takes keys during a barge-in prompt only', async () => {
    answerWith(
      { action: 'talk', text: 'no interruptions' },
      { action: 'talk', text: 'PIN please', bargeIn: true },
      { action: 'talk', text: 'skipped once keyed', bargeIn: true },
      input({ dtmf: { maxDigits: 2 } }),
    );
    const id = await dial();
    await stage.client.key(id, '9');
    await stage.client.advanceClock(1.6 * SECOND);
    await stage.client.key(id, '12');
    await stage.client.advanceClock(0);
    expect(got('/dtmf')[0]?.dtmf).toEqual({ digits: '12', timed_out: false });
    expect(
      (await stage.client.caller(id)).timeline.filter((one) => one.event === 'heard').map((one) => one.text),
    ).toEqual(['no interruptions', 'PIN please']);
  });

  it('sends asynchronous digits one at a time while the NCCO runs on', async () => {
    answerWith(input({ mode: 'asynchronous' }), { action: 'conversation', name: 'r' });
    const id = await dial();
    await stage.client.key(id, '12');
    await stage.client.advanceClock(0);
    expect(got('/dtmf').map((body) => body.dtmf)).toEqual([
      { digits: '1', timed_out: false },
      { digits: '2', timed_out: false },
    ]);
    expect(await story(id)).toContain('joined');
  });
});

describe('conversation', () => {
  it('meets the legs of one name, and tells the transfer into it', async () => {
    answerWith({ action: 'conversation', name: 'r' }, { action: 'talk', text: 'ignored' });
    const [one, two] = [await dial(), await dial('447700900002')];
    const [room] = await stage.client.conversations();
    expect(room?.members.map((member) => member.personId)).toEqual([one, two]);
    const transfer = got('/event').find((body) => body.type === 'transfer');
    expect(transfer).toMatchObject({ conversation_uuid_to: room?.uuid });
    expect(transfer).not.toHaveProperty('status');
    await stage.client.hangUp(one);
    expect(await up()).toBe(1);
    await stage.client.hangUp(two);
    expect(await stage.client.conversations()).toEqual([]);
  });

  it('keeps the names of two applications apart', async () => {
    const other = { id: `${APP.slice(0, -1)}2`, publicKey: 'none', answerUrl: `${stage.hooksUrl}/answer` };
    await stage.client.putConfig({
      applications: [other],
      numbers: [{ e164: '+15550001111', applicationId: other.id }],
    });
    answerWith({ action: 'conversation', name: 'same' });
    await dial();
    await stage.client.dial({ from: '447700900003', to: '+15550001111' });
    await stage.client.advanceClock(0);
    expect((await stage.client.conversations()).map((room) => room.members.length)).toEqual([1, 1]);
  });

  it('keeps legs waiting until one with startOnEnter comes', async () => {
    stage.on.set('/answer', (hook) => ({
      json: [{ action: 'conversation', name: 'r', startOnEnter: hook.query.from === '447700900009' }],
    }));
    const guest = await dial();
    expect((await story(guest)).at(-1)).toBe('waiting');
    await dial('447700900009');
    expect((await story(guest)).at(-1)).toBe('joined');
  });

  it('ends everyone when a leg with endOnExit leaves, and not otherwise', async () => {
    stage.on.set('/answer', (hook) => ({
      json: [{ action: 'conversation', name: 'r', endOnExit: hook.query.from === '447700900009' }],
    }));
    const guest = await dial();
    const host = await dial('447700900009');
    const third = await dial('447700900003');
    await stage.client.hangUp(guest);
    expect(await up()).toBe(2);
    await stage.client.hangUp(host);
    expect(await up()).toBe(0);
    expect(await stage.client.caller(third)).toMatchObject({ state: 'ended', endReason: 'conversation-ended' });
  });

  it('holds fifty people and no more', async () => {
    await stage.client.putConfig({ behaviour: { maxParticipants: 2 } });
    answerWith({ action: 'conversation', name: 'r' });
    for (const from of ['1', '2', '3']) await dial(from);
    expect(await up()).toBe(2);
    expect(got('/event').some((body) => body.reason === 'Conversation is full')).toBe(true);
    await stage.client.putConfig({ behaviour: { maxParticipants: 50 } });
  });

  it('tells what is heard by whoever waits, and who hears whom', async () => {
    answerWith({
      action: 'conversation',
      name: 'r',
      startOnEnter: false,
      musicOnHoldUrl: ['http://127.0.0.1/music.mp3'],
      canSpeak: [],
      canHear: ['x'],
    });
    const id = await dial();
    expect((await stage.client.caller(id)).timeline.at(-1)).toMatchObject({
      event: 'waiting',
      text: 'http://127.0.0.1/music.mp3',
    });
    expect((await stage.client.conversations())[0]?.members[0]).toMatchObject({ canSpeak: [], canHear: ['x'] });
  });

  it('moves a whole conversation with the transfer action', async () => {
    answerWith({ action: 'conversation', name: 'a' });
    await dial();
    const [target] = await stage.client.conversations();
    answerWith({ action: 'transfer', conversationId: target?.uuid });
    await dial('447700900002');
    expect((await stage.client.conversations()).map((room) => [room.name, room.members.length])).toEqual([['a', 2]]);
    // Whoever is with the leg that is told to goes along.
    answerWith({ action: 'conversation', name: 'b' });
    const { callId } = await stage.client.dial({ from: '447700900003', to: NUMBER });
    await dial('447700900004');
    await stage.vonage.voice.transferCallWithNCCO(callId, [
      { action: 'transfer', conversationId: target?.uuid },
    ] as never);
    await stage.client.advanceClock(0);
    expect((await stage.client.conversations()).map((room) => [room.name, room.members.length])).toEqual([['a', 4]]);
  });
});

describe('connect, notify, record, wait', () => {
  it('rings the endpoint, holds the caller to it, and ends both together', async () => {
    answerWith({ action: 'connect', endpoint: [{ type: 'phone', number: '15550002222' }], from: NUMBER, limit: 60 });
    const id = await dial();
    await stage.client.advanceClock(1 * SECOND);
    expect((await stage.client.phone('15550002222')).calls[0]?.state).toBe('answered');
    await stage.client.hangUp(id);
    expect(await up()).toBe(0);
    await dial();
    await stage.client.advanceClock(62 * SECOND);
    expect(await up()).toBe(0);
  });

  it('says that a connect over the limit of new calls was throttled, and goes on', async () => {
    await stage.client.putConfig({ limits: { enabled: true, callsPerSecond: 1 } });
    answerWith(...[1, 2].map(() => ({ action: 'connect', endpoint: [{ type: 'phone', number: '15550002222' }] })), {
      action: 'talk',
      text: 'over',
    });
    await stage.client.setPhone('15550002222', { mode: 'busy', afterMs: 1 });
    const id = await dial();
    await stage.client.advanceClock(10);
    expect(got('/event').find((body) => 'reason' in body)?.reason).toMatch(/^Throttled/);
    expect((await story(id)).at(-1)).toBe('heard');
    await stage.client.putConfig({ limits: { enabled: false, callsPerSecond: 3 } });
  });

  it('asks a synchronous event what to do when the endpoint does not answer', async () => {
    await stage.client.setPhone('15550002222', { mode: 'busy' });
    answerWith({
      action: 'connect',
      endpoint: [{ type: 'phone', number: '15550002222' }],
      eventType: 'synchronous',
      eventUrl: [`${stage.hooksUrl}/connect`],
    });
    stage.on.set('/connect', (hook) => ({
      json: hook.body.status === 'busy' ? [{ action: 'conversation', name: 'r' }] : undefined,
    }));
    const id = await dial();
    await stage.client.advanceClock(1 * SECOND);
    expect((await story(id)).at(-1)).toBe('joined');
  });

  it('replaces the NCCO by what a notify answers', async () => {
    answerWith(
      { action: 'notify', payload: { a: 1 }, eventUrl: [`${stage.hooksUrl}/notify`] },
      { action: 'talk', text: 'old' },
    );
    stage.on.set('/notify', () => ({ json: [{ action: 'talk', text: 'new' }] }));
    const id = await dial();
    expect(got('/notify')[0]).toMatchObject({ payload: { a: 1 } });
    expect((await stage.client.caller(id)).timeline.at(-1)?.text).toBe('new');
  });

  it('records until the end key and posts the recording without a status', async () => {
    answerWith({ action: 'record', endOnKey: '#', eventUrl: [`${stage.hooksUrl}/recording`] });
    const id = await dial();
    await stage.client.key(id, '#');
    await stage.client.advanceClock(0);
    expect(got('/recording')[0]).toHaveProperty('recording_url');
    expect(got('/recording')[0]).not.toHaveProperty('status');
  });
});

describe('what the platform refuses', () => {
  it.each([
    ['a conversation without a name', [{ action: 'conversation' }]],
    ['an unknown action', [{ action: 'dance' }]],
    ['an eventUrl that is no array', [{ action: 'input', type: ['dtmf'], eventUrl: 'http://x' }]],
    ['bargeIn without a later input', [{ action: 'talk', text: 'x', bargeIn: true }]],
    [
      'two endpoints',
      [
        {
          action: 'connect',
          endpoint: [
            { type: 'phone', number: '1' },
            { type: 'phone', number: '2' },
          ],
        },
      ],
    ],
    ['an empty list', []],
  ])('sends an error event for %s, and disconnects', async (_, ncco) => {
    stage.on.set('/answer', () => ({ json: ncco }));
    await dial();
    await stage.client.advanceClock(0);
    expect(got('/event').find((body) => 'reason' in body)).toMatchObject({
      reason: 'Syntax error in NCCO. Invalid value type or action.',
    });
    expect((await stage.client.ledger()).legs[0]).toMatchObject({ endReason: 'answer-invalid', chargeMicros: 0 });
  });

  it('continues the call flow after a bad reply to an input', async () => {
    answerWith(input({ dtmf: { maxDigits: 1 } }), { action: 'talk', text: 'goes on' });
    stage.on.set('/dtmf', () => ({ json: [{ action: 'conversation' }] }));
    const id = await dial();
    await stage.client.key(id, '1');
    await stage.client.advanceClock(0);
    expect((await stage.client.caller(id)).timeline.at(-1)?.text).toBe('goes on');
    expect(got('/event').some((body) => 'reason' in body)).toBe(true);
  });

  it('accepts music on hold as a string or a list, and reads non-JSON as no NCCO', () => {
    expect(nccoSchema.safeParse([{ action: 'conversation', name: 'x', musicOnHoldUrl: 'http://a' }]).success).toBe(
      true,
    );
    expect(nccoSchema.safeParse([{ action: 'conversation', name: 'x', musicOnHoldUrl: ['http://a'] }]).success).toBe(
      true,
    );
    expect(parseNccoReply('OK')).toEqual({ is: 'none' });
  });
});
