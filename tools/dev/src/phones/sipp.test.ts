import { levelOf } from '@partyline/testing/tones';
import { afterEach, describe, expect, it } from 'vitest';
import { startBaresip, type BaresipOptions, type BaresipPhone } from './baresip.ts';
import type { Phone } from './phone.ts';
import { callsUp, headerOf, isAuthorized, requestsOf } from './sip-message.ts';
import type { CalleeScenario, CallerScenario } from './sipp-scenario.ts';
import { canSendSound, startSipp, type SippOptions, type SippPhone } from './sipp.ts';

const phones: Phone[] = [];
const SUCCESS = { exitCode: 0, created: 1, successful: 1, failed: 0 };

async function startPhone(options: BaresipOptions): Promise<BaresipPhone> {
  const phone = await startBaresip(options);
  phones.push(phone);
  return phone;
}

async function receive(
  scenario: Omit<CalleeScenario, 'kind'> = {},
  options?: Partial<SippOptions>,
): Promise<SippPhone> {
  const phone = await startSipp({ scenario: { kind: 'callee', ...scenario }, calls: 1, ...options });
  phones.push(phone);
  return phone;
}

async function call(
  { sipPort }: { sipPort: number },
  scenario: Partial<CallerScenario> = {},
  options?: Partial<SippOptions>,
): Promise<SippPhone> {
  const target = `127.0.0.1:${sipPort}`;
  const phone = await startSipp({ scenario: { kind: 'caller', to: 'ben', ...scenario }, target, ...options });
  phones.push(phone);
  return phone;
}

/** The level of a tone in the last half second of what a phone heard, in dBFS. */
function heardLevel(phone: BaresipPhone, hz: number): number {
  const { samples, rate } = phone.heard({ fromMs: -500 });
  return levelOf(samples, hz, rate);
}

afterEach(async () => {
  await Promise.all(phones.splice(0).map((phone) => phone.stop()));
});

describe('SIPp calls SIPp', () => {
  it('and hangs up', async () => {
    const callee = await receive({ end: 'wait-for-bye' });
    const caller = await call(callee, { headers: [['X-Id', '7']] });

    expect(await caller.finished).toMatchObject(SUCCESS);
    expect(await callee.finished).toMatchObject(SUCCESS);
    expect(requestsOf(callee.messages(), 'BYE', 'received')).toHaveLength(1);
    expect(callsUp(callee.messages())).toBe(0);
    const [invite] = requestsOf(callee.messages(), 'INVITE');
    expect(invite && headerOf(invite, 'X-Id')).toBe('7');
  });

  it('and is hung up on', async () => {
    const callee = await receive({ end: 'bye', steps: [{ pauseMs: 200 }] });
    const caller = await call(callee, { end: 'wait-for-bye' });

    expect(await caller.finished).toMatchObject(SUCCESS);
    expect(await callee.finished).toMatchObject(SUCCESS);
    expect(requestsOf(caller.messages(), 'BYE', 'received')).toHaveLength(1);
  });

  it('and is refused', async () => {
    const callee = await receive({ refuseWith: [486, 'Busy Here'] });
    const caller = await call(callee, { refusedWith: 486 });

    expect(await caller.finished).toMatchObject(SUCCESS);
    expect(await callee.finished).toMatchObject(SUCCESS);
  });

  it('and cancels the call that is not answered', async () => {
    const callee = await receive({ neverAnswers: true });
    const caller = await call(callee, { cancel: { after: 180, waitMs: 100 } });

    expect(await caller.finished).toMatchObject(SUCCESS);
    expect(await callee.finished).toMatchObject(SUCCESS);
    expect(requestsOf(callee.messages(), 'CANCEL')).toHaveLength(1);
  });

  it.each([401, 407] as const)('and answers a challenge with %i', async (status) => {
    const callee = await receive({ challenge: { status, realm: 'trunk' }, end: 'wait-for-bye' });
    const caller = await call(callee, { challenge: { status, user: 'anna', password: 'secret' } });

    expect(await caller.finished).toMatchObject(SUCCESS);
    expect(await callee.finished).toMatchObject(SUCCESS);
    const invites = requestsOf(callee.messages(), 'INVITE');
    expect(invites.map((invite) => isAuthorized(invite, 'secret'))).toEqual([false, true]);
    expect(invites.map((invite) => isAuthorized(invite, 'other'))).toEqual([false, false]);
  });

  it('and hides its number behind an asserted identity', async () => {
    const callee = await receive({ end: 'wait-for-bye' });
    const caller = await call(callee, { anonymous: true, assertedIdentity: 'sip:+442000000000@trunk.example' });
    await caller.finished;

    const [invite] = requestsOf(callee.messages(), 'INVITE');
    expect(invite && headerOf(invite, 'From')).toMatch(/^"Anonymous" <sip:anonymous@anonymous\.invalid>/);
    expect(invite && headerOf(invite, 'Privacy')).toBe('id');
    expect(invite && headerOf(invite, 'P-Asserted-Identity')).toBe('<sip:+442000000000@trunk.example>');
  });

  it.each([
    ['dtmf-relay', 'Signal=1\nDuration=160'],
    ['dtmf-relay-spaced', 'Signal= 1\nDuration= 160'],
    ['dtmf', '1'],
  ] as const)('and sends keys by INFO in the format %s', async (format, body) => {
    const callee = await receive({ end: 'wait-for-bye' });
    const caller = await call(callee, { steps: [{ infoKeys: '1#', format, gapMs: 20 }] });

    expect(await caller.finished).toMatchObject(SUCCESS);
    const infos = requestsOf(callee.messages(), 'INFO');
    expect(infos.map((info) => info.body.trim())).toEqual([body, body.replace('1', '#')]);
  });

  it('with many calls at a rate', async () => {
    const callee = await receive({ end: 'wait-for-bye' }, { calls: 20 });
    const steps = canSendSound ? [{ play: [{ hz: 440, ms: 400 }] }] : [];
    const caller = await call(callee, { steps }, { calls: 20, callsPerSecond: 50 });

    expect(await caller.finished).toMatchObject({ exitCode: 0, successful: 20, failed: 0 });
    expect(await callee.finished).toMatchObject({ exitCode: 0, successful: 20, failed: 0 });
  });

  it('and reports a call that went otherwise', async () => {
    const callee = await receive({ refuseWith: [503, 'Service Unavailable'] });
    const caller = await call(callee);

    const result = await caller.finished;
    expect(result).toMatchObject({ exitCode: 1, successful: 0, failed: 1 });
    expect(result.errors).toContain('503');
  });
});

