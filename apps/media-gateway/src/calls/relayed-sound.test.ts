import { callerSide, SipEndpoint, type CallSide } from '@partyline/dev/kamailio/testing/sip-endpoint';
import { headerOf, type SipMessage } from '@partyline/dev/phones/sip-message';
import { writeEdgeTenants } from '@partyline/provider-janus/edge-tenants';
import { createTestRtpengine, type TestRtpengine } from '@partyline/testing/rtpengine';
import { levelOf } from '@partyline/testing/tones';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RtpSocket } from '../testing/rtp-socket.ts';
import { hears, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let relay: TestRtpengine;
let test: TestGateway;
const opened: { close(): void }[] = [];
const calls: Call[] = [];
beforeAll(async () => {
  relay = await createTestRtpengine();
  test = await startTestGateway({ rtpengine: relay, tls: true });
});
afterEach(async () => {
  for (const { endpoint, side } of calls.splice(0)) endpoint.sendWithin(side, 'BYE');
  await test.hangUpPhones();
  for (const each of opened.splice(0)) each.close();
});
afterAll(async () => {
  await test.stop();
  await relay.stop();
});

const [LISTENER_HZ, CALLER_HZ, FORGED_HZ] = [440, 1_050, 2_300];
const HEARD_DBFS = -40;
const SILENT_DBFS = -60;
const WAIT = { timeout: 30_000 };
const PHONE = { id: 'sip_desk', tenantId: 'ten_a', version: 1, password: 'the password of the phone' };
/** The address that a phone behind NAT has in its own network. Here, another host has it too. */
const OWN_NETWORK = '127.0.1.5';
const NATTED = { via: `${OWN_NETWORK}:5060`, contact: `${OWN_NETWORK}:5060` };

const joiningNumber = (conversation: string): string =>
  test.number([{ do: 'join', conversation, eventUrl: test.eventUrl }]);

async function openSocket(address?: string): Promise<RtpSocket> {
  const socket = await RtpSocket.open(address);
  opened.push(socket);
  return socket;
}

interface Call {
  readonly endpoint: SipEndpoint;
  readonly side: CallSide;
  readonly answer: SipMessage;
  /** Where the other side expects its sound. */
  readonly remote: { readonly host: string; readonly port: number };
}

interface Caller {
  readonly user?: string;
  readonly password?: string;
  readonly behindNat?: boolean;
}

const describeSound = (address: string, port: number): string =>
  [
    'v=0',
    `o=- 1 1 IN IP4 ${address}`,
    's=-',
    `c=IN IP4 ${address}`,
    't=0 0',
    `m=audio ${port} RTP/AVP 0`,
    'a=rtpmap:0 PCMU/8000',
    '',
  ].join('\n');

const soundOf = ({ body }: SipMessage): Call['remote'] => ({
  host: /^c=IN IP4 (\S+)/m.exec(body)?.[1] ?? '',
  port: Number(/^m=audio (\d+)/m.exec(body)?.[1]),
});

/** Calls a number, with an SDP that names an address and a port. */
async function dial(number: string, sound: { address: string; port: number }, caller: Caller = {}): Promise<Call> {
  const { user = '+447700900150', password, behindNat = false } = caller;
  const endpoint = await SipEndpoint.open(test.kamailio.sipUri, '127.0.0.1', behindNat ? NATTED : {});
  opened.push(endpoint);
  const answer = await endpoint.request('INVITE', {
    uri: test.uriOf(number),
    from: `<sip:${user}@${test.kamailio.sipUri}>;tag=caller`,
    to: `<${test.uriOf(number)}>`,
    headers: ['Content-Type: application/sdp'],
    body: describeSound(sound.address, sound.port),
    ...(password !== undefined && { password }),
  });
  const side = callerSide(answer);
  const call = { endpoint, side, answer, remote: soundOf(answer) };
  if (answer.status !== 200) return call;
  endpoint.sendWithin(side, 'ACK');
  calls.push(call);
  return call;
}

async function openListener(number: string) {
  const listener = await test.phone({ user: 'listener', microphone: { hz: LISTENER_HZ } });
  await listener.dial(test.uriOf(number));
  await listener.waitFor('established');
  return listener;
}

describe('a call through a relay', () => {
  it.each(['PCMU', 'PCMA', 'G722', 'opus'] as const)('in %s hears the others, and is heard', async (codec) => {
    const number = joiningNumber(`conv_${codec}`);
    const listener = await openListener(number);
    const caller = await test.phone({ codecs: [codec], microphone: { hz: CALLER_HZ } });
    await caller.dial(test.uriOf(number));
    await expect.poll(() => [hears(caller, LISTENER_HZ), hears(listener, CALLER_HZ)]).toEqual([true, true]);
  });

  it('with encrypted sound hears the others, and is heard', async () => {
    const number = joiningNumber('conv_encrypted');
    const listener = await openListener(number);
    const caller = await test.phone({
      encrypts: true,
      outboundProxy: test.kamailio.tlsUri!,
      microphone: { hz: CALLER_HZ },
    });
    await caller.dial(test.uriOf(number));
    await expect.poll(() => [hears(caller, LISTENER_HZ), hears(listener, CALLER_HZ)]).toEqual([true, true]);
  });

  it('hears and is heard after a hold', async () => {
    const number = joiningNumber('conv_hold');
    const listener = await openListener(number);
    const caller = await test.phone({ microphone: { hz: CALLER_HZ } });
    await caller.dial(test.uriOf(number));
    await expect.poll(() => [hears(caller, LISTENER_HZ), hears(listener, CALLER_HZ)]).toEqual([true, true]);
    await caller.hold();
    await expect.poll(() => [hears(caller, LISTENER_HZ), hears(listener, CALLER_HZ)]).toEqual([false, false]);
    await caller.resume();
    await expect.poll(() => [hears(caller, LISTENER_HZ), hears(listener, CALLER_HZ)]).toEqual([true, true]);
  });

  it('hears and is heard at another port than its SDP names', async () => {
    const number = joiningNumber('conv_other_port');
    const listener = await openListener(number);
    const [named, other] = [await openSocket(), await openSocket()];
    const { remote } = await dial(number, { address: '127.0.0.1', port: named.port });
    other.send(CALLER_HZ, remote);
    await expect.poll(() => hears(listener, CALLER_HZ)).toBe(true);
    await expect.poll(() => other.levelOf(LISTENER_HZ)).toBeGreaterThan(HEARD_DBFS);
    await expect.poll(() => named.levelOf(LISTENER_HZ)).toBeLessThan(SILENT_DBFS);
  });

  it('that is up neither hears a third party nor is heard by it', async () => {
    const number = joiningNumber('conv_forged');
    const listener = await openListener(number);
    const [own, third] = [await openSocket(), await openSocket()];
    const { answer, remote } = await dial(number, { address: '127.0.0.1', port: own.port });
    own.send(CALLER_HZ, remote);
    await expect.poll(() => relay.hasLearnt(headerOf(answer, 'call-id')!), WAIT).toBe(true);
    third.send(FORGED_HZ, remote);
    await expect.poll(() => third.sent).toBeGreaterThan(100);
    const { samples, rate } = listener.heard({ fromMs: -1_000 });
    expect(levelOf(samples, FORGED_HZ, rate)).toBeLessThan(SILENT_DBFS);
    await expect.poll(() => hears(listener, CALLER_HZ)).toBe(true);
    await expect.poll(() => own.levelOf(LISTENER_HZ)).toBeGreaterThan(HEARD_DBFS);
    expect(third.received).toBe(0);
  });
});

describe('a SIP phone behind NAT', () => {
  it('registers, hears, is heard, and gets the BYE', async () => {
    const number = joiningNumber('conv_nat');
    await writeEdgeTenants({ url: test.kamailio.rpcUrl, secret: test.kamailio.rpcSecret }, 20_000, async () => ({
      trunks: [],
      phones: [PHONE],
      numbers: [{ number, tenantId: PHONE.tenantId, accountId: null }],
    }));
    const registrar = await SipEndpoint.open(test.kamailio.sipUri, '127.0.0.1', NATTED);
    opened.push(registrar);
    const own = `<sip:${PHONE.id}@${test.kamailio.sipUri}>`;
    expect(
      await registrar.request('REGISTER', { from: `${own};tag=1`, to: own, password: PHONE.password }),
    ).toMatchObject({ status: 200 });
    const listener = await openListener(joiningNumber('conv_nat'));
    const [socket, other] = [await openSocket(), await openSocket(OWN_NETWORK)];
    const call = await dial(
      number,
      { address: OWN_NETWORK, port: other.port },
      { user: PHONE.id, password: PHONE.password, behindNat: true },
    );
    socket.send(CALLER_HZ, call.remote);
    await expect.poll(() => hears(listener, CALLER_HZ)).toBe(true);
    await expect.poll(() => socket.levelOf(LISTENER_HZ)).toBeGreaterThan(HEARD_DBFS);
    expect(other.received).toBe(0);
    const { callId } = await test.answerOf(number);
    await test.voice().hangUp(callId);
    const bye = await call.endpoint.receiveRequest('BYE');
    call.endpoint.reply(bye, '200 OK');
    calls.length = 0;
    expect(await test.overOf(callId)).toMatchObject({ cause: 'hung-up' });
  });
});

describe('the relay', () => {
  it('forgets a call that kamailio ends', async () => {
    const caller = await openListener(joiningNumber('conv_ended'));
    const callId = headerOf(
      caller.messages().find(({ method }) => method === 'INVITE')!,
      'call-id',
    )!;
    const dialogs = await test.kamailio.rpc<{ h_entry: number; h_id: number; 'call-id': string }[]>('dlg.list');
    const dialog = dialogs.find((one) => one['call-id'] === callId)!;
    await test.kamailio.rpc('dlg.end_dlg', dialog.h_entry, dialog.h_id);
    await caller.waitFor('closed');
    await expect.poll(() => relay.knows(callId)).toBe(false);
  });

  it('forgets a call that has ended, or that was rejected', async () => {
    const listener = await openListener(joiningNumber('conv_forgotten'));
    const callId = headerOf(
      listener.messages().find(({ method }) => method === 'INVITE')!,
      'call-id',
    )!;
    expect(await relay.knows(callId)).toBe(true);
    await listener.hangUp();
    await expect.poll(() => relay.knows(callId)).toBe(false);

    const rejected = await test.phone();
    await rejected.dial(test.uriOf(test.number([])));
    await rejected.waitFor('closed');
    const other = headerOf(
      rejected.messages().find(({ method }) => method === 'INVITE')!,
      'call-id',
    )!;
    await expect.poll(() => relay.knows(other)).toBe(false);
  });
});

describe('a relay that crashes', () => {
  let other: TestGateway;
  beforeAll(async () => {
    other = test;
    test = await startTestGateway({ rtpengine: relay, mediaTimeoutMs: 5_000 });
  });
  afterAll(async () => {
    await test.stop();
    test = other;
  });

  it('ends its calls, and others are rejected with 503 until it has restarted', async () => {
    const number = joiningNumber('conv_crash');
    const caller = await test.phone({ microphone: { hz: CALLER_HZ } });
    await caller.dial(test.uriOf(number));
    await caller.waitFor('established');
    const { callId } = await test.answerOf(number);
    await relay.crash();
    await test.overOf(callId);
    await caller.waitFor('closed');
    await caller.dial(test.uriOf(number));
    expect(await caller.waitFor('closed')).toMatchObject({ reason: expect.stringContaining('503') as string });
    await relay.restart();
    const socket = await openSocket();
    // kamailio asks it again after a moment.
    await expect
      .poll(async () => {
        const { answer, remote } = await dial(number, { address: '127.0.0.1', port: socket.port });
        if (answer.status === 200) socket.send(LISTENER_HZ, remote);
        return answer.status;
      })
      .toBe(200);
    await caller.dial(test.uriOf(number));
    await expect.poll(() => hears(caller, LISTENER_HZ)).toBe(true);
  });
});
