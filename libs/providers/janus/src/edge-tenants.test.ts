import { callerSide, SipEndpoint } from '@partyline/dev/kamailio/testing/sip-endpoint';
import { headerOf, type SipMessage } from '@partyline/dev/phones/sip-message';
import { createTestKamailio, type TestKamailio } from '@partyline/testing/kamailio';
import { createTestDatabase } from '@partyline/testing/postgres';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { toEntries, writeEdgeTenants, type EdgeNumber, type EdgePhone, type EdgeTrunk } from './edge-tenants.ts';

const PLATFORM_TRUNK = '127.0.0.2';
/** The trunk of the platform's account beside Vonage. */
const PLATFORM_SIP_TRUNK = '127.0.0.3';
/** The trunk company of two tenants. */
const SHARED_TRUNK = '127.0.0.7';
const OWN_TRUNK = '127.0.0.8';
const PLATFORM_NUMBER = '+442079460000';
const CALLER = '+447700900123';
const A: EdgeTrunk = {
  id: 'acct_a',
  trunkHost: null,
  addresses: [SHARED_TRUNK, OWN_TRUNK],
  numbers: ['+12025550101', '+12025550102'],
};
const B: EdgeTrunk = { id: 'acct_b', trunkHost: null, addresses: [SHARED_TRUNK], numbers: ['+12025550103'] };

let kamailio: TestKamailio;
const endpoints: SipEndpoint[] = [];
beforeAll(async () => {
  kamailio = await createTestKamailio({
    trunks: [
      { address: PLATFORM_TRUNK, port: 0, account: 'platform' },
      { address: PLATFORM_SIP_TRUNK, port: 0, account: 'platform-sip' },
    ],
    // More than the tests send.
    floodRequests: 1_000,
  });
});
afterAll(() => kamailio.stop());
afterEach(async () => {
  for (const endpoint of endpoints.splice(0)) endpoint.close();
});

const writeTo = (
  { rpcUrl, rpcSecret }: TestKamailio,
  trunks: readonly EdgeTrunk[],
  phones: readonly EdgePhone[] = [],
  numbers: readonly EdgeNumber[] = [],
): Promise<number> =>
  writeEdgeTenants({ url: rpcUrl, secret: rpcSecret }, 20_000, async () => ({ trunks, phones, numbers }));
const write = (...trunks: readonly EdgeTrunk[]): Promise<number> => writeTo(kamailio, trunks);

async function open(address: string, server = kamailio): Promise<SipEndpoint> {
  const endpoint = await SipEndpoint.open(server.sipUri, address);
  endpoints.push(endpoint);
  return endpoint;
}

/** An endpoint that is registered as the gateway. */
async function openGateway(server = kamailio): Promise<SipEndpoint> {
  const gateway = await open('127.0.0.1', server);
  const uri = `<sip:gw-1@${server.sipUri}>`;
  expect(
    await gateway.request('REGISTER', {
      from: `${uri};tag=reg`,
      to: uri,
      headers: ['Expires: 60'],
      password: server.gatewaySecret,
    }),
  ).toMatchObject({ status: 200 });
  return gateway;
}

/** Dials a number, which the gateway declines. Returns the status, and the account that the gateway saw. */
async function dial(gateway: SipEndpoint, address: string, number: string) {
  const trunk = await open(address);
  const callId = crypto.randomUUID();
  const isOurs = (message: SipMessage): boolean => headerOf(message, 'call-id') === callId;
  let account: string | undefined;
  void gateway
    .receive((message) => message.method === 'INVITE' && isOurs(message))
    .then((invite) => {
      account = headerOf(invite, 'x-partyline-account');
      gateway.reply(invite, '603 Decline');
    });
  trunk.send('INVITE', {
    uri: `sip:${number}@${kamailio.sipUri}`,
    from: `<sip:${CALLER}@trunk.example>;tag=caller`,
    to: `<sip:${number}@${kamailio.sipUri}>`,
    callId,
    cseq: '1 INVITE',
  });
  const { status } = await trunk.receive((message) => isOurs(message) && (message.status ?? 0) >= 200);
  return { status, account };
}

