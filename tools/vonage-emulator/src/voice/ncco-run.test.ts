import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { APP, NUMBER, startTestHarness, type Harness } from '../testing/test-harness.ts';
import { nccoSchema, parseNccoReply } from './ncco-schema.ts';

const SECOND = 1_000;
let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness({ clock: 'virtual', timings: { talkMsPerCharacter: 100 } });
});
afterEach(() => harness.reset());
afterAll(() => harness.close());

const answerWith = (...actions: object[]): void => void harness.replies.set('/answer', () => ({ json: actions }));
const input = (options: object = {}): object => ({
  action: 'input',
  type: ['dtmf'],
  eventUrl: [`${harness.hooksUrl}/dtmf`],
  ...options,
});
const dial = async (from = '447700900001'): Promise<string> => {
  const { id } = await harness.client.dial({ from, to: NUMBER });
  await harness.client.advanceClock(0);
  return id;
};
const receivedBodies = (path: string): Record<string, unknown>[] =>
  harness.hooks.filter((hook) => hook.path === path).map((hook) => hook.body);
const readTimeline = async (id: string): Promise<string[]> =>
  (await harness.client.caller(id)).timeline.map((one) => one.event);
const countLegsUp = async (): Promise<number> => (await harness.client.ledger()).up;

describe('startNcco (contract, section 4)', () => {
  it('runs actions in order and hangs up after the last one', async () => {
    answerWith({ action: 'talk', text: '0123456789' }, { action: 'wait', timeout: 5 }, { action: 'talk', text: 'bye' });
    const id = await dial();
    await harness.client.advanceClock(1 * SECOND);
    expect(await readTimeline(id)).toEqual(['dialled', 'ringing', 'answered', 'heard']);
    await harness.client.advanceClock(5 * SECOND);
    expect((await harness.client.caller(id)).timeline.at(-1)).toMatchObject({ event: 'heard', text: 'bye' });
    await harness.client.advanceClock(1 * SECOND);
    expect(await harness.client.caller(id)).toMatchObject({ state: 'ended', endReason: 'ncco-complete' });
  });

  it('repeats a talk with loop, and without end with loop 0', async () => {
    answerWith({ action: 'talk', text: '0123456789', loop: 3 });
    await dial();
    await harness.client.advanceClock(2.9 * SECOND);
    expect(await countLegsUp()).toBe(1);
    await harness.client.advanceClock(0.2 * SECOND);
    expect(await countLegsUp()).toBe(0);
    answerWith({ action: 'talk', text: 'x', loop: 0 });
    await dial();
    await harness.client.advanceClock(3_600 * SECOND);
    expect(await countLegsUp()).toBe(1);
  });
});

describe('input', () => {
  it('posts the digits in the new form, and the reply replaces the remaining actions', async () => {
    answerWith({ action: 'talk', text: 'PIN?', bargeIn: true }, input(), { action: 'talk', text: 'never said' });
    harness.replies.set('/dtmf', () => ({ json: [{ action: 'conversation', name: 'r' }] }));
    const id = await dial();
    await harness.client.key(id, '1234');
    await harness.client.advanceClock(0);
    expect(receivedBodies('/dtmf')[0]).toMatchObject({
      dtmf: { digits: '1234', timed_out: false },
      speech: { results: [] },
      to: NUMBER,
      from: '447700900001',
    });
    expect(await readTimeline(id)).toEqual(['dialled', 'ringing', 'answered', 'heard', 'prompt', 'keyed', 'joined']);
  });

  it('times out `timeOut` seconds after the last digit, and the call flow continues', async () => {
    answerWith(input({ dtmf: { timeOut: 2, maxDigits: 6 } }), { action: 'talk', text: 'next' });
    const id = await dial();
    await harness.client.advanceClock(1.5 * SECOND);
    await harness.client.key(id, '1');
    await harness.client.advanceClock(1.5 * SECOND);
    expect(receivedBodies('/dtmf')).toEqual([]);
    await harness.client.advanceClock(0.6 * SECOND);
    expect(receivedBodies('/dtmf')[0]?.dtmf).toEqual({ digits: '1', timed_out: true });
    expect((await harness.client.caller(id)).timeline.at(-1)?.text).toBe('next');
  });

  it('submits on hash and omits the hash', async () => {
    answerWith(input({ dtmf: { maxDigits: 10, submitOnHash: true } }));
    const id = await dial();
    await harness.client.key(id, '77#');
    await harness.client.advanceClock(0);
    expect(receivedBodies('/dtmf')[0]?.dtmf).toEqual({ digits: '77', timed_out: false });
  });

  it('posts the legacy form for an input without a type, with its options at the top level', async () => {
    answerWith({ action: 'input', maxDigits: 2, eventUrl: [`${harness.hooksUrl}/dtmf`] });
    const id = await dial();
    await harness.client.key(id, '42');
    await harness.client.advanceClock(0);
    expect(receivedBodies('/dtmf')[0]).toMatchObject({ dtmf: '42', timed_out: false });
    expect(String(receivedBodies('/dtmf')[0]?.conversation_uuid)).not.toMatch(/^CON-/);
  });

  it('accepts digits during a bargeIn prompt only', async () => {
    answerWith(
      { action: 'talk', text: 'no interruptions' },
      { action: 'talk', text: 'PIN please', bargeIn: true },
      { action: 'talk', text: 'skipped once keyed', bargeIn: true },
      input({ dtmf: { maxDigits: 2 } }),
    );
    const id = await dial();
    await harness.client.key(id, '9');
    await harness.client.advanceClock(1.6 * SECOND);
    await harness.client.key(id, '12');
    await harness.client.advanceClock(0);
    expect(receivedBodies('/dtmf')[0]?.dtmf).toEqual({ digits: '12', timed_out: false });
    expect(
      (await harness.client.caller(id)).timeline.filter((one) => one.event === 'heard').map((one) => one.text),
    ).toEqual(['no interruptions', 'PIN please']);
  });

  it('sends asynchronous digits one at a time while the NCCO continues', async () => {
    answerWith(input({ mode: 'asynchronous' }), { action: 'conversation', name: 'r' });
    const id = await dial();
    await harness.client.key(id, '12');
    await harness.client.advanceClock(0);
    expect(receivedBodies('/dtmf').map((body) => body.dtmf)).toEqual([
      { digits: '1', timed_out: false },
      { digits: '2', timed_out: false },
    ]);
    expect(await readTimeline(id)).toContain('joined');
  });
});

