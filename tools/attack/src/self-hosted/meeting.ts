import type { CreatedRoom } from '@partyline/contracts/rooms/room';
import { startBaresip, type BaresipPhone } from '@partyline/dev/phones/baresip';
import { callIdOf, headerOf, headersOf } from '@partyline/dev/phones/sip-message';
import { poll, until } from '@partyline/dev/processes/until';
import type { SelfHosted } from '@partyline/dev/stack/self-hosted';
import type { Stack } from '@partyline/dev/stack/stack';
import type { Store } from '@partyline/store/database/store';
import { levelOf, rmsOf } from '@partyline/testing/tones';
import { joinHonestly, type HonestBrowser } from './honest-browser.ts';
import { MALFORMED_CALLER } from './sip-fuzz.ts';

/** A call of a phone in the meeting, as an eavesdropper on its SIP would know it. */
export interface LiveCall {
  readonly callId: string;
  /** The values of From and To in the requests of the phone, with tags. */
  readonly from: string;
  readonly to: string;
  /** The URIs of the gateway and of the phone. */
  readonly gatewayUri: string;
  readonly phoneUri: string;
  /** The Record-Route of kamailio, with its parameters. */
  readonly route: string;
}

/** What an attacker can do to our own gateways, and what must not change meanwhile. */
export interface Meeting {
  /** `host:port` of kamailio. */
  readonly sip: string;
  readonly rpc: { readonly url: string; readonly secret: string };
  /** The password of the users `gw-<id>` at kamailio. */
  readonly kamailioSecret: string;
  readonly gateways: readonly { readonly id: string; readonly url: string }[];
  /** Signs control requests and tokens. */
  readonly gatewaySecret: string;
  /** The dial-in numbers of the meeting, of the attacker, and of the platform. */
  readonly numbers: { readonly victim: string; readonly attacker: string; readonly platform: string };
  /** The address of the trunk of the attacker's own account. */
  readonly attackerTrunk: string;
  readonly victim: SocketParty;
  readonly attacker: SocketParty;
  /** Values that no log may hold, each with its name. */
  readonly secrets: readonly (readonly [string, string])[];
  calls(): readonly LiveCall[];
  /** The ids of all processes of kamailio, Janus and media-gateway. Equal texts: none has ended. */
  listProcesses(): Promise<string>;
  /** Waits until a call, its sound or the browser's connection has ended; null if none has. */
  findFault(): Promise<string | null>;
  /** What the phones have not heard of each other since that time (`Date.now`); null: nothing. */
  findSilence(sinceMs: number): string | null;
  /** Places a new call on the trunk of the meeting. Returns why it did not get through, or null. */
  dialIn(): Promise<string | null>;
  close(): Promise<void>;
}

/** A tenant on the socket of browsers. */
export interface SocketParty {
  readonly conference: string;
  /** The id of its provider account. */
  readonly account: string;
  /** A valid token for its conference. */
  readonly token: string;
  /** The connection of its browser; empty without one. */
  readonly connectionId: string;
}

interface Party {
  readonly key: string;
  readonly tenantId: string;
}
export interface MeetingOptions {
  readonly stack: Stack;
  readonly owner: Store;
  readonly operatorKey: string;
  readonly victim: Party;
  readonly attacker: Party;
}

const VICTIM_TRUNK = '127.0.0.7';
const ATTACKER_TRUNK = '127.0.0.8';
const VICTIM_NUMBER = '+442079460031';
const ATTACKER_NUMBER = '+442079460032';
/** A public address that no packet is sent to: the API accepts no internal one. */
const PUBLIC_ADDRESS = '8.8.4.4';
const PHONES = [
  { user: '+447946000311', hz: 440 },
  { user: '+447946000312', hz: 1_000 },
] as const;
const NEW_CALLER = '+447946000313';
const VOICE_DBFS = -20;
const AUDIBLE_DBFS = -45;
const SETUP_TIMEOUT_MS = 20_000;
const CALL_TIMEOUT_MS = 10_000;
const SOUND_TIMEOUT_MS = 3_000;
const WINDOW_MS = 500;
/** Phones have no jitter buffer, and share two cores with the attack. */
const MIN_AUDIBLE_WINDOWS = 0.9;
/** The state of a dialog in kamailio. */
const CONFIRMED = 4;

