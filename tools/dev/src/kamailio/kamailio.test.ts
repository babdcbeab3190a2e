import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestKamailio, type TestKamailio, type TestKamailioOptions } from '@partyline/testing/kamailio';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { createTestRtpengine, type TestRtpengine } from '@partyline/testing/rtpengine';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { headerOf, isAuthorized, type SipMessage } from '../phones/sip-message.ts';
import { startKamailio } from './kamailio.ts';
import { calleeSide, callerSide, SipEndpoint, type CallSide } from './testing/sip-endpoint.ts';

let kamailio: TestKamailio;
const endpoints: SipEndpoint[] = [];
const TRUNK_ADDRESS = '127.0.0.2';
const NUMBER = '+442079460000';
const CALLER = '+447700900123';
const SOUND = 'v=0\no=- 1 1 IN IP4 127.0.0.9\ns=-\nc=IN IP4 127.0.0.9\nt=0 0\nm=audio 4000 RTP/AVP 0\n';
const CHALLENGE = 'Proxy-Authenticate: Digest realm="trunk.example", nonce="1"';
/** `maxDurationSeconds` of a room at most. */
const LONGEST_SESSION_SECONDS = 21_600;
const toBase64 = (text: string): string => Buffer.from(text).toString('base64');

beforeAll(async () => {
  kamailio = await createTestKamailio({
    trunks: [{ address: TRUNK_ADDRESS, port: 0, account: 'acct_1' }],
  });
});
afterAll(() => kamailio.stop());

afterEach(async () => {
  for (const endpoint of endpoints.splice(0)) endpoint.close();
});

async function open(address?: string): Promise<SipEndpoint> {
  const endpoint = await SipEndpoint.open(kamailio.sipUri, address);
  endpoints.push(endpoint);
  return endpoint;
}

/** An endpoint that is registered as a gateway. */
async function openGateway(name: string): Promise<SipEndpoint> {
  const gateway = await open();
  expect(await register(gateway, name)).toMatchObject({ status: 200 });
  return gateway;
}

function register(
  gateway: SipEndpoint,
  name: string,
  { password = kamailio.gatewaySecret, expires = 60 } = {},
): Promise<SipMessage> {
  const uri = `<sip:${name}@${kamailio.sipUri}>`;
  return gateway.request('REGISTER', {
    from: `${uri};tag=reg`,
    to: uri,
    headers: [`Expires: ${expires}`],
    password,
  });
}

/** Sends an INVITE to the conference number, and returns its Call-ID. */
function dialIn(trunk: SipEndpoint, headers: readonly string[] = [], body = ''): string {
  const callId = crypto.randomUUID();
  trunk.send('INVITE', {
    uri: `sip:${NUMBER}@${kamailio.sipUri}`,
    from: `<sip:${CALLER}@trunk.example>;tag=caller`,
    to: `<sip:${NUMBER}@${kamailio.sipUri}>`,
    callId,
    cseq: '1 INVITE',
    headers,
    body,
  });
  return callId;
}

function finalResponse(endpoint: SipEndpoint, callId: string): Promise<SipMessage> {
  return endpoint.receive((message) => headerOf(message, 'call-id') === callId && (message.status ?? 0) >= 200);
}

interface Dialog {
  h_entry: number;
  h_id: number;
  'call-id': string;
  state: number;
  timeout: number;
  caller: { cseq: string };
  variables: Record<string, string>[];
}

async function findDialog(callId: string): Promise<Dialog | undefined> {
  const dialogs = await kamailio.rpc<Dialog[]>('dlg.list');
  // An ended call (state 5) stays in the list for a while.
  return dialogs.find((dialog) => dialog['call-id'] === callId && dialog.state < 5);
}

/** Returns the calls whose phones have not answered the BYEs of gateways: the value by the Call-ID. */
async function findByes(): Promise<Record<string, string>> {
  const rows = await kamailio.rpc<{ slot: { name: string; value: string }[] }[]>('htable.dump', 'byes');
  return Object.fromEntries(rows.flatMap(({ slot }) => slot.map(({ name, value }) => [name, value])));
}

/** Waits until an endpoint has received so many BYEs, and answers the last one. */
async function answerBye(endpoint: SipEndpoint, count = 1): Promise<SipMessage> {
  const byes = (): SipMessage[] => endpoint.messages.filter(({ method }) => method === 'BYE');
  await expect.poll(() => byes().length, { timeout: 30_000 }).toBeGreaterThanOrEqual(count);
  const bye = byes().at(-1)!;
  endpoint.reply(bye, '200 OK');
  return bye;
}
/** So many BYEs take longer than kamailio waits for other answers (2 s). */
const BYES_OF_3_SECONDS = 4;