describe('conversation', () => {
  it('joins legs by name and sends a transfer event', async () => {
    answerWith({ action: 'conversation', name: 'r' }, { action: 'talk', text: 'ignored' });
    const [one, two] = [await dial(), await dial('447700900002')];
    const [room] = await harness.client.conversations();
    expect(room?.members.map((member) => member.personId)).toEqual([one, two]);
    const transfer = receivedBodies('/event').find((body) => body.type === 'transfer');
    expect(transfer).toMatchObject({ conversation_uuid_to: room?.uuid });
    expect(transfer).not.toHaveProperty('status');
    await harness.client.hangUp(one);
    expect(await countLegsUp()).toBe(1);
    await harness.client.hangUp(two);
    expect(await harness.client.conversations()).toEqual([]);
  });

  it('separates equal names of two applications', async () => {
    const other = { id: `${APP.slice(0, -1)}2`, publicKey: 'none', answerUrl: `${harness.hooksUrl}/answer` };
    await harness.client.putConfig({
      applications: [other],
      numbers: [{ e164: '+15550001111', applicationId: other.id }],
    });
    answerWith({ action: 'conversation', name: 'same' });
    await dial();
    await harness.client.dial({ from: '447700900003', to: '+15550001111' });
    await harness.client.advanceClock(0);
    expect((await harness.client.conversations()).map((room) => room.members.length)).toEqual([1, 1]);
  });

  it('keeps legs waiting until a leg with startOnEnter joins', async () => {
    harness.replies.set('/answer', (hook) => ({
      json: [{ action: 'conversation', name: 'r', startOnEnter: hook.query.from === '447700900009' }],
    }));
    const guest = await dial();
    expect((await readTimeline(guest)).at(-1)).toBe('waiting');
    await dial('447700900009');
    expect((await readTimeline(guest)).at(-1)).toBe('joined');
  });

  it('ends all members when a leg with endOnExit leaves, and only then', async () => {
    harness.replies.set('/answer', (hook) => ({
      json: [{ action: 'conversation', name: 'r', endOnExit: hook.query.from === '447700900009' }],
    }));
    const guest = await dial();
    const host = await dial('447700900009');
    const third = await dial('447700900003');
    await harness.client.hangUp(guest);
    expect(await countLegsUp()).toBe(2);
    await harness.client.hangUp(host);
    expect(await countLegsUp()).toBe(0);
    expect(await harness.client.caller(third)).toMatchObject({ state: 'ended', endReason: 'conversation-ended' });
  });

  it('rejects a member over maxParticipants', async () => {
    await harness.client.putConfig({ behaviour: { maxParticipants: 2 } });
    answerWith({ action: 'conversation', name: 'r' });
    for (const from of ['1', '2', '3']) await dial(from);
    expect(await countLegsUp()).toBe(2);
    expect(receivedBodies('/event').some((body) => body.reason === 'Conversation is full')).toBe(true);
    await harness.client.putConfig({ behaviour: { maxParticipants: 50 } });
  });

  it('reports the hold music of a waiting member, and canSpeak and canHear', async () => {
    answerWith({
      action: 'conversation',
      name: 'r',
      startOnEnter: false,
      musicOnHoldUrl: ['http://127.0.0.1/music.mp3'],
      canSpeak: [],
      canHear: ['x'],
    });
    const id = await dial();
    expect((await harness.client.caller(id)).timeline.at(-1)).toMatchObject({
      event: 'waiting',
      text: 'http://127.0.0.1/music.mp3',
    });
    expect((await harness.client.conversations())[0]?.members[0]).toMatchObject({ canSpeak: [], canHear: ['x'] });
  });

  it('moves a whole conversation with the transfer action', async () => {
    answerWith({ action: 'conversation', name: 'a' });
    await dial();
    const [target] = await harness.client.conversations();
    answerWith({ action: 'transfer', conversationId: target?.uuid });
    await dial('447700900002');
    expect((await harness.client.conversations()).map((room) => [room.name, room.members.length])).toEqual([['a', 2]]);
    // All legs of the transferred leg's conversation move with it.
    answerWith({ action: 'conversation', name: 'b' });
    const { callId } = await harness.client.dial({ from: '447700900003', to: NUMBER });
    await dial('447700900004');
    await harness.vonage.voice.transferCallWithNCCO(callId, [
      { action: 'transfer', conversationId: target?.uuid },
    ] as never);
    await harness.client.advanceClock(0);
    expect((await harness.client.conversations()).map((room) => [room.name, room.members.length])).toEqual([['a', 4]]);
  });
});

