import { calleeSide, callerSide, SipEndpoint, type Claims } from '@partyline/dev/kamailio/testing/sip-endpoint';
import { headerOf, type SipMessage } from '@partyline/dev/phones/sip-message';
import { createTestKamailio, type TestKamailio } from '@partyline/testing/kamailio';
import { createTestRtpengine, type TestRtpengine } from '@partyline/testing/rtpengine';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { writeEdgeTenants } from './edge-tenants.ts';

/** The network of the operator. All other addresses count as public. */
const PRIVATE_NETWORK = '127.0.1.0/24,0.0.0.0/8';
const VICTIM_ADDRESS = '127.0.1.5';
const TRUNK = '127.0.0.8';
const PLATFORM_TRUNK = '127.0.0.2';
const GATEWAY = '127.0.0.1';
const NUMBER = '+12025550101';
const PLATFORM_NUMBER = '+442079460000';
const CALLER = '+447700900123';
const NAME = 'sip.victim.example';
const PHONE = { id: 'sip_desk', tenantId: 'ten_a', version: 1, password: 'the password of the phone' };

let kamailio: TestKamailio;
/** Through which the audio of calls goes, if any. */
let relay: TestRtpengine | undefined;
let victim: SipEndpoint;
let gateway: SipEndpoint;
const endpoints: SipEndpoint[] = [];
afterEach(() => {
  for (const endpoint of endpoints.splice(0)) endpoint.close();
});

async function open(address?: string, claims?: Claims): Promise<SipEndpoint> {
  const endpoint = await SipEndpoint.open(kamailio.sipUri, address, claims);
  endpoints.push(endpoint);
  return endpoint;
}

/** Opens the victim and the gateway, and a trunk of the tenant whose name leads to the victim. */
async function begin(trunkHost: string | null = null): Promise<void> {
  victim = await open(VICTIM_ADDRESS);
  gateway = await open();
  const uri = `<sip:gw-1@${kamailio.sipUri}>`;
  const password = kamailio.gatewaySecret;
  expect(await gateway.request('REGISTER', { from: `${uri};tag=r`, to: uri, password })).toMatchObject({ status: 200 });
  await kamailio.rpc('dns.add_a', NAME, 600, VICTIM_ADDRESS, 0);
  await writeEdgeTenants({ url: kamailio.rpcUrl, secret: kamailio.rpcSecret }, 20_000, async () => ({
    trunks: [{ id: 'acct_a', trunkHost, addresses: [TRUNK], numbers: [NUMBER] }],
    phones: [PHONE],
    numbers: [{ number: NUMBER, tenantId: 'ten_a', accountId: 'acct_a' }],
  }));
}

const AS_SDP = 'Content-Type: application/sdp';
const soundAt = (address: string, ...more: readonly string[]): string =>
  ['v=0', 'o=- 1 1 IN IP4 0.0.0.0', 's=-', `c=IN IP4 ${address}`, 't=0 0', 'm=audio 4000 RTP/AVP 0', ...more, ''].join(
    '\n',
  );
/** What follows `c=` and the port of `a=rtcp:`, without IN IP4. */
const addressesIn = (body: string): string[] =>
  [...body.matchAll(/^(?:c=|a=rtcp:\d+ )(?:IN IP4 )?(.*?)\r?$/gm)].map((match) => match[1] ?? '');
/** As a message without Content-Length, whose body is the rest of the datagram. */
const withoutLength = (text: string): string => text.replace(/^Content-Length: .*\n/m, '');
const isOf =
  (callId: string) =>
  (message: SipMessage): boolean =>
    headerOf(message, 'call-id') === callId;

/** Sends an INVITE, and returns its Call-ID. */
function dial(phone: SipEndpoint, more: { number?: string; headers?: readonly string[]; body?: string } = {}): string {
  const { number = NUMBER, headers = [AS_SDP], body = soundAt('127.0.0.9') } = more;
  const callId = crypto.randomUUID();
  const uri = `sip:${number}@${kamailio.sipUri}`;
  phone.send('INVITE', { uri, from: `<sip:${CALLER}@x>;tag=caller`, to: `<${uri}>`, callId, headers, body });
  return callId;
}

const inviteOf = (callId: string): Promise<SipMessage> =>
  gateway.receive((message) => message.method === 'INVITE' && isOf(callId)(message));