/** Ends an answered call by the RPC: at once (`hang-up`), or in so many seconds (`deadline/<seconds>`). */
function endCall(how: string, callId: string, { from, to }: { from: string; to: string }): Promise<Response> {
  return fetch(new URL(`/${how}`, kamailio.rpcUrl), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${kamailio.rpcSecret}`,
      'x-call-id': callId,
      'x-from-tag': from,
      'x-to-tag': to,
    },
  });
}

/** The tags of an answered call of `dialIn`. */
const TAGS = { from: 'caller', to: 'callee' };

/** Sets up a call from a trunk to a gateway. */
async function answeredCall(headers: readonly string[] = []): Promise<{
  trunk: SipEndpoint;
  gateway: SipEndpoint;
  callId: string;
  caller: CallSide;
  callee: CallSide;
  answer: SipMessage;
}> {
  const gateway = await openGateway('gw-1');
  const trunk = await open(TRUNK_ADDRESS);
  const callId = dialIn(trunk);
  const invite = await gateway.receiveRequest('INVITE');
  gateway.reply(invite, '200 OK', { headers });
  const answer = await finalResponse(trunk, callId);
  const caller = callerSide(answer);
  trunk.sendWithin(caller, 'ACK');
  await gateway.receiveRequest('ACK');
  return { trunk, gateway, callId, caller, callee: calleeSide(invite), answer };
}

describe('the SIP edge and strangers', () => {
  it('answers OPTIONS over UDP and over TCP', async () => {
    const endpoint = await open();
    expect(await endpoint.request('OPTIONS')).toMatchObject({ status: 200 });
    const [host = '', port] = kamailio.sipUri.split(':');
    const socket = connect(Number(port), host);
    socket.write(
      [
        `OPTIONS sip:${kamailio.sipUri} SIP/2.0`,
        'Via: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bKtcp;rport',
        'Max-Forwards: 70',
        'From: <sip:tester@127.0.0.1>;tag=tcp',
        `To: <sip:${kamailio.sipUri}>`,
        'Call-ID: tcp',
        'CSeq: 1 OPTIONS',
        'Content-Length: 0',
        '\r\n',
      ].join('\r\n'),
    );
    const [data] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(data.toString()).toMatch(/^SIP\/2.0 200 OK/);
  });

  it('rejects calls from unknown addresses', async () => {
    for (const address of ['127.0.0.1', '127.0.0.3']) {
      const endpoint = await open(address);
      expect(await finalResponse(endpoint, dialIn(endpoint))).toMatchObject({ status: 403 });
    }
    const stranger = await open('127.0.0.3');
    const from = `<sip:gw-1@${kamailio.sipUri}>;tag=1`;
    const uri = `sip:${NUMBER}@${TRUNK_ADDRESS}`;
    expect(await stranger.request('INVITE', { from, uri, password: kamailio.gatewaySecret })).toMatchObject({
      status: 403,
    });
  });

  it('rejects registrations of strangers, of phones, and with a wrong secret', async () => {
    expect(await register(await open('127.0.0.3'), 'gw-1')).toMatchObject({ status: 403 });
    expect(await register(await open(), 'phone-1')).toMatchObject({ status: 403 });
    expect(await register(await open(), 'gw-1', { password: 'wrong' })).toMatchObject({ status: 401 });
    const gateway = await open();
    const reply = await gateway.request('REGISTER', {
      // The credentials are of another user than the registration.
      from: `<sip:gw-2@${kamailio.sipUri}>;tag=1`,
      to: `<sip:gw-1@${kamailio.sipUri}>`,
      password: kamailio.gatewaySecret,
    });
    expect(reply).toMatchObject({ status: 401 });
  });

  it('gives scanners no answer', async () => {
    const scanner = await open('127.0.0.3');
    scanner.send('OPTIONS', { headers: ['User-Agent: friendly-scanner'] });
    scanner.send('INVITE', { headers: ['User-Agent: SIPVicious 0.3'] });
    for (const _round of [1, 2]) expect(await scanner.request('OPTIONS')).toMatchObject({ status: 200 });
    expect(scanner.messages).toHaveLength(2);
  });

  it('answers malformed requests with 400', async () => {
    const endpoint = await open('127.0.0.3');
    expect(await endpoint.request('OPTIONS', { cseq: '1 INVITE' })).toMatchObject({ status: 400 });
    endpoint.send('OPTIONS', { headers: ['Expires: soon'] });
    endpoint.send('OPTIONS', { from: '<sip:@@@;;>;tag=' });
    endpoint.send('INVITE', { uri: 'http://example.com' });
    await expect.poll(() => endpoint.messages.map(({ status }) => status)).toEqual([400, 400, 400, 400]);
  });

  it('ignores an address that floods it', async () => {
    const flood = await open('127.0.0.4');
    for (let count = 0; count < 400; count += 1) flood.send('OPTIONS');
    const other = await open('127.0.0.5');
    expect(await other.request('OPTIONS')).toMatchObject({ status: 200 });
    const answered = flood.messages.length;
    expect(answered).toBeLessThan(200);
  });

  it('relays no requests and no responses between strangers', async () => {
    const victim = await open('127.0.0.5');
    const stranger = await open('127.0.0.3');
    const uri = `sip:victim@${victim.host}`;
    expect(await stranger.request('MESSAGE', { uri })).toMatchObject({ status: 405 });
    expect(await stranger.request('BYE', { uri, to: `<${uri}>;tag=1` })).toMatchObject({ status: 481 });
    const routed = { uri, to: `<${uri}>;tag=1`, headers: [`Route: <sip:${kamailio.sipUri};lr>`] };
    expect(await stranger.request('BYE', routed)).toMatchObject({ status: 481 });
    stranger.sendText(
      [
        'SIP/2.0 200 OK',
        `Via: SIP/2.0/UDP ${kamailio.sipUri};branch=z9hG4bK1`,
        `Via: SIP/2.0/UDP ${victim.host};branch=z9hG4bK2`,
        'From: <sip:a@b.example>;tag=1',
        'To: <sip:c@d.example>;tag=2',
        'Call-ID: forged',
        'CSeq: 1 INVITE',
        'Content-Length: 0',
        '',
        '',
      ].join('\n'),
    );
    expect(await victim.request('OPTIONS')).toMatchObject({ status: 200 });
    expect(victim.messages).toHaveLength(1);
  });
});

describe('the RPC of the SIP edge', () => {
  const post = (url: string, secret?: string): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      ...(secret !== undefined && { headers: { authorization: `Bearer ${secret}` } }),
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'core.version' }),
    });

  it('requires its secret, and is not reachable at the SIP port', async () => {
    expect((await post(kamailio.rpcUrl)).status).toBe(401);
    expect((await post(kamailio.rpcUrl, kamailio.gatewaySecret)).status).toBe(401);
    expect((await post(`http://${kamailio.sipUri}/RPC`, kamailio.rpcSecret)).status).toBe(404);
    expect((await fetch(new URL('/healthz', kamailio.rpcUrl))).status).toBe(200);
    expect(await kamailio.rpc('core.version')).toMatch(/^kamailio 5|^kamailio 6/);
  });
});

