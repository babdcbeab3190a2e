import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowserGateway, type BrowserGateway } from '../testing/browser-gateway.ts';
import { joinWithAudio, openSocket, type Request, type SocketClient } from '../testing/socket-client.ts';

let janus: TestJanus;
let gateway: BrowserGateway;
/** Its time passes 20 times faster. */
let hasty: BrowserGateway;

beforeAll(async () => {
  janus = await createTestJanus();
  gateway = await startBrowserGateway(janus);
  hasty = await startBrowserGateway(janus, { speed: 20 });
});
afterAll(async () => {
  await hasty.stop();
  await gateway.stop();
  await janus.stop();
});

const SDP = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n';
const join = (socket: SocketClient, claims?: Parameters<BrowserGateway['token']>[1], conference = 'conf-1') =>
  socket.request({ do: 'join', token: gateway.token(conference, claims) });

describe('a token', () => {
  it('joins, and gets its connection', async () => {
    const socket = await openSocket(gateway.url);
    const { joined } = await join(socket);
    expect(joined).toEqual({
      connectionId: expect.stringMatching(/^gw-1\.[A-Za-z0-9_-]{22}$/),
      secret: expect.stringMatching(/^gw-1\.[A-Za-z0-9_-]{43}$/),
      iceServers: [],
      isMuted: false,
      isMutedByHost: false,
      peers: [],
      participants: [],
    });
    expect(await socket.problemOf({ do: 'join', token: gateway.token('conf-2') })).toBe('already-joined');
    expect(await socket.request({ do: 'leave' })).toEqual({ re: 3 });
    expect(await socket.closed).toEqual({ code: 1000, reason: 'left' });
  });

  it.each([
    ['that expired', () => gateway.token('conf-1', { expiresAt: new Date(Date.now() + 1_000) }), 2_000],
    ['that is no token', () => 'a.b.c', 0],
    ['with another signature', () => `${gateway.token('conf-1').slice(0, -4)}AAAA`, 0],
  ])('%s gets a problem, and the socket closes', async (_, token, laterMs) => {
    const late = await startBrowserGateway(janus, { clock: { now: () => new Date(Date.now() + laterMs) } });
    const socket = await openSocket(late.url);
    expect(await socket.request({ do: 'join', token: token() })).toMatchObject({
      problem: { reason: 'token-rejected', detail: expect.any(String) },
    });
    expect(await socket.closed).toEqual({ code: 1008, reason: 'token-rejected' });
    await late.stop();
  });

  it('joins no gateway that is full', async () => {
    const small = await startBrowserGateway(janus, { maxBrowsers: 1 });
    const first = await openSocket(small.url);
    expect(await join(first)).toHaveProperty('joined');
    const second = await openSocket(small.url);
    expect((await join(second)).problem?.reason).toBe('gateway-full');
    await second.closed;
    await small.stop();
    expect(await first.closed).toMatchObject({ reason: 'gateway-stopping' });
  });
});

describe('the first message', () => {
  it('must come in time', async () => {
    const socket = await openSocket(hasty.url);
    expect(await socket.closed).toEqual({ code: 1008, reason: 'join-timeout' });
    expect(socket.messages).toMatchObject([{ problem: { reason: 'join-timeout' } }]);
  });

  it.each<Request>([
    { do: 'connect-audio', offer: SDP },
    { do: 'mute', muted: true },
    { do: 'leave' },
    { do: 'add-candidates', peer: 'audio', candidates: [] },
  ])('may not be %j', async (request) => {
    const socket = await openSocket(gateway.url);
    expect(await socket.problemOf(request)).toBe('not-joined');
    expect((await join(socket)).joined).toBeDefined();
    await socket.close();
  });
});

const OTHER_FIELDS = {
  room: 'conf-2',
  handle_id: 1,
  session_id: 1,
  feed: 'x',
  conference: 'conf-2',
  ptype: 'publisher',
};

