import { createSocket, type Socket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { startBaresip, type BaresipOptions, type BaresipPhone } from './baresip.ts';
import { callsUp, headerOf, isAuthorized, parseSipMessage, requestsOf } from './sip-message.ts';
import { levelOf } from '@partyline/testing/tones';

const phones: BaresipPhone[] = [];
const sockets: Socket[] = [];

async function start(options: BaresipOptions): Promise<BaresipPhone> {
  const phone = await startBaresip(options);
  phones.push(phone);
  return phone;
}

/** The level of a tone in the last half second of what a phone heard, in dBFS. */
function heardLevel(phone: BaresipPhone, hz: number): number {
  const { samples, rate } = phone.heard({ fromMs: -500 });
  return levelOf(samples, hz, rate);
}

/** Accepts registrations with one password on a free port. */
async function startRegistrar(password: string): Promise<string> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.on('message', (bytes, peer) => {
    const request = parseSipMessage(bytes.toString(), { atMs: 0, direction: 'received' });
    if (!request) return;
    const header = (name: string): string => `${name}: ${headerOf(request, name) ?? ''}`;
    const isChallenged = headerOf(request, 'authorization') !== undefined;
    const status = isAuthorized(request, password) ? '200 OK' : isChallenged ? '403 Forbidden' : '401 Unauthorized';
    const challenge = 'WWW-Authenticate: Digest realm="test", nonce="7", qop="auth"';
    const lines = ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Contact'].map(header);
    socket.send([`SIP/2.0 ${status}`, ...lines, challenge, 'Content-Length: 0', '', ''].join('\r\n'), peer.port);
  });
  await new Promise<void>((ready) => {
    socket.bind(0, '127.0.0.1', ready);
  });
  return `127.0.0.1:${socket.address().port}`;
}

afterEach(async () => {
  await Promise.all(phones.splice(0).map((phone) => phone.stop()));
  for (const socket of sockets.splice(0)) socket.close();
});