describe('a call from a trunk', () => {
  it('is rejected with Retry-After when no gateway is registered', async () => {
    const trunk = await open(TRUNK_ADDRESS);
    const reply = await finalResponse(trunk, dialIn(trunk));
    expect([reply.status, headerOf(reply, 'retry-after')]).toEqual([503, '5']);
  });

  it.each<[string, string, { tag?: string; contact?: string }]>([
    ['a malformed Contact, because it would have no deadline', 'contact', { contact: '<sip:caller' }],
    ['a tag that the database cannot hold', 'tag', { tag: 't'.repeat(129) }],
    ['a Contact that the database cannot hold', 'long', { contact: `<sip:${'c'.repeat(250)}@127.0.0.1>` }],
  ])('is rejected with %s', async (_, callId, { tag = 'caller', contact = `<sip:${CALLER}@127.0.0.1>` }) => {
    const [gateway, trunk] = [await openGateway('gw-1'), await open(TRUNK_ADDRESS)];
    trunk.sendText(
      [
        `INVITE sip:${NUMBER}@${kamailio.sipUri} SIP/2.0`,
        `Via: SIP/2.0/UDP ${trunk.host};branch=z9hG4bK${callId};rport`,
        'Max-Forwards: 70',
        `From: <sip:${CALLER}@${trunk.host}>;tag=${tag}`,
        `To: <sip:${NUMBER}@${kamailio.sipUri}>`,
        `Call-ID: ${callId}`,
        'CSeq: 1 INVITE',
        `Contact: ${contact}`,
        'Content-Length: 0',
        '',
        '',
      ].join('\n'),
    );
    expect(await finalResponse(trunk, callId)).toMatchObject({ status: 400 });
    expect(gateway.messages.filter(({ method }) => method === 'INVITE')).toEqual([]);
  });

  it('reaches a gateway with the number and the account in headers that a caller cannot forge', async () => {
    const gateway = await openGateway('gw-1');
    const trunk = await open(TRUNK_ADDRESS);
    dialIn(trunk, [
      'X-Partyline-Account: acct_2',
      'x-partyline-call: forged',
      'X-Privacy: none',
      'Privacy: id',
      `P-Asserted-Identity: <sip:${CALLER}@trunk.example>`,
    ]);
    const invite = await gateway.receiveRequest('INVITE');
    const ours = invite.headers.filter(([name]) => /^(x-|privacy|p-asserted)/i.test(name));
    expect(Object.fromEntries(ours)).toEqual({
      'P-Asserted-Identity': `<sip:${CALLER}@trunk.example>`,
      Privacy: 'id',
      'X-Partyline-Account': 'acct_1',
      'X-Partyline-Number': NUMBER,
      'X-Privacy': 'id',
    });
    gateway.reply(invite, '486 Busy Here');
    await trunk.receive(({ status }) => status === 503);
  });

  it('goes to a gateway whatever host its request URI names', async () => {
    const gateway = await openGateway('gw-1');
    const trunk = await open(TRUNK_ADDRESS);
    const elsewhere = await open('127.0.0.5');
    trunk.send('INVITE', { uri: `sip:${NUMBER}@${elsewhere.host}`, headers: [`Route: <sip:${elsewhere.host};lr>`] });
    const invite = await gateway.receiveRequest('INVITE');
    expect(headerOf(invite, 'route')).toBeUndefined();
    gateway.reply(invite, '480 Temporarily Unavailable');
    await trunk.receive(({ status }) => status === 503);
    expect(elsewhere.messages).toEqual([]);
  });

  it('goes to the next gateway when one is busy, fails, or does not answer', async () => {
    const gateways = await Promise.all(['gw-1', 'gw-2', 'gw-3'].map(openGateway));
    const trunk = await open(TRUNK_ADDRESS);
    const tried: SipEndpoint[] = [];
    const callId = dialIn(trunk);
    for (const status of ['486 Busy Here', 'none', '200 OK']) {
      const rung = await Promise.race(
        gateways
          .filter((gateway) => !tried.includes(gateway))
          .map((gateway) => gateway.receiveRequest('INVITE').then((invite) => ({ gateway, invite }))),
      );
      tried.push(rung.gateway);
      if (status !== 'none') rung.gateway.reply(rung.invite, status);
    }
    expect(await finalResponse(trunk, callId)).toMatchObject({ status: 200 });
    const names = ['gw-1', 'gw-2', 'gw-3'];
    const dialog = await findDialog(callId);
    expect(dialog?.variables).toContainEqual({ gateway: names[gateways.indexOf(tried[2]!)] });
    await kamailio.rpc('dlg.end_dlg', dialog?.h_entry, dialog?.h_id);
    await Promise.all(gateways.map((gateway, index) => register(gateway, names[index]!, { expires: 0 })));
    expect(await finalResponse(trunk, dialIn(trunk))).toMatchObject({ status: 503 });
  });

  it.each(['404 Not Found', '480 Temporarily Unavailable', '486 Busy Here'])(
    'that a gateway rejects with %s and the id of its call is offered to no other, and the trunk gets that',
    async (status) => {
      const gateways = await Promise.all(['gw-1', 'gw-2'].map(openGateway));
      const trunk = await open(TRUNK_ADDRESS);
      const callId = dialIn(trunk);
      const { gateway, invite } = await Promise.race(
        gateways.map((each) => each.receiveRequest('INVITE').then((request) => ({ gateway: each, invite: request }))),
      );
      gateway.reply(invite, status, { headers: [`X-Partyline-Call: ${gateways.indexOf(gateway) + 1}.call-5`] });
      const final = await finalResponse(trunk, callId);
      expect(`${final.status}`).toBe(status.slice(0, 3));
      expect(headerOf(final, 'x-partyline-call')).toBeUndefined();
      const rung = gateways.filter(({ messages }) => messages.some(({ method }) => method === 'INVITE'));
      expect(rung).toEqual([gateway]);
      await Promise.all(gateways.map((each, index) => register(each, `gw-${index + 1}`, { expires: 0 })));
    },
  );

  it('that a gateway rejects after it was passed over is offered to the others', async () => {
    const names = ['gw-1', 'gw-2', 'gw-3'];
    const gateways = await Promise.all(names.map(openGateway));
    const trunk = await open(TRUNK_ADDRESS);
    const callId = dialIn(trunk);
    const waiting = new Set(gateways);
    const nextRung = async () => {
      const next = await Promise.race(
        [...waiting].map((gateway) => gateway.receiveRequest('INVITE').then((invite) => ({ gateway, invite }))),
      );
      waiting.delete(next.gateway);
      return next;
    };
    const late = await nextRung();
    const full = await nextRung();
    late.gateway.reply(late.invite, '486 Busy Here', {
      headers: [`X-Partyline-Call: ${gateways.indexOf(late.gateway) + 1}.call-6`],
    });
    // Kamailio has read the reply when it acknowledges it.
    await late.gateway.receiveRequest('ACK');
    full.gateway.reply(full.invite, '480 Temporarily Unavailable');
    const last = await nextRung();
    last.gateway.reply(last.invite, '603 Decline');
    expect(await finalResponse(trunk, callId)).toMatchObject({ status: 603 });
    await Promise.all(gateways.map((gateway, index) => register(gateway, names[index]!, { expires: 0 })));
  });

  it('appears in dlg.list with the call, the account and the gateway', async () => {
    const { trunk, gateway, callId, caller, answer } = await answeredCall(['X-Partyline-Call: gw-1.call-1']);
    expect(headerOf(answer, 'x-partyline-call')).toBeUndefined();
    const dialog = await findDialog(callId);
    expect(Object.assign({}, ...(dialog?.variables ?? []))).toEqual({
      direction: 'inbound',
      account: 'acct_1',
      gateway: 'gw-1',
      call: 'gw-1.call-1',
    });
    trunk.sendWithin(caller, 'BYE');
    gateway.reply(await gateway.receiveRequest('BYE'), '200 OK');
    await expect.poll(() => findDialog(callId)).toBeUndefined();
  });

  it('may last as long as the longest session, if the gateway sets no deadline', async () => {
    const { callId } = await answeredCall();
    const seconds = ((await findDialog(callId))?.timeout ?? 0) - Date.now() / 1000;
    expect(seconds).toBeGreaterThan(LONGEST_SESSION_SECONDS + 300);
  });

  it('ends on both sides at a deadline that the gateway sets later, and a re-INVITE does not move', async () => {
    const { trunk, gateway, callId, caller } = await answeredCall();
    expect((await endCall('deadline/2', callId, { ...TAGS, to: 'wrong' })).status).toBe(404);
    expect((await endCall('deadline/2', callId, TAGS)).status).toBe(200);
    trunk.sendWithin(caller, 'INVITE');
    const again = await gateway.receive(
      (message) => message.method === 'INVITE' && (headerOf(message, 'to') ?? '').includes('tag='),
    );
    gateway.reply(again, '200 OK');
    const byes = await Promise.all([answerBye(trunk), gateway.receiveRequest('BYE')]);
    expect(byes.map((bye) => headerOf(bye, 'call-id'))).toEqual([callId, callId]);
  });

  it('ends on both sides by POST /hang-up', async () => {
    const { trunk, gateway, callId } = await answeredCall();
    expect((await endCall('hang-up', callId, { ...TAGS, to: 'wrong' })).status).toBe(404);
    expect((await endCall('hang-up', callId, TAGS)).status).toBe(200);
    const byes = await Promise.all([answerBye(trunk), gateway.receiveRequest('BYE')]);
    expect(byes.map((bye) => headerOf(bye, 'call-id'))).toEqual([callId, callId]);
  });

  it('is listed until the trunk has answered the BYE of its gateway, which is repeated', async () => {
    const { trunk, gateway, callId, callee } = await answeredCall(['X-Partyline-Call: gw-1.call-4']);
    gateway.sendWithin(callee, 'BYE');
    await trunk.receiveRequest('BYE');
    expect(await findByes()).toEqual({ [callId]: 'gw-1.call-4,acct_1,inbound' });
    await answerBye(trunk, BYES_OF_3_SECONDS);
    expect(await finalResponse(gateway, callId)).toMatchObject({ status: 200 });
    expect(await findByes()).toEqual({});
  });

  it('is listed until the trunk has answered a BYE of kamailio, which is repeated', async () => {
    const { trunk, gateway, callId } = await answeredCall();
    expect((await endCall('hang-up', callId, TAGS)).status).toBe(200);
    await trunk.receiveRequest('BYE');
    // Another request does no harm.
    expect((await endCall('hang-up', callId, TAGS)).status).toBe(200);
    expect(await findDialog(callId)).toBeDefined();
    expect(gateway.messages.some(({ method }) => method === 'BYE')).toBe(false);
    await answerBye(trunk, BYES_OF_3_SECONDS);
    await answerBye(gateway);
    await expect.poll(() => findDialog(callId)).toBeUndefined();
  });

  it('reaches its gateway with every request, whatever request URI it names, and no other host', async () => {
    const { trunk, gateway, callId, caller, callee } = await answeredCall();
    const elsewhere = await open('127.0.0.5');
    const uri = `sip:victim@${elsewhere.host}`;
    trunk.sendWithin(caller, 'INFO', { uri });
    const info = await gateway.receiveRequest('INFO');
    gateway.reply(info, '200 OK');
    // By a further route, and in the name of the gateway.
    trunk.sendWithin(caller, 'MESSAGE', { routes: [...caller.routes, `<sip:${elsewhere.host};lr>`] });
    trunk.sendWithin(callee, 'MESSAGE', { uri });
    const statusesOf = (method: string): (number | undefined)[] =>
      trunk.messages
        .filter((message) => headerOf(message, 'cseq')?.endsWith(method) && headerOf(message, 'call-id') === callId)
        .map(({ status }) => status);
    await expect.poll(() => [statusesOf('INFO'), statusesOf('MESSAGE')]).toEqual([[200], [481, 481]]);
    expect(elsewhere.messages).toEqual([]);
    expect(await findDialog(callId)).toMatchObject({ state: 4 });
  });

  it('is not ended by a stranger who knows its Call-ID', async () => {
    const { trunk, gateway, callId, caller, callee } = await answeredCall();
    const stranger = await open('127.0.0.3');
    const forged = { to: `<sip:${NUMBER}@${kamailio.sipUri}>;tag=guess` };
    stranger.sendWithin(caller, 'BYE', forged);
    stranger.sendWithin(caller, 'BYE', { ...forged, routes: [`<sip:${kamailio.sipUri};lr>`] });
    await expect.poll(() => stranger.messages.map(({ status }) => status)).toEqual([481, 481]);
    expect(await findDialog(callId)).toMatchObject({ state: 4 });
    gateway.sendWithin(callee, 'BYE');
    expect(headerOf(await trunk.receiveRequest('BYE'), 'call-id')).toBe(callId);
    expect(gateway.messages.filter(({ method }) => method === 'BYE')).toEqual([]);
  });
});

