import { findFreePort } from '@partyline/dev/processes/ports';
import { issueBrowserToken } from '@partyline/provider-janus/media/browser-token';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { SOCKET_PATH } from '../browsers/browsers.ts';
import { joinWithAudio, openSocket, type TestBrowser } from '../testing/socket-client.ts';
import { GATEWAY_SECRET, hears, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';
import { rankGateways } from './rank-gateways.ts';

type Id = 'one' | 'two';

const [FIRST_HZ, SECOND_HZ, THIRD_HZ] = [440, 1_050, 1_650];

/** Starts two gateways, each with its Janus, at one kamailio. */
async function startTwo(): Promise<Readonly<Record<Id, TestGateway>>> {
  const self = async (id: Id) => ({ id, port: await findFreePort() });
  const [one, two] = await Promise.all([self('one'), self('two')]);
  const gateways = [one, two].map(({ id, port }) => ({ id, url: `http://127.0.0.1:${port}` }));
  // With one call at each, kamailio gives the second call to the other gateway.
  const options = { gateways, maxCalls: 1 };
  const first = await startTestGateway({ ...options, self: one });
  return { one: first, two: await startTestGateway({ ...options, self: two, shared: first }) };
}

let all: Readonly<Record<Id, TestGateway>>;
beforeAll(async () => {
  all = await startTwo();
});
const browsers: TestBrowser[] = [];
afterEach(async () => {
  for (const { socket, audio } of browsers.splice(0)) {
    await socket.request({ do: 'leave' });
    await audio.close();
  }
  await all.one.hangUpPhones();
  await all.two.hangUpPhones();
});
afterAll(async () => {
  await all.two.stop();
  await all.one.stop();
});

const gatewayOf = (callId: string): Id => (callId.startsWith('one.') ? 'one' : 'two');
const other = (id: Id): Id => (id === 'one' ? 'two' : 'one');
let conferences = 0;
/** Returns a new conference that begins at this gateway while both take conferences. */
function conferenceAt(id: Id): string {
  for (;;) {
    conferences += 1;
    const name = `conv_two_${conferences}`;
    if (rankGateways(name, ['one', 'two'])[0] === id) return name;
  }
}
const hostsOf = (conference: string): Id[] =>
  (['one', 'two'] as const).filter((id) => all[id].gateway.stateOf(conference).isHere);

/**
 * Calls into a conference.
 * @param conference its name, or one that the gateway of the call chooses
 * @returns the phone, its call, and the gateway of the call
 */
async function callIn(conference: string | ((at: Id) => string), hz: number, more: { endOnExit?: boolean } = {}) {
  const test = all.one;
  let conversation = typeof conference === 'string' ? conference : '';
  const number = test.number(({ callId }) => {
    if (typeof conference === 'function') conversation = conference(gatewayOf(callId));
    return { steps: [{ do: 'join', conversation, eventUrl: test.eventUrl, ...more }] };
  });
  const phone = await test.phone({ microphone: { hz } });
  await phone.dial(test.uriOf(number));
  const { callId } = await test.answerOf(number);
  await expect.poll(() => test.eventsOf(callId).map(({ kind }) => kind)).toContain('moved');
  return { phone, callId, at: gatewayOf(callId), conference: conversation };
}

const urlOf = (id: Id): string => `${all[id].controlUrl.replace('http', 'ws')}${SOCKET_PATH}`;
const tokenOf = (mediaSessionId: string): string =>
  issueBrowserToken(
    { account: 'platform', secret: GATEWAY_SECRET },
    { mediaSessionId, data: 'data', expiresAt: new Date(Date.now() + 600_000) },
    new Date(),
  );

/** Who is in the conference, as a browser was told. */
function participantsOf({ joined, socket }: TestBrowser): string[] {
  const left = socket.events('participant-left').map(({ id }) => id);
  const entered = socket.events('participant').map(({ participant }) => participant);
  return [...new Set([...joined.participants, ...entered].map(({ id }) => id))].filter((id) => !left.includes(id));
}

describe('two calls of one conference, at different gateways', () => {
  it.each(['one', 'two'] as const)('hear each other in a conference of gateway %s', async (home) => {
    const conference = conferenceAt(home);
    const [first, second] = [await callIn(conference, FIRST_HZ), await callIn(conference, SECOND_HZ)];
    expect(second.at).toBe(other(first.at));
    expect(hostsOf(conference)).toEqual([home]);
    await expect.poll(() => [hears(first.phone, SECOND_HZ), hears(second.phone, FIRST_HZ)]).toEqual([true, true]);

    for (const { callId, at, phone } of [first, second]) {
      const heard = phone === first.phone ? second.phone : first.phone;
      const hz = phone === first.phone ? FIRST_HZ : SECOND_HZ;
      await all[at].voice().mute(callId, true);
      await expect.poll(() => hears(heard, hz)).toBe(false);
      await all[at].voice().mute(callId, false);
      await expect.poll(() => hears(heard, hz)).toBe(true);
    }
  });

  it.each(['one', 'two'] as const)(
    'end together in a conference of gateway %s, if the one that leaves ends it',
    async (home) => {
      const conference = conferenceAt(home);
      const [first, second] = [
        await callIn(conference, FIRST_HZ, { endOnExit: true }),
        await callIn(conference, SECOND_HZ),
      ];
      await first.phone.hangUp();
      await second.phone.waitFor('closed');
      await expect.poll(() => hostsOf(conference)).toEqual([]);
    },
  );

  it.each(['one', 'two'] as const)('leave nothing behind in a conference of gateway %s', async (home) => {
    const conference = conferenceAt(home);
    const [first, second] = [await callIn(conference, FIRST_HZ), await callIn(conference, SECOND_HZ)];
    await first.phone.hangUp();
    await expect.poll(() => hears(second.phone, FIRST_HZ)).toBe(false);
    expect(hostsOf(conference)).toEqual([home]);
    await second.phone.hangUp();
    await expect.poll(() => hostsOf(conference)).toEqual([]);
  });
});

describe('a call that gets another plan', () => {
  it.each(['one', 'two'] as const)('moves between conferences of gateway %s and of its own', async (home) => {
    const [first, second] = [conferenceAt(home), conferenceAt(other(home))];
    const inFirst = await callIn(first, FIRST_HZ);
    const caller = await callIn(second, SECOND_HZ);
    const transfer = (conversation: string) =>
      all[caller.at].voice().transfer(caller.callId, [{ do: 'join', conversation, eventUrl: all.one.eventUrl }]);
    const isHeard = () => [hears(inFirst.phone, SECOND_HZ), hears(caller.phone, FIRST_HZ)];
    for (let times = 0; times < 2; times += 1) {
      await transfer(first);
      await expect.poll(isHeard).toEqual([true, true]);
      await expect.poll(() => hostsOf(second)).toEqual([]);
      await transfer(second);
      await expect.poll(isHeard).toEqual([false, false]);
      await expect.poll(() => [hostsOf(first), hostsOf(second)]).toEqual([[home], [other(home)]]);
    }
    await transfer(first);
    await expect.poll(isHeard).toEqual([true, true]);
    // Its earlier place there may not be free yet.
    await transfer(second);
    await transfer(first);
    await expect.poll(isHeard).toEqual([true, true]);
    await expect.poll(() => hostsOf(second)).toEqual([]);
  });
});

describe('browsers', () => {
  it.each(['one', 'two'] as const)('meet in a conference of gateway %s, whichever they reach', async (home) => {
    const conference = conferenceAt(home);
    const call = await callIn(conference, FIRST_HZ);
    for (const id of ['one', 'two'] as const) browsers.push(await joinWithAudio(urlOf(id), tokenOf(conference)));
    const ids = browsers.map(({ joined }) => joined.connectionId);
    expect(ids).toEqual([expect.stringMatching(`^${home}\\.`), expect.stringMatching(`^${home}\\.`)]);
    for (const browser of browsers)
      await expect.poll(() => new Set(participantsOf(browser))).toEqual(new Set([...ids, call.callId]));
  });

  it('hear a phone at another gateway and each other, and are heard', async () => {
    const call = await callIn((at) => conferenceAt(other(at)), FIRST_HZ);
    expect(hostsOf(call.conference)).toEqual([other(call.at)]);
    const first = await joinWithAudio(urlOf('one'), tokenOf(call.conference), { hz: SECOND_HZ });
    const second = await joinWithAudio(urlOf('two'), tokenOf(call.conference), { hz: THIRD_HZ });
    browsers.push(first, second);
    // Not all at the same time: on a busy machine, the browsers of this process send with gaps.
    const heard = new Set<string>();
    const listen = (): string[] => {
      for (const hz of [SECOND_HZ, THIRD_HZ]) if (hears(call.phone, hz)) heard.add(`phone ${hz}`);
      for (const hz of [FIRST_HZ, THIRD_HZ]) if (first.hears(hz)) heard.add(`first ${hz}`);
      for (const hz of [FIRST_HZ, SECOND_HZ]) if (second.hears(hz)) heard.add(`second ${hz}`);
      return [...heard].toSorted();
    };
    await expect
      .poll(listen)
      .toEqual(['first 1650', 'first 440', 'phone 1050', 'phone 1650', 'second 1050', 'second 440']);
  });

  it('resume a connection through the other gateway', async () => {
    const conference = conferenceAt('one');
    const browser = await joinWithAudio(urlOf('two'), tokenOf(conference));
    browser.socket.cut();
    const resumed = await openSocket(urlOf('two'));
    browsers.push({ ...browser, socket: resumed });
    const reply = await resumed.request({ do: 'resume', secret: browser.joined.secret });
    expect(reply.joined).toMatchObject({ connectionId: browser.joined.connectionId });
  });

  it('are told of a token that is rejected, by the gateway that they reach', async () => {
    const socket = await openSocket(urlOf('two'));
    expect(await socket.request({ do: 'join', token: 'none' })).toMatchObject({
      problem: { reason: 'token-rejected' },
    });
  });
});

describe('a WebSocket that no gateway has signed', () => {
  it.each([SOCKET_PATH, '/v1/conferences/conv_1/members'])('gets 401 for %s', async (path) => {
    const socket = new WebSocket(`${all.one.controlUrl.replace('http', 'ws')}${path}`, {
      headers: { authorization: 'Bearer none' },
    });
    await expect(new Promise((_, reject) => socket.on('error', reject))).rejects.toThrow('401');
  });
});

describe('a gateway that loses its Janus', () => {
  it('loses its own calls, and those of other gateways go on elsewhere', async () => {
    const first = await callIn(conferenceAt, FIRST_HZ);
    const second = await callIn(first.conference, SECOND_HZ);
    expect(hostsOf(first.conference)).toEqual([first.at]);
    await all[first.at].janus.crash();
    await first.phone.waitFor('closed');
    await expect.poll(() => hostsOf(first.conference)).toEqual([second.at]);
    const browser = await joinWithAudio(urlOf(second.at), tokenOf(first.conference));
    browsers.push(browser);
    await expect.poll(() => participantsOf(browser)).toContain(second.callId);
    await all[first.at].janus.restart();
    await expect.poll(() => all[first.at].gateway.isReady).toBe(true);
  });
});

// The last, because the gateway takes no calls afterwards.
describe('a gateway that drains', () => {
  it('keeps its conference for all until the last one leaves, and takes no other', async () => {
    const first = await callIn(conferenceAt, FIRST_HZ);
    let isDrained = false;
    const drained = all[first.at].drain().then(() => (isDrained = true));
    const second = await callIn(first.conference, SECOND_HZ);
    await expect.poll(() => [hears(first.phone, SECOND_HZ), hears(second.phone, FIRST_HZ)]).toEqual([true, true]);
    await first.phone.hangUp();
    await expect.poll(() => all[first.at].gateway.calls.listLive()).toEqual([]);
    // Longer than the gateway waits between two looks.
    await expect.poll(() => hears(second.phone, FIRST_HZ)).toBe(false);
    const leftAt = performance.now();
    await expect.poll(() => performance.now() - leftAt).toBeGreaterThan(300);
    expect({ isDrained, hosts: hostsOf(first.conference) }).toEqual({ isDrained: false, hosts: [first.at] });
    await second.phone.hangUp();
    await drained;
    const next = await callIn(conferenceAt(first.at), FIRST_HZ);
    expect(hostsOf(next.conference)).toEqual([other(first.at)]);
  });
});
