import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rmsOf } from '@partyline/testing/tones';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { buildApps } from '../build.ts';
import { startBaresip, type BaresipOptions, type BaresipPhone } from '../phones/baresip.ts';
import { callsUp } from '../phones/sip-message.ts';
import { startStack, type Stack } from './stack.ts';

/** The address of the tenant's trunk. Calls from 127.0.0.1 are those of the platform's trunk. */
const TRUNK = '127.0.0.7';
const NUMBER = '+12025550166';
/** A shared number of the platform's trunk. */
const SHARED_NUMBER = '+12025550155';
const CALLER = '+447946000123';
/** A phone behind each trunk. */
const DIALLED = '+447946000456';
const WAIT = { timeout: 30_000, interval: 100 };

let stack: Stack;
let trunk: BaresipPhone;
let platformTrunk: BaresipPhone;
const phones: BaresipPhone[] = [];
beforeAll(async () => {
  await buildApps({ log: () => undefined });
  platformTrunk = await startBaresip({ user: DIALLED, answer: 'auto' });
  stack = await startStack({
    mode: 'unified',
    useOwnServers: true,
    trunkGateways: 1,
    environment: { SIP_TRUNK: hostOf(platformTrunk) },
    log: () => undefined,
  });
  trunk = await startBaresip({ user: DIALLED, address: TRUNK, answer: 'auto' });
});
afterEach(async () => {
  for (const phone of phones.splice(0)) await phone.stop();
});
afterAll(async () => {
  await Promise.all([trunk.stop(), platformTrunk.stop()]);
  await stack.stop();
});

const hostOf = (phone: BaresipPhone): string => new URL(phone.uri).pathname.split('@')[1]!;

async function send<T = unknown>(method: string, path: string, body?: object): Promise<T> {
  const key = path.startsWith('/operator') ? stack.credentials.operator.key : stack.apiKey;
  const reply = await fetch(`${stack.urls['room-api']}/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const given = await reply.json();
  expect([method, path, reply.ok, given]).toEqual([method, path, true, given]);
  return given as T;
}

interface Account {
  readonly id: string;
  readonly voice: { readonly kind: string; readonly sipAddress?: string };
  readonly addresses: object | null;
}
interface Room {
  readonly room: { readonly id: string };
  readonly pin: string;
  readonly client: { readonly kind: string };
  readonly session: { readonly id: string };
}
const legsOf = async ({ room }: Room) =>
  (await send<{ legs: { kind: string; state: string }[] }>('GET', `/rooms/${room.id}`)).legs.map(
    ({ kind, state }) => `${kind} ${state}`,
  );

async function startPhone(options: Partial<BaresipOptions>): Promise<BaresipPhone> {
  const phone = await startBaresip({ user: CALLER, ...options });
  phones.push(phone);
  return phone;
}

/** Whether a phone hears the prompt: speech is at -18 dBFS, a line without it far below -45 dBFS. */
function hearsSound(phone: BaresipPhone): boolean {
  const { samples } = phone.heard({ fromMs: -100 });
  return samples.length > 0 && rmsOf(samples) > -45;
}

/** What kamailio has learnt: the names of its entries of a kind. */
async function listLearnt(kind: 'number' | 'phone'): Promise<string[]> {
  const { rpcUrl, rpcSecret } = stack.selfHosted!.kamailio;
  const reply = await fetch(rpcUrl, {
    method: 'POST',
    headers: { authorization: `Bearer ${rpcSecret}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'htable.dump', params: ['accounts'] }),
  });
  const { result } = (await reply.json()) as { result: { slot: { name: string }[] }[] };
  return result.flatMap(({ slot }) =>
    slot.flatMap(({ name }) => (name.startsWith(`${kind}:`) ? [name.slice(kind.length + 1)] : [])),
  );
}