describe('SIPp calls baresip', () => {
  it.runIf(canSendSound).each([
    ['PCMU', 20],
    ['PCMA', 40],
  ] as const)('which receives its keys and hears its tone through %s', async (codec, ptimeMs) => {
    const ben = await startPhone({ user: 'ben', answer: 'auto' });
    const play = [{ silenceMs: 200 }, { keys: '1123#' }, { hz: 440, ms: 5000, dbfs: -18 }];
    await call(ben, { codecs: [codec], ptimeMs, steps: [{ play }] });

    await expect.poll(() => ben.keysReceived()).toBe('1123#');
    await expect.poll(() => heardLevel(ben, 440)).toBeCloseTo(-18, 0);
  });

  it.runIf(canSendSound)('without an offer in its INVITE', async () => {
    const ben = await startPhone({ user: 'ben', answer: 'auto' });
    const caller = await call(ben, { offerless: true, steps: [{ play: [{ hz: 440, ms: 1500 }] }] });

    await expect.poll(() => heardLevel(ben, 440)).toBeGreaterThan(-25);
    expect(await caller.finished).toMatchObject(SUCCESS);
  });

  it('and leaves without a BYE', async () => {
    const ben = await startPhone({ user: 'ben', answer: 'auto' });
    const caller = await call(ben, { end: 'leaves' });

    expect(await caller.finished).toMatchObject(SUCCESS);
    expect(requestsOf(caller.messages(), 'BYE')).toEqual([]);
    await expect.poll(() => callsUp(ben.messages())).toBe(1);
  });
});

describe('baresip calls SIPp', () => {
  it.runIf(canSendSound)('and hears its early media before the answer', async () => {
    const callee = await receive({ earlyMedia: [{ hz: 700, ms: 60_000 }], neverAnswers: true });
    const anna = await startPhone({ user: 'anna' });
    await anna.dial(callee.uri);

    await expect.poll(() => heardLevel(anna, 700)).toBeGreaterThan(-25);
    expect(callsUp(anna.messages())).toBe(0);
  });

  it('which answers its re-INVITEs while it waits for the BYE', async () => {
    const callee = await receive({ end: 'wait-for-bye' });
    const anna = await startPhone({ user: 'anna' });
    await anna.dial(callee.uri);
    await anna.waitFor('established');
    await anna.hold();
    await expect.poll(() => requestsOf(callee.messages(), 'ACK')).toHaveLength(2);
    await anna.resume();
    await expect.poll(() => requestsOf(callee.messages(), 'ACK')).toHaveLength(3);
    await anna.hangUp();

    expect(await callee.finished).toMatchObject(SUCCESS);
  });
});