describe('calls to the number of a SIP account', () => {
  it('are let in from its own addresses, also when another account has the same', async () => {
    await write(A, B);
    const gateway = await openGateway();
    expect(await dial(gateway, SHARED_TRUNK, '+12025550101')).toEqual({ status: 603, account: 'acct_a' });
    expect(await dial(gateway, OWN_TRUNK, '12025550102')).toEqual({ status: 603, account: 'acct_a' });
    expect(await dial(gateway, SHARED_TRUNK, '+12025550103')).toEqual({ status: 603, account: 'acct_b' });
  });

  it("are rejected from the platform's trunk and from strangers", async () => {
    await write(A, B);
    const gateway = await openGateway();
    for (const address of [PLATFORM_TRUNK, PLATFORM_SIP_TRUNK, '127.0.0.9', '127.0.0.1'])
      expect(await dial(gateway, address, '+12025550103')).toEqual({ status: 403, account: undefined });
  });

  it("are rejected from another account's address as calls to an unknown number are", async () => {
    await write(A, B);
    const gateway = await openGateway();
    for (const number of ['+12025550103', '+12025550199'])
      expect(await dial(gateway, OWN_TRUNK, number)).toEqual({ status: 404, account: undefined });
  });

  it('does not open other numbers to its addresses', async () => {
    await write(A);
    const gateway = await openGateway();
    expect(await dial(gateway, OWN_TRUNK, PLATFORM_NUMBER)).toEqual({ status: 404, account: undefined });
    expect(await dial(gateway, PLATFORM_TRUNK, PLATFORM_NUMBER)).toEqual({ status: 603, account: 'platform' });
    expect(await dial(gateway, PLATFORM_SIP_TRUNK, PLATFORM_NUMBER)).toEqual({ status: 603, account: 'platform-sip' });
  });

  it('are rejected as soon as the account is gone, and let in again by a kamailio that has restarted', async () => {
    await write(A, B);
    expect(await write(A, B)).toBe(0);
    await write(B);
    const gateway = await openGateway();
    expect(await dial(gateway, OWN_TRUNK, '+12025550101')).toMatchObject({ status: 403 });
    await kamailio.crash();
    await kamailio.restart();
    expect(await write(A, B)).toBe(toEntries({ trunks: [A, B], phones: [], numbers: [] }).size);
    expect(await dial(await openGateway(), OWN_TRUNK, '+12025550101')).toEqual({ status: 603, account: 'acct_a' });
  });

  it('are not taken for a flood', async () => {
    const wary = await createTestKamailio({ floodRequests: 5 });
    try {
      await writeTo(wary, [A]);
      const trunk = await open(OWN_TRUNK, wary);
      for (let count = 0; count < 100; count += 1) trunk.send('OPTIONS');
      await expect.poll(() => trunk.messages.length).toBe(100);
    } finally {
      await wary.stop();
    }
  });

  it('are rejected as busy while the account has as many as it may, and those of others are not', async () => {
    const small = await createTestKamailio({ accountCalls: 2 });
    try {
      await writeTo(small, [A, B]);
      const gateway = await openGateway(small);
      const trunk = await open(SHARED_TRUNK, small);
      const [first, second] = [dialOn(trunk, '+12025550101'), dialOn(trunk, '+12025550102')];
      for (const callId of [first, second]) await inviteOf(gateway, callId);
      expect(await statusOf(trunk, dialOn(trunk, '+12025550101'))).toBe(486);
      gateway.reply(await inviteOf(gateway, dialOn(trunk, '+12025550103')), '603 Decline');
      gateway.reply(await inviteOf(gateway, first), '603 Decline');
      expect(await statusOf(trunk, first)).toBe(603);
      gateway.reply(await inviteOf(gateway, dialOn(trunk, '+12025550101')), '603 Decline');
    } finally {
      await small.stop();
    }
  });
});