it(
  'a room on a SIP number lives at Janus, and a room on a Vonage number at Vonage, in one deployment',
  { timeout: 180_000 },
  async () => {
    const { sipUri } = stack.selfHosted!.kamailio;
    const account = await send<Account>('POST', '/provider-accounts', {
      label: 'Our trunk',
      voice: { kind: 'sip', trunk: { host: hostOf(trunk) }, addresses: [TRUNK] },
      video: { kind: 'janus' },
    });
    expect(account).toMatchObject({ voice: { kind: 'sip', sipAddress: sipUri }, addresses: null });
    await send('POST', '/operator/numbers', {
      number: NUMBER,
      tenantId: stack.credentials.tenantId,
      providerAccountId: account.id,
    });
    await expect.poll(() => listLearnt('number'), WAIT).toEqual([NUMBER.slice(1)]);

    const [atVonage, atJanus] = [
      await send<Room>('POST', '/rooms', { name: 'Vonage', number: stack.numbers[0]!.e164 }),
      await send<Room>('POST', '/rooms', { name: 'SIP', number: NUMBER }),
    ];
    expect([atVonage.client.kind, atJanus.client.kind]).toEqual(['unified', 'janus']);

    const emulator = stack.emulator!;
    const { id: call } = await emulator.dial({ from: CALLER, to: stack.numbers[0]!.e164 });
    await emulator.awaitPrompt(call);
    await emulator.key(call, `${atVonage.pin}#`);
    await emulator.awaitJoined(call);

    const caller = await startPhone({ address: TRUNK });
    await caller.dial(`sip:${NUMBER}@${sipUri}`);
    await caller.waitFor('established');
    // Keys are taken from the prompt on.
    await expect.poll(() => hearsSound(caller), WAIT).toBe(true);
    await caller.pressKeys(`${atJanus.pin}#`);
    await expect.poll(() => legsOf(atJanus), WAIT).toEqual(['inbound joined']);

    await send('POST', `/rooms/${atJanus.room.id}/participants`, { phone: DIALLED, name: 'Dialled' });
    await expect.poll(() => legsOf(atJanus), WAIT).toEqual(['inbound joined', 'outbound joined']);
    expect(callsUp(trunk.messages())).toBe(1);
    expect(await legsOf(atVonage)).toContain('inbound joined');

    const login = await send<{ sipAccount: { id: string; username: string; server: string }; password: string }>(
      'POST',
      '/sip-accounts',
      { label: 'Meeting room' },
    );
    const { username, server } = login.sipAccount;
    await expect.poll(() => listLearnt('phone'), WAIT).toEqual([username]);
    const desk = await startPhone({
      user: username,
      domain: server,
      registration: { address: server, password: login.password, expiresSeconds: 10 },
    });
    await desk.waitFor('registered');
    await desk.dial(`sip:${NUMBER}@${server}`);
    await desk.waitFor('established');
    await expect.poll(() => hearsSound(desk), WAIT).toBe(true);
    await desk.pressKeys(`${atJanus.pin}#`);
    await expect.poll(() => legsOf(atJanus), WAIT).toEqual(['inbound joined', 'outbound joined', 'inbound joined']);
    await desk.hangUp();
    await expect.poll(() => legsOf(atJanus), WAIT).toContain('inbound ended');
    // Phones dial conference numbers only.
    await desk.dial(`sip:${DIALLED}@${server}`);
    await desk.waitFor('closed');
    expect(await desk.waitFor('closed')).toMatchObject({ reason: expect.stringContaining('403') as string });
    await send('DELETE', `/sip-accounts/${login.sipAccount.id}`);

    for (const address of ['127.0.0.1', '127.0.0.9']) {
      const stranger = await startPhone({ address });
      await stranger.dial(`sip:${NUMBER}@${sipUri}`);
      expect(await stranger.waitFor('closed')).toMatchObject({ reason: expect.stringContaining('403') as string });
    }

    for (const { room } of [atVonage, atJanus]) await send('POST', `/rooms/${room.id}/end`);
    await caller.waitFor('closed');
    await emulator.awaitEnded(call);
    await expect
      .poll(async () => {
        const { hangUps } = await send<{ hangUps: { confirmedAt: string | null }[] }>('GET', '/hang-ups');
        return hangUps.map(({ confirmedAt }) => confirmedAt !== null);
      }, WAIT)
      .toEqual([true, true, true]);
    expect([callsUp(trunk.messages()), callsUp(caller.messages())]).toEqual([0, 0]);

    await send('DELETE', `/operator/numbers/${NUMBER.slice(1)}`);
    await expect.poll(() => listLearnt('number'), WAIT).toEqual([]);
    await send('DELETE', `/provider-accounts/${account.id}`);
    const logs = readdirSync(stack.logFolder).filter((name) => /api|webhooks|orchestrator|worker/.test(name));
    for (const name of logs)
      expect(readFileSync(join(stack.logFolder, name), 'utf8')).not.toMatch(/"level":"?(50|error)/);
  },
);

it(
  "a shared number at Vonage and one at the platform's SIP trunk have their rooms there, in one deployment",
  { timeout: 180_000 },
  async () => {
    const { sipUri } = stack.selfHosted!.kamailio;
    const vonageNumber = stack.numbers[0]!.e164;
    await send('POST', '/operator/numbers', { number: SHARED_NUMBER, providerAccountId: 'platform-sip' });
    const [atVonage, atTrunk] = [
      await send<Room>('POST', '/rooms', { name: 'Vonage', number: vonageNumber }),
      await send<Room>('POST', '/rooms', { name: 'SIP', number: SHARED_NUMBER }),
    ];
    expect([atVonage.client.kind, atTrunk.client.kind]).toEqual(['unified', 'janus']);

    const emulator = stack.emulator!;
    const { id: call } = await emulator.dial({ from: CALLER, to: vonageNumber });
    await emulator.awaitPrompt(call);
    await emulator.key(call, `${atVonage.pin}#`);
    await emulator.awaitJoined(call);

    const caller = await startPhone({});
    await caller.dial(`sip:${SHARED_NUMBER}@${sipUri}`);
    await caller.waitFor('established');
    await expect.poll(() => hearsSound(caller), WAIT).toBe(true);
    await caller.pressKeys(`${atTrunk.pin}#`);
    await expect.poll(() => legsOf(atTrunk), WAIT).toEqual(['inbound joined']);
    await send('POST', `/rooms/${atTrunk.room.id}/participants`, { phone: DIALLED, name: 'Dialled' });
    await expect.poll(() => legsOf(atTrunk), WAIT).toEqual(['inbound joined', 'outbound joined']);
    expect(callsUp(platformTrunk.messages())).toBe(1);

    // The number of Vonage is unknown at the trunk.
    const stranger = await startPhone({});
    await stranger.dial(`sip:${vonageNumber}@${sipUri}`);
    expect(await stranger.waitFor('closed')).toMatchObject({ reason: expect.stringContaining('404') as string });

    for (const { room } of [atVonage, atTrunk]) await send('POST', `/rooms/${room.id}/end`);
    await caller.waitFor('closed');
    await emulator.awaitEnded(call);
    await expect.poll(() => legsOf(atTrunk), WAIT).toEqual(['inbound ended', 'outbound ended']);
    await expect.poll(async () => (await legsOf(atVonage)).every((leg) => leg.endsWith(' ended')), WAIT).toBe(true);
    const areHangUpsConfirmed = async (): Promise<boolean> =>
      (await send<{ hangUps: { confirmedAt: string | null }[] }>('GET', '/hang-ups')).hangUps.every(
        ({ confirmedAt }) => confirmedAt !== null,
      );
    await expect.poll(areHangUpsConfirmed, WAIT).toBe(true);
    await expect.poll(() => [platformTrunk, caller].map((phone) => callsUp(phone.messages())), WAIT).toEqual([0, 0]);
    await send('DELETE', `/operator/numbers/${SHARED_NUMBER.slice(1)}`);
  },
);