describe('a call from a gateway', () => {
  /** Dials out as `gw-1`, and answers the challenge. */
  async function dialOut(
    gateway: SipEndpoint,
    { host, headers, from = 'gw-1' }: { host: string; headers?: readonly string[]; from?: string },
  ): Promise<SipMessage> {
    return gateway.request('INVITE', {
      uri: `sip:${CALLER}@${host}`,
      from: `<sip:${from}@${kamailio.sipUri}>;tag=gateway`,
      to: `<sip:${CALLER}@${host}>`,
      ...(headers && { headers }),
      password: kamailio.gatewaySecret,
    });
  }

  it('reaches a trunk without our headers, and ends on both sides at its deadline', async () => {
    const gateway = await open();
    const trunk = await open(TRUNK_ADDRESS);
    const ours = [
      'X-Partyline-Call: gw-1.call-2',
      'X-Partyline-Account: acct_1',
      'X-Partyline-Max: 2',
      'X-Privacy: id',
    ];
    const dialed = dialOut(gateway, { host: trunk.host, headers: ours });
    const invite = await trunk.receiveRequest('INVITE');
    expect(invite.headers.filter(([name]) => /^(x-|privacy|(proxy-)?auth)/i.test(name))).toEqual([['Privacy', 'id']]);
    trunk.reply(invite, '200 OK', { headers: ['X-Partyline-Call: forged'] });
    const answer = await dialed;
    expect([answer.status, headerOf(answer, 'x-partyline-call')]).toEqual([200, undefined]);
    gateway.sendWithin(callerSide(answer), 'ACK');
    const dialog = await findDialog(headerOf(answer, 'call-id')!);
    expect(Object.assign({}, ...(dialog?.variables ?? []))).toEqual({
      direction: 'outbound',
      account: 'acct_1',
      gateway: 'gw-1',
      call: 'gw-1.call-2',
    });
    await Promise.all([answerBye(trunk), gateway.receiveRequest('BYE')]);
  });

  it('ends on both sides by POST /hang-up, after it was answered', async () => {
    const gateway = await open();
    const trunk = await open(TRUNK_ADDRESS);
    const dialed = dialOut(gateway, { host: trunk.host });
    const invite = await trunk.receiveRequest('INVITE');
    const callId = headerOf(invite, 'call-id')!;
    expect((await endCall('hang-up', callId, { from: 'gateway', to: '' })).status).toBe(404);
    trunk.reply(invite, '200 OK');
    gateway.sendWithin(callerSide(await dialed), 'ACK');
    await trunk.receiveRequest('ACK');
    expect((await endCall('hang-up', callId, { from: 'gateway', to: 'callee' })).status).toBe(200);
    await Promise.all([answerBye(trunk), gateway.receiveRequest('BYE')]);
  });

  it('shows the number that the gateway names, and ends within the call at the address of the gateway', async () => {
    const gateway = await open();
    const trunk = await open(TRUNK_ADDRESS);
    const dialed = dialOut(gateway, { host: trunk.host, headers: [`X-Partyline-From: ${NUMBER}`] });
    const invite = await trunk.receiveRequest('INVITE');
    expect(headerOf(invite, 'from')).toBe(`<sip:${NUMBER}@127.0.0.1>;tag=gateway`);
    expect(headerOf(invite, 'p-asserted-identity')).toBe(`<sip:${NUMBER}@127.0.0.1>`);
    expect(headerOf(invite, 'x-partyline-from')).toBeUndefined();
    trunk.reply(invite, '200 OK');
    const answer = await dialed;
    expect(headerOf(answer, 'from')).toBe(`<sip:gw-1@${kamailio.sipUri}>;tag=gateway`);
    gateway.sendWithin(callerSide(answer), 'ACK');
    const digest = 'username="gw-1", realm="partyline", nonce="1", uri="sip:tester@127.0.0.1", response="1"';
    gateway.sendWithin(callerSide(answer), 'BYE', { headers: [`Proxy-Authorization: Digest ${digest}`] });
    const bye = await trunk.receiveRequest('BYE');
    expect(headerOf(bye, 'from')).toBe(`<sip:${NUMBER}@127.0.0.1>;tag=gateway`);
    expect(headerOf(bye, 'proxy-authorization')).toBeUndefined();
    trunk.reply(bye, '200 OK');
  });

  it('shows no number that is not in E.164 form', async () => {
    const gateway = await open();
    for (const number of ['0800', '+1@evil.example', '+1>;tag=x', '']) {
      const trunk = await open(TRUNK_ADDRESS);
      const dialed = dialOut(gateway, { host: trunk.host, headers: [`X-Partyline-From: ${number}`] });
      const invite = await trunk.receiveRequest('INVITE');
      expect(headerOf(invite, 'from')).toBe(`<sip:gw-1@${kamailio.sipUri}>;tag=gateway`);
      expect(headerOf(invite, 'p-asserted-identity')).toBeUndefined();
      trunk.reply(invite, '486 Busy Here');
      await dialed;
    }
  });

  it('is rejected to a host that is no trunk, and without the secret', async () => {
    const gateway = await open();
    const elsewhere = await open('127.0.0.5');
    expect(await dialOut(gateway, { host: elsewhere.host })).toMatchObject({ status: 403 });
    expect(await dialOut(gateway, { host: 'sip.example' })).toMatchObject({ status: 403 });
    expect(await dialOut(gateway, { host: TRUNK_ADDRESS, from: 'anna' })).toMatchObject({ status: 403 });
    const trunk = await open(TRUNK_ADDRESS);
    const from = `<sip:gw-1@${kamailio.sipUri}>;tag=1`;
    expect(await gateway.request('INVITE', { uri: `sip:1@${trunk.host}`, from, password: 'wrong' })).toMatchObject({
      status: 407,
    });
    expect([...elsewhere.messages, ...trunk.messages]).toEqual([]);
  });

  it('fails when the trunk requires credentials, which are not those of the gateway', async () => {
    const gateway = await open();
    const trunk = await open(TRUNK_ADDRESS);
    const dialed = dialOut(gateway, { host: trunk.host });
    trunk.reply(await trunk.receiveRequest('INVITE'), '407 Proxy Authentication Required', { headers: [CHALLENGE] });
    expect(await dialed).toMatchObject({ status: 403 });
  });

  it('is cancelled by the RPC while it rings, also after a challenge', async () => {
    const gateway = await open();
    const trunk = await open(TRUNK_ADDRESS);
    const headers = [`X-Partyline-Trunk-User: ${toBase64('anna')}`, `X-Partyline-Trunk-Password: ${toBase64('1')}`];
    const dialed = dialOut(gateway, { host: trunk.host, headers });
    trunk.reply(await trunk.receiveRequest('INVITE'), '407 Proxy Authentication Required', { headers: [CHALLENGE] });
    const invite = await trunk.receive(
      (message) => message.method === 'INVITE' && headerOf(message, 'proxy-authorization') !== undefined,
    );
    trunk.reply(invite, '180 Ringing');
    const callId = headerOf(invite, 'call-id')!;
    await expect.poll(() => findDialog(callId)).toMatchObject({ state: 2 });
    const dialog = await findDialog(callId);
    await kamailio.rpc('tm.cancel', callId, dialog?.caller.cseq);
    trunk.reply(await trunk.receiveRequest('CANCEL'), '200 OK');
    trunk.reply(invite, '487 Request Terminated');
    expect(await dialed).toMatchObject({ status: 487 });
    await expect.poll(() => findDialog(callId)).toBeUndefined();
  });

  it('answers the challenge of a trunk with the credentials that the gateway names, once', async () => {
    const gateway = await open();
    const trunk = await open(TRUNK_ADDRESS);
    const headers = [
      `X-Partyline-Trunk-User: ${toBase64('anna')}`,
      `X-Partyline-Trunk-Password: ${toBase64('p 1:"2\\')}`,
    ];
    const dialed = dialOut(gateway, { host: trunk.host, headers });
    const first = await trunk.receiveRequest('INVITE');
    expect(first.headers.filter(([name]) => /trunk|auth/i.test(name))).toEqual([]);
    trunk.reply(first, '407 Proxy Authentication Required', { headers: [CHALLENGE] });
    const second = await trunk.receive(
      (message) => message.method === 'INVITE' && headerOf(message, 'proxy-authorization') !== undefined,
    );
    expect(isAuthorized(second, 'p 1:"2\\')).toBe(true);
    expect(headerOf(second, 'proxy-authorization')).toContain('username="anna"');
    trunk.reply(second, '407 Proxy Authentication Required', { headers: [CHALLENGE] });
    expect(await dialed).toMatchObject({ status: 403 });
  });
});