const replyTo = (endpoint: SipEndpoint, callId: string, method: string): Promise<SipMessage> =>
  endpoint.receive(
    (message) =>
      isOf(callId)(message) && (message.status ?? 0) >= 200 && (headerOf(message, 'cseq') ?? '').endsWith(method),
  );

/** Sets up a call of the tenant's trunk. */
async function callFrom(trunk: SipEndpoint, headers: readonly string[] = []) {
  const callId = dial(trunk, { headers: [AS_SDP, ...headers] });
  const invite = await inviteOf(callId);
  gateway.reply(invite, '200 OK');
  const answer = await replyTo(trunk, callId, 'INVITE');
  // A proxy of the trunk has removed its own Route.
  const { routes, ...side } = callerSide(answer);
  const caller = { ...side, routes: routes.filter((route) => route.includes(kamailio.sipUri)) };
  trunk.sendWithin(caller, 'ACK');
  await gateway.receive((message) => message.method === 'ACK' && isOf(callId)(message));
  return { callId, caller, callee: calleeSide(invite) };
}

/** Ends a call by the RPC: at once, or in so many seconds (`deadline/<seconds>`). */
const endCall = (how: string, callId: string, from: string, to: string): Promise<Response> =>
  fetch(new URL(`/${how}`, kamailio.rpcUrl), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${kamailio.rpcSecret}`,
      'x-call-id': callId,
      'x-from-tag': from,
      'x-to-tag': to,
    },
  });

/** A response that rejects a call. */
const rejectionOf = (phone: SipEndpoint, callId: string): Promise<SipMessage> =>
  phone.receive((message) => isOf(callId)(message) && (message.status ?? 0) >= 300);

/**
 * Returns where the audio that a phone's SDP describes goes.
 * @param message what the gateway got of it
 * @param own the address of the gateway, where the relay sends audio too
 */
async function audioLeadsTo(callId: string, message: SipMessage, own?: string): Promise<string[]> {
  if (relay === undefined) return [...new Set(addressesIn(message.body))].toSorted();
  return (await relay.destinations(callId)).filter((address) => address !== own);
}

/** The gateway gets one BYE in a call, and kamailio has ended it then. */
async function receiveOneBye(callId: string): Promise<void> {
  const isBye = (message: SipMessage): boolean => message.method === 'BYE' && isOf(callId)(message);
  gateway.reply(await gateway.receive(isBye), '200 OK');
  const liveCalls = async () => {
    const dialogs = await kamailio.rpc<{ 'call-id': string; state: number }[]>('dlg.list');
    return dialogs.filter((dialog) => dialog['call-id'] === callId && dialog.state < 5);
  };
  await expect.poll(liveCalls).toEqual([]);
  expect(new Set(gateway.messages.filter(isBye).map((message) => headerOf(message, 'via'))).size).toBe(1);
}

describe.each(['directly', 'through rtpengine'])('audio that goes %s:', (way) => {
  beforeAll(async () => {
    relay = way === 'directly' ? undefined : await createTestRtpengine();
    kamailio = await createTestKamailio({
      trunks: [{ address: PLATFORM_TRUNK, port: 0, account: 'platform' }],
      publicTrunksOnly: true,
      privateNetworks: PRIVATE_NETWORK,
      ...(relay && { rtpengine: relay.control }),
    });
  });
  afterAll(async () => {
    await kamailio.stop();
    await relay?.stop();
  });

  describe('requests in the call of a trunk', () => {
    it('do not follow its Contact into a private network', async () => {
      await begin();
      const trunk = await open(TRUNK, { contact: victim.host });
      expect(await replyTo(trunk, dial(trunk), 'INVITE')).toMatchObject({ status: 403 });
    });

    it.each<[string, () => { claims?: Claims; headers?: readonly string[] }]>([
      ['the name in its Contact', () => ({ claims: { contact: `${NAME}:${victim.port}` } })],
      ['its Record-Route', () => ({ headers: [`Record-Route: <sip:${victim.host};lr>`] })],
      ['the name in its Record-Route', () => ({ headers: [`Record-Route: <sip:${NAME}:${victim.port};lr>`] })],
    ])('do not follow %s into a private network, and the gateway is told', async (_, describeTrunk) => {
      await begin();
      const { claims, headers } = describeTrunk();
      const trunk = await open(TRUNK, claims);
      const { callId, callee } = await callFrom(trunk, headers);
      for (const method of ['INVITE', 'INFO', 'BYE']) {
        gateway.sendWithin(callee, method);
        expect((await replyTo(gateway, callId, method)).status).toBeGreaterThanOrEqual(400);
      }
      expect(victim.messages).toEqual([]);
    });

    it.each(['hang-up', 'deadline/1'])(
      'of kamailio (%s) do not follow it, and the gateway gets its BYE',
      async (how) => {
        await begin();
        const trunk = await open(TRUNK, { contact: `${NAME}:${victim.port}` });
        const { callId } = await callFrom(trunk);
        expect((await endCall(how, callId, 'caller', 'callee')).status).toBe(200);
        await receiveOneBye(callId);
        expect(victim.messages).toEqual([]);
      },
    );

    it('reach the public address of its Contact', async () => {
      await begin();
      const trunk = await open(TRUNK);
      const { callId, callee } = await callFrom(trunk);
      gateway.sendWithin(callee, 'BYE');
      trunk.reply(await trunk.receiveRequest('BYE'), '200 OK');
      expect(await replyTo(gateway, callId, 'BYE')).toMatchObject({ status: 200 });
    });
  });

  describe('in a call to a trunk', () => {
    /** Calls the trunk of the tenant, which answers. Returns what the gateway then knows of the call. */
    async function callTo(trunk: SipEndpoint, type: string, body: string) {
      await begin(trunk.host);
      const answering = trunk.receiveRequest('INVITE').then((invite) => {
        trunk.reply(invite, '200 OK', { headers: [`Content-Type: ${type}`], body });
      });
      const answer = await gateway.request('INVITE', {
        uri: `sip:${CALLER}@${trunk.host}`,
        from: `<sip:gw-1@${kamailio.sipUri}>;tag=gateway`,
        to: `<sip:${CALLER}@${trunk.host}>`,
        headers: ['X-Partyline-Account: acct_a', AS_SDP],
        body: soundAt('127.0.0.1'),
        password: kamailio.gatewaySecret,
      });
      await answering;
      gateway.sendWithin(callerSide(answer), 'ACK');
      return { answer, side: callerSide(answer) };
    }

    it('requests do not follow the Contact of its answer into a private network', async () => {
      const trunk = await open(TRUNK, { contact: `${NAME}:5060` });
      const { side } = await callTo(trunk, 'application/sdp', soundAt('127.0.0.9'));
      gateway.sendWithin({ ...side, uri: `sip:tester@${victim.host}` }, 'BYE');
      expect((await replyTo(gateway, side.callId, 'BYE')).status).toBeGreaterThanOrEqual(400);
      expect(victim.messages).toEqual([]);
    });

    it.each(['hang-up', 'deadline/1'])(
      'the gateway gets the BYE of kamailio (%s) that cannot go there',
      async (how) => {
        const trunk = await open(TRUNK, { contact: `${NAME}:5060` });
        const { side } = await callTo(trunk, 'application/sdp', soundAt('127.0.0.9'));
        await expect.poll(async () => (await endCall(how, side.callId, 'gateway', 'callee')).status).toBe(200);
        await receiveOneBye(side.callId);
      },
    );

    it('sound goes to the source of its answer if that names an address in a private network', async () => {
      const { answer, side } = await callTo(await open(TRUNK), 'application/sdp', soundAt(VICTIM_ADDRESS));
      expect(await audioLeadsTo(side.callId, answer, GATEWAY)).toEqual([TRUNK]);
    });

    it('an answer with another body than SDP arrives without it', async () => {
      const { answer } = await callTo(await open(TRUNK), 'text/plain', soundAt(VICTIM_ADDRESS));
      expect([answer.status, answer.body]).toEqual([200, '']);
    });
  });

  describe('the audio of a call', () => {
    it.each<[string, string]>([
      ['an address in a private network', soundAt(VICTIM_ADDRESS)],
      ['a name', soundAt(NAME)],
      ['another such address for its medium', soundAt('127.0.0.9', `c=IN IP4 ${VICTIM_ADDRESS}`)],
      ['such an address before a public one', soundAt(`${VICTIM_ADDRESS} 127.0.0.9`)],
      ['such an address after a tab', soundAt('127.0.0.9', `c=IN\tIP4\t${VICTIM_ADDRESS}`)],
      ['such an address without a space', soundAt('127.0.0.9', `c=INIP4 ${VICTIM_ADDRESS}`)],
      ['such an address in octal numbers', soundAt('0177.0.1.5')],
      [
        'such an address after one of another family',
        soundAt('127.0.0.9', `c=IN IP4 ${VICTIM_ADDRESS}`).replace('IP4 127.0.0.9', 'IP6 2001:db8::1'),
      ],
      ['a name before another address', soundAt('127.0.0.9', `c=IN ${NAME} x IP4 127.0.0.9`)],
      ['such an address in a very long line', soundAt('127.0.0.9', `c=IN IP4 ${VICTIM_ADDRESS} ${'x'.repeat(20_000)}`)],
      [
        'such an address after a very long line',
        soundAt('127.0.0.9', `a=${'x'.repeat(20_000)}`, `c=IN IP4 ${VICTIM_ADDRESS}`),
      ],
      ['the address of any host', soundAt('0.0.0.0')],
      ['such an address for RTCP', soundAt('127.0.0.9', `a=rtcp:4001 IN IP4 ${VICTIM_ADDRESS}`)],
      [
        'such an address after very many lines',
        soundAt('127.0.0.9', ...Array<string>(120).fill('a=x'), `c=IN IP4 ${NAME}`),
      ],
    ])('of a trunk goes to the source of its SIP if its SDP names %s', async (_, body) => {
      await begin();
      const trunk = await open(TRUNK);
      const callId = dial(trunk, { body });
      const invite = await Promise.race([inviteOf(callId), rejectionOf(trunk, callId)]);
      // rtpengine does not accept some of these SDPs.
      if (relay !== undefined && invite.status === 503) return;
      expect(await audioLeadsTo(callId, invite)).toEqual([TRUNK]);
      gateway.reply(invite, '603 Decline');
    });

    it('of a trunk goes to the public address of its SDP', async () => {
      await begin();
      const trunk = await open(TRUNK);
      const callId = dial(trunk, { body: soundAt('127.0.0.9', 'a=rtcp:4001 IN IP4 127.0.0.9') });
      const invite = await inviteOf(callId);
      expect(await audioLeadsTo(callId, invite)).toEqual(['127.0.0.9']);
      gateway.reply(invite, '603 Decline');
    });

    it.each<[string, string, string]>([
      ['no SDP by its type', 'text/plain', soundAt(VICTIM_ADDRESS)],
      ['several parts', 'multipart/mixed;boundary=x', `--x\n${AS_SDP}\n\n${soundAt(VICTIM_ADDRESS)}--x--\n`],
      ['lines that end otherwise', 'application/sdp', soundAt(`${VICTIM_ADDRESS}\rc=IN IP4 127.0.0.9`)],
    ])('is rejected if its body is %s', async (_, type, body) => {
      await begin();
      const trunk = await open(TRUNK);
      const callId = dial(trunk, { headers: [`Content-Type: ${type}`], body });
      expect(await replyTo(trunk, callId, 'INVITE')).toMatchObject({ status: 415 });
    });

    it('is rejected if its SDP has only an address for RTCP, in a private network', async () => {
      await begin();
      const trunk = await open(TRUNK);
      const body = soundAt('x', `a=rtcp:4001 IN IP4 ${VICTIM_ADDRESS}`).replace('c=IN IP4 x\n', '');
      const { status } = await rejectionOf(trunk, dial(trunk, { body }));
      expect(status).toBe(relay === undefined ? 488 : 503);
    });

    it('is rejected if its body has no length', async () => {
      await begin();
      const trunk = await open(TRUNK);
      const text = trunk.send('OPTIONS', { callId: 'x', headers: [AS_SDP], body: soundAt(VICTIM_ADDRESS) });
      const callId = crypto.randomUUID();
      const uri = `sip:${NUMBER}@${kamailio.sipUri}`;
      trunk.sendText(
        withoutLength(text)
          .replaceAll('OPTIONS', 'INVITE')
          .replace(/^INVITE \S+/, `INVITE ${uri}`)
          .replace(/^Call-ID: .*/m, `Call-ID: ${callId}`)
          .replace(/branch=/, 'branch=z9hG4bKx'),
      );
      expect(await replyTo(trunk, callId, 'INVITE')).toMatchObject({ status: 400 });
    });

    it('of a trunk goes nowhere else after a re-INVITE', async () => {
      await begin();
      const trunk = await open(TRUNK);
      const { callId, caller } = await callFrom(trunk);
      trunk.sendWithin(caller, 'INVITE', { headers: [AS_SDP], body: soundAt(VICTIM_ADDRESS) });
      const again = await gateway.receive(
        (message) =>
          message.method === 'INVITE' && isOf(callId)(message) && (headerOf(message, 'to') ?? '').includes('tag='),
      );
      expect(await audioLeadsTo(callId, again)).toEqual([TRUNK]);
    });

    it("of the platform's trunk goes wherever it says", async () => {
      await begin();
      const trunk = await open(PLATFORM_TRUNK);
      const callId = dial(trunk, { number: PLATFORM_NUMBER, body: soundAt(VICTIM_ADDRESS) });
      const invite = await inviteOf(callId);
      expect(await audioLeadsTo(callId, invite)).toEqual([VICTIM_ADDRESS]);
      gateway.reply(invite, '603 Decline');
    });
  });

  describe('a SIP phone behind NAT', () => {
    it.each([
      ['a BYE of kamailio', false],
      ['a BYE of kamailio after it has changed the call', true],
    ])('gets responses, sound, and %s at the address that it sends from', async (_, changes) => {
      await begin();
      const phone = await open('127.0.0.9', { via: '127.0.1.7:5060', contact: '127.0.1.7:5060' });
      const uri = `sip:${NUMBER}@${kamailio.sipUri}`;
      const own = `<sip:${PHONE.id}@${kamailio.sipUri}>`;
      const callId = crypto.randomUUID();
      const body = soundAt('127.0.1.7');
      const call = { uri, from: `${own};tag=caller`, to: `<${uri}>`, callId, headers: [AS_SDP], body };
      const answered = phone.request('INVITE', { ...call, password: PHONE.password });
      const invite = await inviteOf(callId);
      expect(await audioLeadsTo(callId, invite)).toEqual(['127.0.0.9']);
      expect(headerOf(invite, 'contact')).toContain(`@${phone.host}`);
      gateway.reply(invite, '200 OK');
      const answer = await answered;
      expect(answer).toMatchObject({ status: 200 });
      phone.sendWithin(callerSide(answer), 'ACK');
      await gateway.receive((message) => message.method === 'ACK' && isOf(callId)(message));
      if (changes) {
        const side = callerSide(answer);
        phone.sendWithin(side, 'INVITE', { headers: [AS_SDP], body });
        const again = await gateway.receive(
          (message) =>
            message.method === 'INVITE' &&
            message !== invite &&
            isOf(callId)(message) &&
            message.body !== '' &&
            (headerOf(message, 'to') ?? '').includes('tag='),
        );
        expect(headerOf(again, 'contact')).toContain(`@${phone.host}`);
        gateway.reply(again, '200 OK');
        await phone.receive(
          (message) =>
            isOf(callId)(message) && message.status === 200 && headerOf(message, 'cseq') === headerOf(again, 'cseq'),
        );
        phone.sendWithin(side, 'ACK');
      }
      expect((await endCall('hang-up', callId, 'caller', 'callee')).status).toBe(200);
      phone.reply(await phone.receiveRequest('BYE'), '200 OK');
      await gateway.receive((message) => message.method === 'BYE' && isOf(callId)(message));
    });
  });
});

it.each([
  ['that rtpengine does not accept', soundAt('127.0.0.9', 'c=IN IP5 127.0.0.9', 'm=audio')],
  // With ICE, rtpengine sends to the address of the SDP, not to the source of the message.
  ['with ICE and a private address', soundAt(VICTIM_ADDRESS, 'a=ice-ufrag:abcd', 'a=ice-pwd:0123456789012345678901')],
])('an answer %s arrives without its sound when rtpengine relays it', async (_what, body) => {
  const relaying = await createTestRtpengine();
  kamailio = await createTestKamailio({
    publicTrunksOnly: true,
    privateNetworks: PRIVATE_NETWORK,
    rtpengine: relaying.control,
  });
  try {
    const trunk = await open(TRUNK);
    await begin(trunk.host);
    const answering = trunk.receiveRequest('INVITE').then((invite) => {
      trunk.reply(invite, '200 OK', { headers: [AS_SDP], body });
    });
    const answer = await gateway.request('INVITE', {
      uri: `sip:${CALLER}@${trunk.host}`,
      from: `<sip:gw-1@${kamailio.sipUri}>;tag=gateway`,
      to: `<sip:${CALLER}@${trunk.host}>`,
      headers: ['X-Partyline-Account: acct_a', AS_SDP],
      body: soundAt('127.0.0.1'),
      password: kamailio.gatewaySecret,
    });
    await answering;
    expect([answer.status, answer.body]).toEqual([200, '']);
  } finally {
    await kamailio.stop();
    await relaying.stop();
  }
});