describe('a flood of the trunks of a SIP account', () => {
  let wary: TestKamailio;
  beforeAll(async () => {
    wary = await createTestKamailio({ accountRequests: 10 });
    await writeTo(wary, [A, B]);
  });
  afterAll(() => wary.stop());

  it('is ignored, and counts together for all of its addresses', async () => {
    const trunks = [await open(OWN_TRUNK, wary), await open(SHARED_TRUNK, wary)];
    for (let count = 0; count < 200; count += 1) for (const trunk of trunks) dialOn(trunk, '+12025550101');
    // Another address is answered after those.
    expect(await (await open('127.0.0.9', wary)).request('OPTIONS')).toMatchObject({ status: 200 });
    const answered = trunks.flatMap(({ messages }) => messages.map((message) => headerOf(message, 'call-id')));
    expect(new Set(answered).size).toBeLessThan(200);
    const pipes = await wary.rpc<{ name: string }[]>('pl.list');
    expect(pipes.map(({ name }) => name)).toEqual(['acct_a']);
  });

  it('takes nothing from a phone that has one of its addresses', async () => {
    const id = 'sip_office';
    await writeTo(wary, [A, B], [{ id, tenantId: 'ten_b', version: 1, password: 'secret' }]);
    const trunk = await open(OWN_TRUNK, wary);
    for (let count = 0; count < 400; count += 1) trunk.send('OPTIONS');
    const uri = `<sip:${id}@${wary.sipUri}>`;
    const register = (await open(OWN_TRUNK, wary)).request('REGISTER', {
      from: `${uri};tag=1`,
      to: uri,
      headers: ['Expires: 60'],
      password: 'secret',
    });
    expect(await register).toMatchObject({ status: 200 });
  });

  it('takes nothing from another account, also when its calls come from the same address', async () => {
    const gateway = await openGateway(wary);
    const trunk = await open(SHARED_TRUNK, wary);
    const flood = Array.from({ length: 200 }, () => dialOn(trunk, '+12025550101'));
    gateway.reply(await inviteOf(gateway, dialOn(trunk, '+12025550103')), '603 Decline');
    const isOfFlood = (message: SipMessage): boolean => flood.includes(headerOf(message, 'call-id') ?? '');
    expect(gateway.messages.filter((message) => message.method === 'INVITE' && isOfFlood(message)).length).toBeLessThan(
      100,
    );
  });
});

describe('a call of a SIP account', () => {
  it('ends while another account at the same address floods it with requests within calls', async () => {
    const server = await createTestKamailio({ accountRequests: 10 });
    try {
      await writeTo(server, [A, B]);
      const gateway = await openGateway(server);
      const [flooding, trunk] = [await open(SHARED_TRUNK, server), await open(SHARED_TRUNK, server)];
      const call = async (phone: SipEndpoint, number: string) => {
        const callId = dialOn(phone, number);
        gateway.reply(await inviteOf(gateway, callId), '200 OK');
        const answer = await phone.receive(
          (message) => headerOf(message, 'call-id') === callId && message.status === 200,
        );
        return { callId, side: callerSide(answer) };
      };
      const isOf =
        (method: string, { callId }: { callId: string }) =>
        (message: SipMessage): boolean =>
          message.method === method && headerOf(message, 'call-id') === callId;
      const [first, second] = [await call(flooding, '+12025550101'), await call(trunk, '+12025550103')];
      for (let count = 0; count < 300; count += 1) flooding.sendWithin(first.side, 'INFO');
      trunk.sendWithin(second.side, 'ACK');
      trunk.sendWithin(second.side, 'BYE');
      await gateway.receive(isOf('ACK', second));
      await gateway.receive(isOf('BYE', second));
      expect(gateway.messages.filter(isOf('INFO', first)).length).toBeLessThan(300);
    } finally {
      await server.stop();
    }
  });

  it('is let in from an address of very many accounts, whose other requests are answered', async () => {
    const accounts = Array.from({ length: 400 }, (_, index) => ({
      ...B,
      id: `acct_${String(index).padStart(30, '0')}`,
      numbers: [],
    }));
    await write(A, ...accounts);
    const gateway = await openGateway();
    expect(await (await open(SHARED_TRUNK)).request('OPTIONS')).toMatchObject({ status: 200 });
    expect(await dial(gateway, SHARED_TRUNK, '+12025550101')).toMatchObject({ status: 603 });
  });
});