describe('a bad message', () => {
  it.each<[string, string | Buffer]>([
    ['no JSON', '{'],
    ['empty', ''],
    ['a list', '[]'],
    ['null', 'null'],
    ['a text', '"join"'],
    ['binary', Buffer.from('{"do":"leave","id":1}')],
    ['without an intent', '{"id":7}'],
    ['an unknown intent', '{"id":7,"do":"destroy"}'],
    ['an intent of the prototype', '{"id":7,"do":"constructor"}'],
    ['a request of Janus', '{"janus":"create","transaction":"1"}'],
    ['a message for a plugin', '{"janus":"message","session_id":1,"handle_id":2,"body":{"request":"list"}}'],
    ['without a number', '{"do":"leave"}'],
    ['a number that is text', '{"id":"7","do":"leave"}'],
    ['a negative number', '{"id":-1,"do":"leave"}'],
    ['a description that is none', '{"id":7,"do":"connect-audio","offer":"hello"}'],
    ['a description without media', '{"id":7,"do":"connect-audio","offer":"v=0"}'],
    [
      'a description of two media',
      JSON.stringify({ id: 7, do: 'connect-audio', offer: SDP + SDP.slice(SDP.indexOf('m=')) }),
    ],
    [
      'a description of another protocol',
      JSON.stringify({ id: 7, do: 'connect-audio', offer: SDP.replace('UDP/TLS/RTP/SAVPF', 'RTP/AVP') }),
    ],
    ['a description with a NUL', JSON.stringify({ id: 7, do: 'connect-audio', offer: `${SDP}\0` })],
    ['a description with half a pair', JSON.stringify({ id: 7, do: 'connect-audio', offer: `${SDP}\uD800` })],
    ['a candidate with a NUL', '{"id":7,"do":"add-candidates","peer":"audio","candidates":[{"candidate":"\\u0000"}]}'],
    ['a mid with a NUL', '{"id":7,"do":"choose-quality","mid":"\\u0000"}'],
    ['audio as video', JSON.stringify({ id: 7, do: 'publish', source: 'camera', offer: SDP })],
    ['an unknown source', JSON.stringify({ id: 7, do: 'publish', source: 'x', offer: SDP.replace('audio', 'video') })],
    ['a layer out of range', '{"id":7,"do":"choose-quality","mid":"0","substream":3}'],
    ['a mid that is a number', '{"id":7,"do":"choose-quality","mid":0}'],
    ['candidates of an unknown peer', '{"id":7,"do":"add-candidates","peer":"video","candidates":[]}'],
    [
      'too many candidates',
      JSON.stringify({
        id: 7,
        do: 'add-candidates',
        peer: 'audio',
        candidates: Array.from({ length: 51 }, () => ({ candidate: '' })),
      }),
    ],
    ...Object.entries(OTHER_FIELDS).map(
      ([field, value]) =>
        [`with ${field}`, JSON.stringify({ id: 7, do: 'mute', muted: true, [field]: value })] as [string, string],
    ),
  ])('that is %s gets a problem, and the connection stays', async (_, text) => {
    const socket = await openSocket(gateway.url);
    await join(socket);
    socket.sendText(text);
    await expect.poll(() => socket.messages.length).toBe(2);
    expect(socket.messages[1]).toMatchObject({ problem: { reason: 'bad-message', detail: expect.any(String) } });
    expect(await socket.request({ do: 'mute', muted: true })).not.toHaveProperty('problem');
    await socket.close();
  });

  it('is none of 1,000 random ones that is accepted, and the connection stays', async () => {
    const lenient = await startBrowserGateway(janus, { rateSpeed: 50 });
    const browser = await joinWithAudio(lenient.url, lenient.token('fuzzed'));
    const { socket } = browser;
    const word = fc.constantFrom(
      'join',
      'resume',
      'connect-audio',
      'publish',
      'unpublish',
      'answer-subscription',
      'restart-subscription',
      'add-candidates',
      'mute',
      'choose-quality',
      'leave',
      'create',
      'destroy',
      'kick',
      'listparticipants',
      '__proto__',
    );
    const field = fc.constantFrom(
      'id',
      'do',
      'token',
      'secret',
      'offer',
      'answer',
      'source',
      'revision',
      'peer',
      'candidates',
      'muted',
      'mid',
      'janus',
      'body',
      'request',
      'room',
      'handle_id',
      'jsep',
    );
    const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('camera', 'audio', SDP, 0, 1, true, 'v=0'));
    const message = fc.oneof(
      fc.string(),
      fc.json(),
      // No valid message has two fields more.
      fc
        .tuple(fc.dictionary(field, value), word, fc.constantFrom('room', 'handle_id', 'x'))
        .map(([fields, intent, extra]) => JSON.stringify({ ...fields, do: intent, [extra]: 1 })),
    );
    const texts = fc.sample(message, { numRuns: 1_000, seed: 4711 });
    let sent = 0;
    const first = socket.messages.length;
    while (sent < texts.length) {
      for (const text of texts.slice(sent, sent + 40)) socket.sendText(text);
      sent = Math.min(texts.length, sent + 40);
      await expect.poll(() => problems(socket).length).toBe(sent);
    }
    expect(problems(socket).filter((reason) => reason !== 'bad-message')).toEqual([]);
    expect(socket.messages.length - first).toBeGreaterThanOrEqual(1_000);
    expect(await socket.request({ do: 'mute', muted: false })).not.toHaveProperty('problem');
    await browser.close();
    await lenient.stop();
  });

  it('of more than 64 kB closes the socket', async () => {
    const socket = await openSocket(gateway.url);
    await join(socket);
    socket.sendText(`"${'x'.repeat(65_536)}"`);
    expect(await socket.closed).toMatchObject({ code: 1009 });
  });

  it('closes the socket when there are too many', async () => {
    const socket = await openSocket(gateway.url);
    await join(socket);
    for (let n = 0; n < 400; n += 1) socket.sendText('{}');
    expect(await socket.closed).toEqual({ code: 1008, reason: 'rate-limited' });
    expect(problems(socket)).toContain('bad-message');
    expect(problems(socket)).toContain('rate-limited');
  });
});