describe('a kamailio server', () => {
  it('logs nothing of malformed messages', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'partyline-kamailio-log-'));
    const logFile = join(folder, 'kamailio.log');
    const server = await startKamailio({ logFile });
    try {
      const stranger = await SipEndpoint.open(server.sipUri, '127.0.0.3');
      endpoints.push(stranger);
      for (const via of ['x', '', 'SIP/2.0/UDP ['])
        stranger.sendText(`INVITE sip:a@b SIP/2.0\nVia: ${via}\nFrom: <sip:${CALLER}@c>\n\n`);
      expect(await stranger.request('OPTIONS')).toMatchObject({ status: 200 });
    } finally {
      await server.stop();
    }
    const log = readFileSync(logFile, 'utf8');
    rmSync(folder, { recursive: true });
    // It has started, and its modules still log.
    expect(log).toContain('PIKE');
    expect(log).not.toContain(CALLER.slice(1));
  });

  it('keeps its ports, secrets and trunks when it crashes and restarts', async () => {
    const { pid } = kamailio;
    await kamailio.addTrunk({ address: '127.0.0.6', port: 0, account: 'acct_6' });
    await kamailio.crash();
    await kamailio.restart();
    expect(kamailio.pid).not.toBe(pid);
    const gateway = await openGateway('gw-1');
    const trunk = await open('127.0.0.6');
    dialIn(trunk);
    const invite = await gateway.receiveRequest('INVITE');
    expect(headerOf(invite, 'x-partyline-account')).toBe('acct_6');
    gateway.reply(invite, '486 Busy Here');
    await trunk.receive(({ status }) => status === 503);
  });
});