/** Opens a room of a SIP account of each tenant, with two phones and a browser in that of the victim. */
export async function openMeeting(options: MeetingOptions): Promise<Meeting> {
  const { stack, victim, attacker } = options;
  const selfHosted = stack.selfHosted;
  if (selfHosted === null) throw new Error('This stack has no gateways.');
  const { kamailio, gateways } = selfHosted;
  const [room, attackerRoom] = [
    await openRoom(options, victim, VICTIM_NUMBER, VICTIM_TRUNK),
    await openRoom(options, attacker, ATTACKER_NUMBER, ATTACKER_TRUNK),
  ];
  await until('kamailio knows the numbers', async () => (await countNumbers(selfHosted)) === 2, SETUP_TIMEOUT_MS);
  const opened: { stop(): Promise<void> }[] = [];
  try {
    const startPhone = async (user: string, hz: number): Promise<BaresipPhone> => {
      const phone = await startBaresip({ user, address: VICTIM_TRUNK, microphone: { hz, dbfs: VOICE_DBFS } });
      opened.push(phone);
      await phone.dial(`sip:${VICTIM_NUMBER}@${kamailio.sipUri}`);
      await phone.waitFor('established');
      return phone;
    };
    const phones = await Promise.all(PHONES.map(({ user, hz }) => startPhone(user, hz)));
    await Promise.all(phones.map((phone) => keyPin(phone, room.pin)));
    const socketUrl = (index: number): string => `${gateways[index]!.url.replace('http', 'ws')}/v1/socket`;
    const browser: HonestBrowser = await joinHonestly(socketUrl(gateways.length - 1), room.token);
    opened.push({ stop: () => browser.close() });

    const findSilence = (sinceMs: number): string | null => {
      const silent = phones.flatMap((phone, index) => {
        const others = PHONES[1 - index]!;
        return countAudible(phone, others.hz, sinceMs) < MIN_AUDIBLE_WINDOWS
          ? [`${phone.name} did not hear the other`]
          : [];
      });
      return silent.length === 0 ? null : silent.join(', ');
    };
    const findFaultNow = (): string | null => {
      if (phones.some((phone) => phone.events().some(({ kind }) => kind === 'closed')))
        return 'ended a call of another';
      if (!browser.isOpen) return 'ended the connection of a browser';
      return findSilence(Date.now() - WINDOW_MS - 200);
    };
    await until('the phones hear each other', () => findFaultNow() === null, SETUP_TIMEOUT_MS);
    await until('the browser hears the phones', () => browser.hears(), SETUP_TIMEOUT_MS);

    return {
      sip: kamailio.sipUri,
      rpc: { url: kamailio.rpcUrl, secret: kamailio.rpcSecret },
      kamailioSecret: kamailio.gatewaySecret,
      gateways: gateways.map(({ id, url }) => ({ id, url })),
      gatewaySecret: stack.credentials.gatewaySecret,
      numbers: { victim: VICTIM_NUMBER, attacker: ATTACKER_NUMBER, platform: stack.numbers[0]!.e164 },
      attackerTrunk: ATTACKER_TRUNK,
      victim: {
        conference: room.conference,
        account: room.account,
        token: room.token,
        connectionId: browser.connectionId,
      },
      attacker: {
        conference: attackerRoom.conference,
        account: attackerRoom.account,
        token: attackerRoom.token,
        connectionId: '',
      },
      secrets: [
        ['the secret of the gateways', stack.credentials.gatewaySecret],
        ['the password of the gateways at kamailio', kamailio.gatewaySecret],
        ['the secret of the RPC', kamailio.rpcSecret],
        ...gateways.flatMap(({ id, janus }) => [
          [`the API secret of Janus of ${id}`, janus.apiSecret] as const,
          [`the admin key of Janus of ${id}`, janus.adminKey] as const,
        ]),
        ['the PIN of a meeting', room.pin],
        ['the token of a browser', room.token],
        ['the caller of malformed messages', MALFORMED_CALLER.slice(1)],
        ...PHONES.map(({ user }) => ['the number of a phone in a meeting', user.slice(1)] as const),
      ],
      calls: () => phones.map(describeCall),
      listProcesses: () => listProcesses(selfHosted),
      async findFault() {
        let fault = findFaultNow();
        // Sound may have been late.
        await poll(() => (fault = findFaultNow()) === null && browser.hears(), SOUND_TIMEOUT_MS);
        if (fault !== null) return fault;
        const known = await listCallIds(selfHosted);
        if (phones.some((phone) => !known.has(describeCall(phone).callId)))
          return 'ended a call of another in kamailio';
        return browser.hears() ? null : 'silenced a browser';
      },
      findSilence,
      async dialIn() {
        const phone = await startBaresip({ user: NEW_CALLER, address: VICTIM_TRUNK });
        try {
          await phone.dial(`sip:${VICTIM_NUMBER}@${kamailio.sipUri}`);
          await phone.waitFor('established', CALL_TIMEOUT_MS);
          return (await poll(() => isAudible(phone), CALL_TIMEOUT_MS)) === null ? 'heard no prompt' : null;
        } catch (error) {
          return `did not get through: ${error instanceof Error ? error.message.split('\n', 1)[0] : String(error)}`;
        } finally {
          await phone.stop();
        }
      },
      close: () => stopAll(opened),
    };
  } catch (error) {
    await stopAll(opened);
    throw error;
  }
}

async function stopAll(opened: readonly { stop(): Promise<void> }[]): Promise<void> {
  for (const one of opened.toReversed()) await one.stop();
}