describe('connect, notify, record, wait', () => {
  it('connect: calls the endpoint, limits its duration, and ends it with the caller', async () => {
    answerWith({ action: 'connect', endpoint: [{ type: 'phone', number: '15550002222' }], from: NUMBER, limit: 60 });
    const id = await dial();
    await harness.client.advanceClock(1 * SECOND);
    expect((await harness.client.phone('15550002222')).calls[0]?.state).toBe('answered');
    await harness.client.hangUp(id);
    expect(await countLegsUp()).toBe(0);
    await dial();
    await harness.client.advanceClock(62 * SECOND);
    expect(await countLegsUp()).toBe(0);
  });

  it('connect: sends an error event over the call rate limit, and continues', async () => {
    await harness.client.putConfig({ limits: { enabled: true, callsPerSecond: 1 } });
    answerWith(...[1, 2].map(() => ({ action: 'connect', endpoint: [{ type: 'phone', number: '15550002222' }] })), {
      action: 'talk',
      text: 'over',
    });
    await harness.client.setPhone('15550002222', { mode: 'busy', afterMs: 1 });
    const id = await dial();
    await harness.client.advanceClock(10);
    expect(receivedBodies('/event').find((body) => 'reason' in body)?.reason).toMatch(/^Throttled/);
    expect((await readTimeline(id)).at(-1)).toBe('heard');
    await harness.client.putConfig({ limits: { enabled: false, callsPerSecond: 3 } });
  });

  it('connect: runs the NCCO of a synchronous event when the endpoint does not answer', async () => {
    await harness.client.setPhone('15550002222', { mode: 'busy' });
    answerWith({
      action: 'connect',
      endpoint: [{ type: 'phone', number: '15550002222' }],
      eventType: 'synchronous',
      eventUrl: [`${harness.hooksUrl}/connect`],
    });
    harness.replies.set('/connect', (hook) => ({
      json: hook.body.status === 'busy' ? [{ action: 'conversation', name: 'r' }] : undefined,
    }));
    const id = await dial();
    await harness.client.advanceClock(1 * SECOND);
    expect((await readTimeline(id)).at(-1)).toBe('joined');
  });

  it('notify: replaces the NCCO with the one in the reply', async () => {
    answerWith(
      { action: 'notify', payload: { a: 1 }, eventUrl: [`${harness.hooksUrl}/notify`] },
      { action: 'talk', text: 'old' },
    );
    harness.replies.set('/notify', () => ({ json: [{ action: 'talk', text: 'new' }] }));
    const id = await dial();
    expect(receivedBodies('/notify')[0]).toMatchObject({ payload: { a: 1 } });
    expect((await harness.client.caller(id)).timeline.at(-1)?.text).toBe('new');
  });

  it('notify: continues when its eventUrl is not a URL', async () => {
    answerWith({ action: 'notify', payload: {}, eventUrl: ['nonsense'] }, { action: 'talk', text: 'goes on' });
    const id = await dial();
    expect((await harness.client.caller(id)).timeline.at(-1)?.text).toBe('goes on');
  });

  it('connect: detects a machine with the options of advancedMachineDetection', async () => {
    await harness.client.setPhone('15550002222', { mode: 'machine', beepAfterMs: 50 * SECOND });
    answerWith({
      action: 'connect',
      endpoint: [{ type: 'phone', number: '15550002222' }],
      advancedMachineDetection: { mode: 'detect_beep', beepTimeout: 60 },
    });
    await dial();
    await harness.client.advanceClock(55 * SECOND);
    expect(receivedBodies('/event').find((body) => 'sub_state' in body)?.['sub_state']).toBe('beep_start');
  });

  it('record: continues at once without a condition, and ends with the call', async () => {
    answerWith(
      { action: 'record', format: 'wav', eventUrl: [`${harness.hooksUrl}/recording`] },
      { action: 'talk', text: 'recorded' },
      { action: 'conversation', name: 'r' },
    );
    const id = await dial();
    await harness.client.advanceClock(5 * SECOND);
    expect(await readTimeline(id)).toEqual(['dialled', 'ringing', 'answered', 'heard', 'joined']);
    expect(receivedBodies('/recording')).toEqual([]);
    await harness.client.hangUp(id);
    await harness.client.advanceClock(0);
    const [recording] = receivedBodies('/recording');
    expect(recording).toMatchObject({ size: 5 * SECOND });
    const url = String(recording?.['recording_url']);
    expect((await fetch(url)).status).toBe(401);
    // Not by `downloadRecording` of the SDK, which accepts only hosts of Vonage.
    await harness.vonage.voice.search({});
    const authorization = (await harness.client.restLog({ route: 'list-calls' })).at(-1)?.headers.authorization ?? '';
    const file = await fetch(url, { headers: { authorization } });
    expect([file.headers.get('content-type'), (await file.arrayBuffer()).byteLength]).toEqual(['audio/wav', 5_000]);
  });

  it('record: sends its event when the caller hangs up first', async () => {
    answerWith({ action: 'record', endOnKey: '#', eventUrl: [`${harness.hooksUrl}/recording`] });
    const id = await dial();
    await harness.client.advanceClock(200);
    await harness.client.hangUp(id);
    await harness.client.advanceClock(0);
    expect(receivedBodies('/recording')).toMatchObject([{ size: 200 }]);
  });

  it('conversation: records when asked to, until the leg leaves', async () => {
    answerWith({ action: 'conversation', name: 'r', record: true, eventUrl: [`${harness.hooksUrl}/recording`] });
    const id = await dial();
    await harness.client.advanceClock(3 * SECOND);
    const [{ uuid } = { uuid: '' }] = await harness.client.conversations();
    await harness.client.hangUp(id);
    await harness.client.advanceClock(0);
    expect(receivedBodies('/recording')).toMatchObject([{ size: 3 * SECOND, conversation_uuid: uuid }]);
  });

  it('conversation: a recording keeps its conversation when a transfer moves the leg', async () => {
    answerWith({ action: 'conversation', name: 'a', record: true, eventUrl: [`${harness.hooksUrl}/recording`] });
    const { callId } = await harness.client.dial({ from: '447700900001', to: NUMBER });
    await harness.client.advanceClock(3 * SECOND);
    const [{ uuid } = { uuid: '' }] = await harness.client.conversations();
    await harness.vonage.voice.transferCallWithNCCO(callId, [{ action: 'conversation', name: 'b' }] as never);
    await harness.client.advanceClock(0);
    expect(receivedBodies('/recording')).toMatchObject([{ conversation_uuid: uuid }]);
  });

  it('transfer event: names the former conversation of the leg', async () => {
    answerWith({ action: 'conversation', name: 'a' });
    const { callId } = await harness.client.dial({ from: '447700900001', to: NUMBER });
    await harness.client.advanceClock(0);
    const [first] = await harness.client.conversations();
    await harness.vonage.voice.transferCallWithNCCO(callId, [{ action: 'conversation', name: 'b' }] as never);
    await harness.client.advanceClock(0);
    const [second] = await harness.client.conversations();
    expect(receivedBodies('/event').filter((body) => body['type'] === 'transfer')).toMatchObject([
      { conversation_uuid_to: first?.uuid },
      { conversation_uuid_from: first?.uuid, conversation_uuid_to: second?.uuid },
    ]);
  });

  it('connect: plays the NCCO of onAnswer to the called party', async () => {
    harness.replies.set('/whisper', () => ({ json: [{ action: 'talk', text: 'a call for you' }] }));
    answerWith({
      action: 'connect',
      endpoint: [{ type: 'phone', number: '15550002222', onAnswer: { url: `${harness.hooksUrl}/whisper` } }],
    });
    await dial();
    await harness.client.advanceClock(1 * SECOND);
    const [call] = (await harness.client.phone('15550002222')).calls;
    expect(call?.timeline.at(-1)).toMatchObject({ event: 'heard', text: 'a call for you' });
    expect(call?.state).toBe('answered');
  });

  it('connect: calls the user at the domain of a SIP endpoint', async () => {
    answerWith({ action: 'connect', endpoint: [{ type: 'sip', user: 'ann', domain: 'sip.example.com' }] });
    await dial();
    await harness.client.advanceClock(1 * SECOND);
    const legs = (await harness.client.ledger({ kind: 'voice-outbound' })).legs;
    expect(legs).toMatchObject([{ to: 'sip:ann@sip.example.com' }]);
  });

  it('record: records until the end key and posts the recording without a status', async () => {
    answerWith({ action: 'record', endOnKey: '#', eventUrl: [`${harness.hooksUrl}/recording`] });
    const id = await dial();
    await harness.client.key(id, '#');
    await harness.client.advanceClock(0);
    expect(receivedBodies('/recording')[0]).toHaveProperty('recording_url');
    expect(receivedBodies('/recording')[0]).not.toHaveProperty('status');
  });
});