describe('a kamailio server with a media relay', () => {
  let relay: TestRtpengine;
  let other: TestKamailio;
  const sound = { headers: ['Content-Type: application/sdp'], body: SOUND };
  beforeAll(async () => {
    other = kamailio;
    relay = await createTestRtpengine();
  });
  afterEach(async () => {
    await kamailio.stop();
    kamailio = other;
  });
  afterAll(() => relay.stop());

  async function begin(options: TestKamailioOptions = {}): Promise<{ gateway: SipEndpoint; trunk: SipEndpoint }> {
    kamailio = await createTestKamailio({
      trunks: [{ address: TRUNK_ADDRESS, port: 0, account: 'acct_1' }],
      rtpengine: relay.control,
      ...options,
    });
    return { gateway: await openGateway('gw-1'), trunk: await open(TRUNK_ADDRESS) };
  }

  it('lets it forget a call that no gateway takes', async () => {
    const { gateway, trunk } = await begin();
    const callId = dialIn(trunk, sound.headers, sound.body);
    const invite = await gateway.receiveRequest('INVITE');
    expect(await relay.knows(callId)).toBe(true);
    gateway.reply(invite, '486 Busy Here');
    expect(await finalResponse(trunk, callId)).toMatchObject({ status: 503 });
    await expect.poll(() => relay.knows(callId)).toBe(false);
  });

  it('lets it forget a call for which no gateway is left', async () => {
    const { trunk } = await begin();
    await kamailio.rpc('ul.rm', 'location', 'gw-1');
    const callId = dialIn(trunk, sound.headers, sound.body);
    expect(await finalResponse(trunk, callId)).toMatchObject({ status: 503 });
    await expect.poll(() => relay.knows(callId)).toBe(false);
  });

  it('lets it forget a call to a trunk that cannot be reached', async () => {
    const { gateway } = await begin({ publicTrunksOnly: true });
    await kamailio.rpc('htable.sets', 'accounts', 'trunk:acct_a', '127.0.0.8:5060');
    const callId = crypto.randomUUID();
    const answer = await gateway.request('INVITE', {
      uri: `sip:${CALLER}@127.0.0.8`,
      from: `<sip:gw-1@${kamailio.sipUri}>;tag=gateway`,
      to: `<sip:${CALLER}@127.0.0.8>`,
      callId,
      headers: ['X-Partyline-Account: acct_a', ...sound.headers],
      body: sound.body,
      password: kamailio.gatewaySecret,
    });
    expect(answer).toMatchObject({ status: 477 });
    await expect.poll(() => relay.knows(callId)).toBe(false);
  });

  it('repeats a request that the relay has missed', async () => {
    const lossy = await openLossyControl(relay.control);
    const { gateway, trunk } = await begin({ rtpengine: lossy.control });
    const callId = dialIn(trunk, sound.headers, sound.body);
    gateway.reply(await gateway.receiveRequest('INVITE'), '603 Decline');
    expect(await finalResponse(trunk, callId)).toMatchObject({ status: 603 });
    await expect.poll(() => relay.knows(callId)).toBe(false);
    lossy.close();
  });
});