/** The reasons of all problems. */
const problems = (socket: SocketClient): string[] =>
  socket.messages.flatMap((message) => ('problem' in message && message.problem ? [message.problem.reason] : []));

describe('requests that Janus rejects', () => {
  it('get a problem that tells nothing of Janus, and are reported a few times', async () => {
    const socket = await openSocket(gateway.url);
    await join(socket);
    const before = gateway.errors.length;
    const reply = await socket.request({ do: 'connect-audio', offer: SDP });
    expect(reply.problem).toEqual({ reason: 'media-rejected', detail: 'The media server rejected the request.' });
    expect(await socket.problemOf({ do: 'choose-quality', mid: '0', substream: 0 })).toBe('no-such-stream');
    expect(await socket.problemOf({ do: 'answer-subscription', revision: 1, answer: 'v=0' })).toBe('stale-answer');
    expect(await socket.request({ do: 'unpublish', source: 'screen' })).not.toHaveProperty('problem');
    for (let n = 0; n < 10; n += 1) await socket.request({ do: 'connect-audio', offer: SDP });
    expect(gateway.errors.length - before).toBe(5);
    await socket.close();
  });
});

describe('a socket', () => {
  it('is accepted on its path only', async () => {
    await expect(openSocket(gateway.url.replace('/v1/socket', '/v1/calls'))).rejects.toThrow('404');
  });

  it('answers pings, also before it has joined', async () => {
    const socket = await openSocket(gateway.url);
    expect(await socket.request({ do: 'ping' })).toEqual({ re: 1 });
    await socket.close();
  });

  it('that does not answer pings is closed', async () => {
    const socket = await openSocket(hasty.url, { answersPings: false });
    expect((await socket.request({ do: 'join', token: hasty.token('conf-3') })).joined).toBeDefined();
    expect(await socket.closed).toMatchObject({ code: 1006 });
  });
});