/** Sends an INVITE to a number, and returns its Call-ID. */
function dialOn(trunk: SipEndpoint, number: string): string {
  const callId = crypto.randomUUID();
  trunk.send('INVITE', {
    uri: `sip:${number}@partyline.invalid`,
    from: `<sip:${CALLER}@trunk.example>;tag=caller`,
    to: `<sip:${number}@partyline.invalid>`,
    callId,
    cseq: '1 INVITE',
  });
  return callId;
}

const inviteOf = (gateway: SipEndpoint, callId: string): Promise<SipMessage> =>
  gateway.receive((message) => message.method === 'INVITE' && headerOf(message, 'call-id') === callId);

/** The final status of a call. */
const statusOf = async (phone: SipEndpoint, callId: string): Promise<number | undefined> =>
  (await phone.receive((message) => headerOf(message, 'call-id') === callId && (message.status ?? 0) >= 200)).status;

/** Dials out. Resolves with the status that the gateway gets; a trunk that is reached declines. */
async function dialOut(
  account: string,
  trunk: SipEndpoint,
  { server = kamailio, host = trunk.host }: { server?: TestKamailio; host?: string } = {},
): Promise<number | undefined> {
  const gateway = await openGateway(server);
  void trunk.receiveRequest('INVITE').then((invite) => trunk.reply(invite, '603 Decline'));
  const { status } = await gateway.request('INVITE', {
    uri: `sip:${CALLER}@${host}`,
    from: `<sip:gw-1@${server.sipUri}>;tag=gateway`,
    to: `<sip:${CALLER}@${host}>`,
    headers: [`X-Partyline-Account: ${account}`],
    password: server.gatewaySecret,
  });
  return status;
}

describe('calls that a gateway places for a SIP account', () => {
  it('reach its own trunk only', async () => {
    const [own, others, platform] = [await open(OWN_TRUNK), await open(SHARED_TRUNK), await open(PLATFORM_TRUNK)];
    await write({ ...A, trunkHost: own.host }, { ...B, trunkHost: others.host });
    expect(await dialOut('acct_a', own)).toBe(603);
    for (const trunk of [others, platform]) expect(await dialOut('acct_a', trunk)).toBe(403);
    expect(await dialOut('platform', platform)).toBe(603);
    expect(await dialOut('platform', own)).toBe(403);
  });

  it('reach the trunk of its own account only, of two accounts of the platform', async () => {
    const [first, sip] = [await open(PLATFORM_TRUNK), await open(PLATFORM_SIP_TRUNK)];
    await write();
    expect(await dialOut('platform-sip', sip)).toBe(603);
    expect(await dialOut('platform-sip', first)).toBe(403);
    expect(await dialOut('platform', sip)).toBe(403);
  });

  it('reach no trunk without one, and none of the platform after the account is gone', async () => {
    const [own, platform] = [await open(OWN_TRUNK), await open(PLATFORM_TRUNK)];
    await write(A);
    for (const trunk of [own, platform]) expect(await dialOut('acct_a', trunk)).toBe(403);
    await write();
    for (const trunk of [own, platform]) expect(await dialOut('acct_a', trunk)).toBe(403);
  });
});