describe('invalid NCCOs', () => {
  it.each([
    ['a conversation without a name', [{ action: 'conversation' }]],
    ['an unknown action', [{ action: 'dance' }]],
    ['an eventUrl that is not an array', [{ action: 'input', type: ['dtmf'], eventUrl: 'http://x' }]],
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
    ['a talk of more than 1,500 characters', [{ action: 'talk', text: 'x'.repeat(1_501) }]],
    [
      'a caller id and a random number',
      [{ action: 'connect', endpoint: [{ type: 'phone', number: '1' }], from: '15550001111', randomFromNumber: true }],
    ],
    [
      'a beep timeout of less than 45 seconds',
      [
        {
          action: 'connect',
          endpoint: [{ type: 'phone', number: '1' }],
          advancedMachineDetection: { beepTimeout: 10 },
        },
      ],
    ],
    [
      'an unknown mode of machine detection',
      [{ action: 'connect', endpoint: [{ type: 'phone', number: '1' }], advancedMachineDetection: { mode: 'bogus' } }],
    ],
    ['an empty list', []],
  ])('sends an error event for %s, and disconnects', async (_, ncco) => {
    harness.replies.set('/answer', () => ({ json: ncco }));
    await dial();
    await harness.client.advanceClock(0);
    expect(receivedBodies('/event').find((body) => 'reason' in body)).toMatchObject({
      reason: 'Syntax error in NCCO. Invalid value type or action.',
    });
    expect((await harness.client.ledger()).legs[0]).toMatchObject({ endReason: 'answer-invalid', chargeMicros: 0 });
  });

  it('does not count the tags of SSML against the 1,500 characters of a talk', () => {
    const text = `<speak>${'<break time="1s"/>'.repeat(50)}${'x'.repeat(1_500)}</speak>`;
    expect(nccoSchema.safeParse([{ action: 'talk', text }]).success).toBe(true);
  });

  it('continues the call flow after an invalid reply to an input', async () => {
    answerWith(input({ dtmf: { maxDigits: 1 } }), { action: 'talk', text: 'goes on' });
    harness.replies.set('/dtmf', () => ({ json: [{ action: 'conversation' }] }));
    const id = await dial();
    await harness.client.key(id, '1');
    await harness.client.advanceClock(0);
    expect((await harness.client.caller(id)).timeline.at(-1)?.text).toBe('goes on');
    expect(receivedBodies('/event').some((body) => 'reason' in body)).toBe(true);
  });

  it('accepts hold music as a string or a list, and parses non-JSON as no NCCO', () => {
    expect(nccoSchema.safeParse([{ action: 'conversation', name: 'x', musicOnHoldUrl: 'http://a' }]).success).toBe(
      true,
    );
    expect(nccoSchema.safeParse([{ action: 'conversation', name: 'x', musicOnHoldUrl: ['http://a'] }]).success).toBe(
      true,
    );
    expect(parseNccoReply('OK')).toEqual({ is: 'none' });
  });
});