/** Creates a SIP account with a trunk and a number, and a room on it that does not end by itself. */
async function openRoom(
  { stack, owner, operatorKey }: MeetingOptions,
  { key, tenantId }: Party,
  number: string,
  address: string,
): Promise<{ pin: string; conference: string; account: string; token: string }> {
  const post = async <T>(path: string, by: string, body: object): Promise<T> => {
    const reply = await fetch(`${stack.urls['room-api']}/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${by}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!reply.ok) throw new Error(`POST ${path} failed with ${reply.status} in the setup: ${await reply.text()}`);
    return (await reply.json()) as T;
  };
  const { id } = await post<{ id: string }>('/provider-accounts', key, {
    label: 'Trunk',
    voice: { kind: 'sip', addresses: [PUBLIC_ADDRESS] },
    video: { kind: 'janus' },
  });
  await owner.pool.query('UPDATE provider_account SET trunk_addresses = $2 WHERE id = $1', [id, [address]]);
  await post('/operator/numbers', operatorKey, { number, tenantId, providerAccountId: id });
  const { client, pin } = await post<CreatedRoom>('/rooms', key, {
    name: 'Meeting',
    number,
    neverUsedSeconds: null,
    aloneSeconds: null,
    phonesLeftSeconds: null,
    browsersLeftSeconds: null,
    emptySeconds: null,
  });
  if (client === null || pin === null) throw new Error('The room on a SIP number has no session.');
  return { pin, conference: client.mediaSessionId, account: id, token: client.token };
}

async function callRpc<T>({ kamailio }: SelfHosted, method: string, params: readonly string[] = []): Promise<T> {
  const reply = await fetch(kamailio.rpcUrl, {
    method: 'POST',
    headers: { authorization: `Bearer ${kamailio.rpcSecret}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  return ((await reply.json()) as { result: T }).result;
}

/** The numbers of tenants that kamailio has learnt. */
async function countNumbers(selfHosted: SelfHosted): Promise<number> {
  const entries = await callRpc<{ slot: { name: string }[] }[]>(selfHosted, 'htable.dump', ['accounts']);
  return entries.flatMap(({ slot }) => slot.filter(({ name }) => name.startsWith('number:'))).length;
}

/** The Call-IDs of the calls that are up in kamailio. */
async function listCallIds(selfHosted: SelfHosted): Promise<Set<string>> {
  const dialogs = await callRpc<{ 'call-id': string; state: number }[]>(selfHosted, 'dlg.list');
  return new Set(dialogs.filter(({ state }) => state === CONFIRMED).map((dialog) => dialog['call-id']));
}

async function listProcesses(selfHosted: SelfHosted): Promise<string> {
  const { gateways } = selfHosted;
  // A process of kamailio that crashes ends all of them.
  const kamailio = await callRpc<{ PID: number }[]>(selfHosted, 'core.psx');
  return JSON.stringify({
    kamailio: kamailio.map(({ PID }) => PID),
    janus: gateways.map(({ janus }) => janus.pid),
    gateways: gateways.map(({ child }) => (child?.isRunning === true ? child.pid : null)),
    ready: await Promise.all(
      gateways.map(async ({ managementUrl }) => (await fetch(`${managementUrl}/readyz`)).status),
    ),
  });
}

async function keyPin(phone: BaresipPhone, pin: string): Promise<void> {
  await until(`${phone.name} hears the prompt`, () => isAudible(phone), SETUP_TIMEOUT_MS);
  await phone.pressKeys(`${pin}#`);
}

function isAudible(phone: BaresipPhone): boolean {
  const { samples } = phone.heard({ fromMs: -100 });
  return samples.length > 0 && rmsOf(samples) > AUDIBLE_DBFS;
}

/** The share of windows since a time in which a phone heard a tone, from 0 to 1. */
function countAudible(phone: BaresipPhone, hz: number, sinceMs: number): number {
  const { samples, rate } = phone.heard({ fromMs: sinceMs - Date.now() });
  const length = Math.round((rate * WINDOW_MS) / 1_000);
  const count = Math.max(1, Math.floor(samples.length / length));
  const audible = Array.from({ length: count }, (_, at) => samples.subarray(at * length, (at + 1) * length)).filter(
    (window) => levelOf(window, hz, rate) > AUDIBLE_DBFS,
  );
  return audible.length / count;
}

function describeCall(phone: BaresipPhone): LiveCall {
  const answer = phone
    .messages()
    .find((message) => message.status === 200 && (headerOf(message, 'cseq') ?? '').endsWith('INVITE'));
  if (answer === undefined) throw new Error(`${phone.name} has no call.`);
  return {
    callId: callIdOf(answer),
    from: headerOf(answer, 'from') ?? '',
    to: headerOf(answer, 'to') ?? '',
    gatewayUri: /<([^>]+)>/.exec(headerOf(answer, 'contact') ?? '')?.[1] ?? '',
    phoneUri: phone.uri,
    route: headersOf(answer, 'record-route')[0] ?? '',
  };
}