describe('baresip', () => {
  it('hears the tone of the other phone and not its own', async () => {
    const anna = await start({ user: 'anna', microphone: { hz: 440, dbfs: -20 } });
    const ben = await start({ user: 'ben', microphone: { hz: 1000, dbfs: -14 }, answer: 'auto' });
    await anna.dial(ben.uri);
    await anna.waitFor('established');

    await expect.poll(() => heardLevel(anna, 1000)).toBeCloseTo(-14, 0);
    await expect.poll(() => heardLevel(ben, 440)).toBeCloseTo(-20, 0);
    expect(heardLevel(anna, 440)).toBeLessThan(-60);
    expect(heardLevel(ben, 1000)).toBeLessThan(-60);
  });

  it.each([
    ['G722', 16_000],
    ['opus', 48_000],
  ] as const)('hears a tone through %s', async (codec, rate) => {
    const anna = await start({ user: 'anna', codecs: [codec], microphone: { hz: 3000 } });
    const ben = await start({ user: 'ben', codecs: [codec], answer: 'auto' });
    await anna.dial(ben.uri);

    await expect.poll(() => heardLevel(ben, 3000)).toBeGreaterThan(-23);
    expect(ben.heard().rate).toBe(rate);
  });

  it('receives the keys that the other phone pressed', async () => {
    const anna = await start({ user: 'anna' });
    const ben = await start({ user: 'ben', answer: 'auto' });
    await anna.dial(ben.uri);
    await anna.waitFor('established');
    await anna.pressKeys('1123*#A');

    await expect.poll(() => ben.keysReceived()).toBe('1123*#A');
  });

  it('sees that the other phone hangs up', async () => {
    const anna = await start({ user: 'anna' });
    const ben = await start({ user: 'ben', answer: 'auto' });
    await anna.dial(ben.uri);
    await anna.waitFor('established');
    await expect.poll(() => [callsUp(anna.messages()), callsUp(ben.messages())]).toEqual([1, 1]);
    await ben.hangUp();

    await anna.waitFor('closed');
    await ben.waitFor('closed');
    await expect.poll(() => [callsUp(anna.messages()), callsUp(ben.messages())]).toEqual([0, 0]);
    expect(requestsOf(anna.messages(), 'BYE', 'received')).toHaveLength(1);
    expect(requestsOf(ben.messages(), 'BYE', 'sent')).toHaveLength(1);
  });

  it('answers by hand, and mutes and changes what it says', async () => {
    const anna = await start({ user: 'anna', microphone: { hz: 440 } });
    const ben = await start({ user: 'ben' });
    await anna.dial(ben.uri);
    await anna.waitFor('ringing');
    const { peer } = await ben.waitFor('incoming');
    expect(peer).toBe(anna.uri);
    await ben.answer();
    await anna.waitFor('established');
    await expect.poll(() => heardLevel(ben, 440)).toBeGreaterThan(-25);

    await anna.setMuted(true);
    await expect.poll(() => heardLevel(ben, 440)).toBeLessThan(-70);
    await anna.setMuted(false);
    await anna.speak({ hz: 700 });
    await expect.poll(() => heardLevel(ben, 700)).toBeGreaterThan(-25);
    await expect.poll(() => heardLevel(ben, 440)).toBeLessThan(-60);
  });

  it('holds and resumes a call', async () => {
    const anna = await start({ user: 'anna', microphone: { hz: 440 } });
    const ben = await start({ user: 'ben', microphone: { hz: 1000 }, answer: 'auto' });
    await anna.dial(ben.uri);
    await anna.waitFor('established');
    await expect.poll(() => heardLevel(anna, 1000)).toBeGreaterThan(-25);

    await anna.hold();
    await expect.poll(() => heardLevel(anna, 1000)).toBeLessThan(-60);
    await anna.resume();
    await expect.poll(() => heardLevel(anna, 1000)).toBeGreaterThan(-25);
  });

  it('is refused by a phone that rejects the call', async () => {
    const anna = await start({ user: 'anna' });
    const ben = await start({ user: 'ben' });
    await anna.dial(ben.uri);
    await ben.waitFor('incoming');
    await ben.hangUp();

    expect((await anna.waitFor('closed')).reason).toMatch(/^486 /);
  });

  it('cancels a call that nobody answers', async () => {
    const anna = await start({ user: 'anna' });
    const ben = await start({ user: 'ben' });
    await anna.dial(ben.uri);
    await anna.waitFor('ringing');
    await anna.hangUp();

    await ben.waitFor('closed');
    await expect.poll(() => requestsOf(ben.messages(), 'CANCEL', 'received')).toHaveLength(1);
    expect(callsUp(ben.messages())).toBe(0);
  });

  it('refuses a second call as busy', async () => {
    const anna = await start({ user: 'anna' });
    const ben = await start({ user: 'ben', answer: 'auto' });
    const cleo = await start({ user: 'cleo' });
    await anna.dial(ben.uri);
    await anna.waitFor('established');
    await cleo.dial(ben.uri);

    expect((await cleo.waitFor('closed')).reason).toMatch(/^486 /);
  });

  it('leaves no BYE behind when it vanishes', async () => {
    const anna = await start({ user: 'anna' });
    const ben = await start({ user: 'ben', answer: 'auto' });
    await anna.dial(ben.uri);
    await ben.waitFor('established');
    await anna.vanish();

    expect(requestsOf(anna.messages(), 'BYE')).toEqual([]);
    await expect.poll(() => callsUp(ben.messages())).toBe(1);
  });

  it('sends nothing more when it freezes', async () => {
    const anna = await start({ user: 'anna', microphone: { hz: 440 } });
    const ben = await start({ user: 'ben', answer: 'auto' });
    await anna.dial(ben.uri);
    await expect.poll(() => heardLevel(ben, 440)).toBeGreaterThan(-25);
    anna.freeze();

    await expect.poll(() => heardLevel(ben, 440)).toBeLessThan(-80);
    await anna.stop();
    expect(requestsOf(anna.messages(), 'BYE')).toEqual([]);
  });

  it('registers, and reports a wrong password', async () => {
    const address = await startRegistrar('secret');
    const anna = await start({ user: 'anna', domain: address, registration: { address, password: 'secret' } });
    const ben = await start({ user: 'ben', domain: address, registration: { address, password: 'other' } });

    expect((await anna.waitFor('registered')).reason).toMatch(/^200 /);
    expect((await ben.waitFor('registration-failed')).reason).toMatch(/^403 /);
  });

  it('names its events when an awaited one does not come', async () => {
    const anna = await start({ user: 'anna' });

    await expect(anna.waitFor('incoming', 50)).rejects.toThrow(/No event "incoming" within 0.05 s/);
  });
});