describe('a SIP phone', () => {
  const PASSWORD = 'the password of the phone';
  const PHONE: EdgePhone = { id: 'sip_aB-3_x', tenantId: 'ten_a', version: 1, password: PASSWORD };
  const NUMBERS: readonly EdgeNumber[] = [
    { number: '+12025550101', tenantId: 'ten_a', accountId: 'acct_a' },
    { number: '+12025550103', tenantId: 'ten_b', accountId: 'acct_b' },
    { number: PLATFORM_NUMBER, tenantId: null, accountId: null },
  ];
  const uriOf = (user: string): string => `<sip:${user}@${kamailio.sipUri}>`;
  const register = (
    phone: SipEndpoint,
    { user = PHONE.id, to = user, password = PASSWORD }: { user?: string; to?: string; password?: string } = {},
  ): Promise<SipMessage> =>
    phone.request('REGISTER', { from: `${uriOf(user)};tag=1`, to: uriOf(to), headers: ['Expires: 60'], password });

  /** Dials from anywhere. Returns the status, and the headers of the call at the gateway, which declines it. */
  async function dialAs(
    number: string,
    { user = PHONE.id, password = PASSWORD, headers = [] as readonly string[] } = {},
  ) {
    const [gateway, phone] = [await openGateway(), await open('127.0.0.9')];
    let invite: SipMessage | undefined;
    void gateway.receiveRequest('INVITE').then((request) => {
      invite = request;
      gateway.reply(request, '603 Decline');
    });
    const { status } = await phone.request('INVITE', {
      uri: `sip:${number}@${kamailio.sipUri}`,
      from: `${uriOf(user)};tag=phone`,
      to: uriOf(number),
      headers,
      password,
    });
    const at = (name: string): string | undefined => (invite === undefined ? undefined : headerOf(invite, name));
    return {
      status,
      account: at('x-partyline-account'),
      number: at('x-partyline-number'),
      asserted: at('p-asserted-identity'),
    };
  }

  it('registers with its password only, and as itself only', async () => {
    await writeTo(kamailio, [], [PHONE, { ...PHONE, id: 'sip_other' }]);
    const phone = await open('127.0.0.9');
    expect(await register(phone)).toMatchObject({ status: 200 });
    expect(await register(phone, { password: 'wrong' })).toMatchObject({ status: 401 });
    expect(await register(phone, { to: 'sip_other' })).toMatchObject({ status: 401 });
    expect(await register(phone, { user: 'sip_unknown' })).toMatchObject({ status: 401 });
    await writeTo(kamailio, []);
    expect(await register(phone)).toMatchObject({ status: 401 });
  });

  it('calls the numbers of its own tenant and shared ones, with the account of the number', async () => {
    await writeTo(kamailio, [], [PHONE], NUMBERS);
    expect(await dialAs('+12025550101')).toMatchObject({ status: 603, account: 'acct_a', number: '+12025550101' });
    expect(await dialAs(PLATFORM_NUMBER)).toMatchObject({ status: 603, account: 'platform' });
  });

  it('calls nothing else', async () => {
    await writeTo(kamailio, [], [PHONE], NUMBERS);
    for (const number of ['+12025550103', CALLER, 'gw-1', PHONE.id])
      expect(await dialAs(number)).toEqual({ status: 403, account: undefined, number: undefined, asserted: undefined });
  });

  it('is challenged without its password, and after it is gone', async () => {
    await writeTo(kamailio, [], [PHONE], NUMBERS);
    expect(await dialAs('+12025550101', { password: 'wrong' })).toMatchObject({ status: 407, account: undefined });
    expect(await dialAs('+12025550101', { user: 'sip_unknown' })).toMatchObject({ status: 407, account: undefined });
    await writeTo(kamailio, [], [], NUMBERS);
    expect(await dialAs('+12025550101')).toMatchObject({ status: 407, account: undefined });
  });

  it('has five calls at the same time at most', async () => {
    await writeTo(kamailio, [], [PHONE], NUMBERS);
    const [gateway, phone] = [await openGateway(), await open('127.0.0.9')];
    const call = async (): Promise<{ callId: string; status: Promise<number | undefined> }> => {
      const callId = crypto.randomUUID();
      const uri = `sip:${PLATFORM_NUMBER}@${kamailio.sipUri}`;
      const from = `${uriOf(PHONE.id)};tag=phone`;
      const reply = phone.request('INVITE', { uri, from, to: uriOf(PLATFORM_NUMBER), callId, password: PASSWORD });
      return { callId, status: reply.then(({ status }) => status) };
    };
    const calls = [];
    for (let count = 0; count < 5; count += 1) {
      const { callId, status } = await call();
      calls.push({ status, invite: await inviteOf(gateway, callId) });
    }
    const sixth = await call();
    expect(await sixth.status).toBe(403);
    for (const { invite, status } of calls) {
      gateway.reply(invite, '603 Decline');
      expect(await status).toBe(603);
    }
    const next = await call();
    gateway.reply(await inviteOf(gateway, next.callId), '603 Decline');
    expect(await next.status).toBe(603);
  });

  it('has no further call while its tenant has as many as it may; phones of other tenants have', async () => {
    const other = kamailio;
    kamailio = await createTestKamailio({ tenantPhoneCalls: 2 });
    try {
      const phones = ['sip_1', 'sip_2', 'sip_3', 'sip_other'].map((id) => ({
        ...PHONE,
        id,
        tenantId: id === 'sip_other' ? 'ten_b' : PHONE.tenantId,
      }));
      await writeTo(kamailio, [], phones, NUMBERS);
      const gateway = await openGateway();
      const call = async (user: string) => {
        const phone = await open('127.0.0.9');
        const callId = crypto.randomUUID();
        const uri = `sip:${PLATFORM_NUMBER}@${kamailio.sipUri}`;
        const from = `${uriOf(user)};tag=phone`;
        const reply = phone.request('INVITE', { uri, from, to: uriOf(PLATFORM_NUMBER), callId, password: PASSWORD });
        return { callId, status: reply.then(({ status }) => status) };
      };
      const [first, second] = [await call('sip_1'), await call('sip_2')];
      for (const { callId } of [first, second]) await inviteOf(gateway, callId);
      expect(await (await call('sip_3')).status).toBe(403);
      const ofOther = await call('sip_other');
      gateway.reply(await inviteOf(gateway, ofOther.callId), '603 Decline');
      gateway.reply(await inviteOf(gateway, first.callId), '603 Decline');
      expect(await first.status).toBe(603);
      const next = await call('sip_3');
      gateway.reply(await inviteOf(gateway, next.callId), '603 Decline');
      expect(await next.status).toBe(603);
    } finally {
      await kamailio.stop();
      kamailio = other;
    }
  });

  it('keeps its password while the password is not known, unless it was changed', async () => {
    await writeTo(kamailio, [], [PHONE]);
    const phone = await open('127.0.0.9');
    expect(await writeTo(kamailio, [], [{ ...PHONE, password: null }])).toBe(0);
    expect(await register(phone)).toMatchObject({ status: 200 });
    await writeTo(kamailio, [], [{ ...PHONE, version: 2, password: null }]);
    expect(await register(phone)).toMatchObject({ status: 401 });
  });

  it('keeps a new password that another process writes, in one that does not know it', async () => {
    await writeTo(kamailio, [], [PHONE]);
    const rotated = { ...PHONE, version: 2, password: 'another password' };
    await writeEdgeTenants({ url: kamailio.rpcUrl, secret: kamailio.rpcSecret }, 20_000, async () => {
      await writeTo(kamailio, [], [rotated]);
      return { trunks: [], phones: [{ ...rotated, password: null }], numbers: [] };
    });
    expect(await register(await open('127.0.0.9'), { password: rotated.password })).toMatchObject({ status: 200 });
  });

  it('cannot pretend to have the number of somebody else, or another account', async () => {
    await writeTo(kamailio, [], [PHONE], NUMBERS);
    const headers = [`P-Asserted-Identity: <sip:${CALLER}@x>`, 'X-Partyline-Account: acct_b'];
    expect(await dialAs('+12025550101', { headers })).toMatchObject({
      status: 603,
      account: 'acct_a',
      asserted: undefined,
    });
  });

  it('gets no call of a trunk, also after a restart that loads its registration', async () => {
    const database = await createTestDatabase();
    const other = kamailio;
    kamailio = await createTestKamailio({
      trunks: [{ address: PLATFORM_TRUNK, port: 0, account: 'platform' }],
      databaseUrl: database.url,
    });
    try {
      await writeTo(kamailio, [], [PHONE], NUMBERS);
      const [gateway, phone] = [await openGateway(), await open('127.0.0.9')];
      expect(await register(phone)).toMatchObject({ status: 200 });
      await kamailio.crash();
      await kamailio.restart();
      // The registrations are loaded a moment after the start.
      await expect.poll(async () => (await dial(gateway, PLATFORM_TRUNK, PLATFORM_NUMBER)).status).toBe(603);
      for (let call = 0; call < 8; call += 1)
        expect(await dial(gateway, PLATFORM_TRUNK, PLATFORM_NUMBER)).toEqual({ status: 603, account: 'platform' });
      expect(phone.messages.filter(({ method }) => method === 'INVITE')).toEqual([]);
    } finally {
      await kamailio.stop();
      kamailio = other;
      await database.drop();
    }
  });
});