/** A way to a relay on which the first copy of each request is lost. */
async function openLossyControl(control: string): Promise<{ control: string; close(): void }> {
  const [, host = '', port] = control.split(':');
  const [outside, inside] = [createSocket('udp4'), createSocket('udp4')];
  const senders = new Map<string, RemoteInfo>();
  const cookieOf = (data: Buffer): string => data.toString('latin1').split(' ', 1)[0] ?? '';
  outside.on('message', (data, sender) => {
    const cookie = cookieOf(data);
    if (senders.has(cookie)) inside.send(data, Number(port), host);
    else senders.set(cookie, sender);
  });
  inside.on('message', (data) => {
    const sender = senders.get(cookieOf(data));
    if (sender !== undefined) outside.send(data, sender.port, sender.address);
  });
  outside.bind(0, '127.0.0.1');
  await once(outside, 'listening');
  return {
    control: `udp:127.0.0.1:${outside.address().port}`,
    close() {
      outside.close();
      inside.close();
    },
  };
}

describe('a kamailio server that has lost its calls', () => {
  it('passes on the BYE of a trunk and of a gateway, and no request of a stranger', async () => {
    const [fromTrunk, fromGateway] = [await answeredCall(), await answeredCall()];
    await kamailio.crash();
    await kamailio.restart();
    fromTrunk.trunk.sendWithin(fromTrunk.caller, 'BYE');
    expect(headerOf(await fromTrunk.gateway.receiveRequest('BYE'), 'call-id')).toBe(fromTrunk.callId);
    fromGateway.gateway.sendWithin(fromGateway.callee, 'BYE');
    expect(headerOf(await fromGateway.trunk.receiveRequest('BYE'), 'call-id')).toBe(fromGateway.callId);
    // Nothing but an end: a call that kamailio does not know has no deadline.
    fromTrunk.trunk.sendWithin(fromTrunk.caller, 'INVITE');
    expect(await fromTrunk.trunk.receive(({ status }) => (status ?? 0) >= 300)).toMatchObject({ status: 481 });
    const stranger = await open('127.0.0.3');
    stranger.sendWithin(fromTrunk.caller, 'BYE');
    expect(await stranger.receive(({ status }) => status !== undefined)).toMatchObject({ status: 481 });
  });

  it('sends nothing of a trunk to anybody but a gateway', async () => {
    const [trunk, third] = [await open(TRUNK_ADDRESS), await open('127.0.0.5')];
    const [byUri, byRoute] = [`sip:third@${third.host}`, `<sip:${third.host};lr>`];
    const own = `<sip:${kamailio.sipUri};lr>`;
    const forged = [
      { uri: byUri, headers: [`Route: ${own}`] },
      { uri: `sip:gw-1@127.0.0.1:${third.port}`, headers: [`Route: ${own}, ${byRoute}`] },
    ];
    for (const request of forged)
      expect(await trunk.request('BYE', { ...request, to: `<${byUri}>;tag=1` })).toMatchObject({ status: 481 });
    expect(third.messages).toEqual([]);
  });
});