it('lets phones dial numbers of tenants that have phones, and shared ones', () => {
  const numbers: readonly EdgeNumber[] = [
    { number: '+12025550101', tenantId: 'ten_a', accountId: 'acct_a' },
    { number: '+12025550103', tenantId: 'ten_b', accountId: null },
    { number: '+12025550104', tenantId: null, accountId: null },
    { number: '+12025550105', tenantId: null, accountId: 'platform-sip' },
  ];
  expect([...toEntries({ trunks: [], phones: [], numbers })]).toEqual([]);
  const phones = [{ id: 'sip_1', tenantId: 'ten_b', version: 3, password: 'secret' }];
  expect([...toEntries({ trunks: [], phones, numbers })]).toEqual([
    ['phone:sip_1', expect.stringMatching(/^[0-9a-f]{32} ten_b 3$/)],
    ['dial:ten_b:12025550103', 'platform'],
    ['dial::12025550104', 'platform'],
    ['dial::12025550105', 'platform-sip'],
  ]);
});

describe('a trunk of a tenant in a private network', () => {
  let strict: TestKamailio;
  beforeAll(async () => {
    strict = await createTestKamailio({
      trunks: [{ address: PLATFORM_TRUNK, port: 0, account: 'platform' }],
      publicTrunksOnly: true,
    });
  });
  afterAll(() => strict.stop());
  /** Puts the name of the trunk into the DNS cache of kamailio, with a time to live and no flags. */
  const resolveTo = (server: TestKamailio, address: string): Promise<unknown> =>
    server.rpc('dns.add_a', 'sip.trunk.example', 600, address, 0);

  it('gets no call, also when its name resolves to that network; the trunk of the platform does', async () => {
    const [own, named] = [await open(OWN_TRUNK, strict), await open(SHARED_TRUNK, strict)];
    const host = `sip.trunk.example:${named.port}`;
    await resolveTo(strict, SHARED_TRUNK);
    await writeTo(strict, [
      { ...A, trunkHost: own.host },
      { ...B, trunkHost: host },
    ]);
    for (const [account, trunk, options] of [
      ['acct_a', own, {}],
      ['acct_b', named, { host }],
    ] as const) {
      expect(await dialOut(account, trunk, { server: strict, ...options })).toBe(477);
      expect(trunk.messages.filter(({ method }) => method === 'INVITE')).toEqual([]);
    }
    expect(await dialOut('platform', await open(PLATFORM_TRUNK, strict), { server: strict })).toBe(603);
  });

  it('gets calls by its name where private networks are allowed', async () => {
    const trunk = await open(SHARED_TRUNK);
    const host = `sip.trunk.example:${trunk.port}`;
    await resolveTo(kamailio, SHARED_TRUNK);
    await write({ ...B, trunkHost: host });
    expect(await dialOut('acct_b', trunk, { host })).toBe(603);
  });
});

it('writes numbers without plus, and the default port of a trunk', () => {
  expect([...toEntries({ trunks: [{ ...B, trunkHost: 'sip.trunk.example' }], phones: [], numbers: [] })]).toEqual([
    ['number:12025550103', `acct_b ${SHARED_TRUNK}`],
    [`source:${SHARED_TRUNK}`, SHARED_TRUNK],
    ['trunk:acct_b', 'sip.trunk.example:5060'],
  ]);
});