describe('a phone that never answers a BYE', () => {
  let other: TestKamailio;
  beforeAll(async () => {
    other = kamailio;
    kamailio = await createTestKamailio({
      trunks: [{ address: TRUNK_ADDRESS, port: 0, account: 'acct_1' }],
      byeMs: 1_500,
    });
  });
  afterAll(async () => {
    await kamailio.stop();
    kamailio = other;
  });

  it('has left after the time in which its gateway repeats it', async () => {
    const { gateway, callId, callee } = await answeredCall(['X-Partyline-Call: gw-1.call-5']);
    gateway.sendWithin(callee, 'BYE');
    await expect.poll(findByes).toMatchObject({ [callId]: expect.any(String) });
    expect(await finalResponse(gateway, callId)).toMatchObject({ status: 408 });
    expect(await findByes()).toEqual({});
  });

  it('has left after the time in which kamailio repeats it', async () => {
    const { callId } = await answeredCall();
    await endCall('hang-up', callId, TAGS);
    expect(await findDialog(callId)).toBeDefined();
    await expect.poll(() => findDialog(callId), { timeout: 10_000 }).toBeUndefined();
  });
});

describe('a kamailio server with a database', () => {
  let database: TestDatabase;
  let other: TestKamailio;
  beforeAll(async () => {
    database = await createTestDatabase();
    other = kamailio;
    kamailio = await createTestKamailio({
      trunks: [{ address: TRUNK_ADDRESS, port: 0, account: 'acct_1' }],
      databaseUrl: database.url,
    });
  });
  afterAll(async () => {
    await kamailio.stop();
    kamailio = other;
    await database.drop();
  });

  it('lets a gateway repeat its registration while the database fails', async () => {
    const gateway = await openGateway('gw-1');
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      await client.query('ALTER TABLE location RENAME TO away');
      const unanswered = register(gateway, 'gw-1');
      unanswered.catch(() => undefined);
      // Its challenge is the second one; the registration itself gets no answer.
      await expect.poll(() => gateway.messages.filter(({ status }) => status === 401)).toHaveLength(2);
      expect(await gateway.request('OPTIONS')).toMatchObject({ status: 200 });
      expect(gateway.messages.map(({ status }) => status)).not.toContain(500);
      await client.query('ALTER TABLE away RENAME TO location');
      expect(await register(gateway, 'gw-1')).toMatchObject({ status: 200 });
    } finally {
      await client.end();
    }
  });

  it('keeps calls, deadlines and registrations when it crashes and restarts', async () => {
    const { trunk, gateway, callId, caller } = await answeredCall(['X-Partyline-Call: gw-1.call-3']);
    await endCall('deadline/600', callId, TAGS);
    await kamailio.crash();
    await kamailio.restart();
    const dialog = await findDialog(callId);
    expect(dialog).toMatchObject({ state: 4 });
    expect(dialog?.variables).toContainEqual({ call: 'gw-1.call-3' });
    const seconds = (dialog?.timeout ?? 0) - Date.now() / 1000;
    expect(seconds).toBeGreaterThan(500);
    expect(seconds).toBeLessThan(602);

    // The registrations are loaded a moment after the start.
    await expect
      .poll(async () => {
        const again = dialIn(trunk);
        void gateway
          .receive((message) => message.method === 'INVITE' && headerOf(message, 'call-id') === again)
          .then((invite) => gateway.reply(invite, '603 Decline'));
        return (await finalResponse(trunk, again)).status;
      })
      .toBe(603);

    trunk.sendWithin(caller, 'BYE');
    expect(headerOf(await gateway.receiveRequest('BYE'), 'call-id')).toBe(callId);
  });
});
