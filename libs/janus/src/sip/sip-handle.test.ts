import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JanusConnection } from '../connection.ts';
import { connect, LIMIT_MS } from '../testing/connect.ts';
import { digestHa1, startSipRegistrar, type SipRegistrar } from '../testing/sip-registrar.ts';
import { createWebrtcPeer, type WebrtcPeer } from '../testing/webrtc-peer.ts';
import type { CoreEvent } from '../transport/core-event.ts';
import type { SipEvent } from './sip-event.ts';
import { attachSip, type SipAccept, type SipAccount, type SipCall, type SipHandle } from './sip-handle.ts';

/** A request that Janus does not ignore is answered within this time. */
const RESUMED_MS = 1_000;

let janus: TestJanus;
let connection: JanusConnection;
let registrar: SipRegistrar;
const peers: WebrtcPeer[] = [];

beforeAll(async () => {
  janus = await createTestJanus();
  registrar = await startSipRegistrar({ anna: 'right' });
});
afterAll(async () => {
  registrar.close();
  await janus.stop();
});
beforeEach(async () => {
  connection = await connect(janus);
});
afterEach(async () => {
  await connection.close();
  await Promise.all(peers.splice(0).map((peer) => peer.close()));
});

function createPeer(): WebrtcPeer {
  const peer = createWebrtcPeer('pcmu');
  peers.push(peer);
  return peer;
}

const account = (user: string, fields: Partial<SipAccount> = {}): SipAccount => ({
  uri: registrar.uri(user),
  secret: 'any',
  proxy: `sip:127.0.0.1:${registrar.port}`,
  incomingHeaderPrefixes: ['X-'],
  ...fields,
});

interface Line {
  readonly handle: SipHandle;
  readonly masterId: number;
  /** All events so far. */
  readonly events: (CoreEvent | SipEvent)[];
}

async function line(register: (handle: SipHandle) => Promise<{ masterId: number }>): Promise<Line> {
  const handle = await attachSip(connection, 'test:sip');
  const events: Line['events'] = [];
  handle.onEvent((event) => void events.push(event));
  return { handle, events, ...(await register(handle)) };
}

const register = (user: string, fields: Partial<SipAccount> = {}): Promise<Line> =>
  line((handle) => handle.register(account(user, fields), LIMIT_MS));

const helperOf = (user: string, { masterId }: Line): Promise<Line> =>
  line((handle) => handle.registerHelper(registrar.uri(user), masterId, LIMIT_MS));

interface Dial extends Partial<SipCall> {
  readonly user: string;
  readonly answer?: Partial<SipAccept>;
}

/** Calls from one line to another, answers, and waits until both have their peer connections. */
async function establish(from: Line, to: Line, { user, answer, ...call }: Dial) {
  const caller = createPeer();
  const callee = createPeer();
  const incoming = to.handle.waitFor(['incoming-call'], LIMIT_MS);
  // Janus 1.1.2 reports a call just before it can answer it, and rings then. An earlier answer is lost.
  const ringing = from.handle.waitFor(['ringing'], LIMIT_MS);
  const outcome = from.handle.waitFor(['accepted', 'hangup'], LIMIT_MS);
  const up = Promise.all([from, to].map(({ handle }) => handle.waitFor(['webrtc-up'], LIMIT_MS)));
  const { callId } = await from.handle.call({ uri: registrar.uri(user), offer: await caller.offer(), ...call });
  await ringing;
  await to.handle.accept({ jsep: await callee.answer(required((await incoming).jsep)), ...answer });
  const accepted = await outcome;
  if (accepted.type === 'hangup') throw new Error(`The call failed: ${accepted.code} ${accepted.reason}`);
  await caller.acceptAnswer(required(accepted.jsep));
  await up;
  return { caller, callee, callId };
}

/** Starts a call that is not answered. Returns once it rings. */
async function ring(from: Line, to: Line, user: string) {
  const incoming = to.handle.waitFor(['incoming-call'], LIMIT_MS);
  const ringing = from.handle.waitFor(['ringing'], LIMIT_MS);
  const { callId } = await from.handle.call({ uri: registrar.uri(user), offer: await createPeer().offer() });
  await ringing;
  return { callId, incoming: await incoming };
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('A value is missing');
  return value;
}

describe('registration', () => {
  it('succeeds with the password or its HA1 hash', async () => {
    expect((await register('anna', { secret: 'right' })).masterId).toBeGreaterThan(0);
    const ha1 = await line((handle) =>
      handle.register(
        { uri: registrar.uri('anna'), ha1: digestHa1('anna', 'right'), proxy: `sip:127.0.0.1:${registrar.port}` },
        LIMIT_MS,
      ),
    );
    expect(ha1.masterId).toBeGreaterThan(0);
  });

  it('fails with a wrong password', async () => {
    const failure = register('anna', { secret: 'wrong-one' });
    await expect(failure).rejects.toMatchObject({ kind: 'rejected', request: 'sip.register', code: 904 });
    await expect(failure).rejects.not.toThrow(/wrong-one/u);
  });

  it('ends, and Janus detaches the helpers', async () => {
    const bob = await register('bob');
    const helper = await helperOf('bob', bob);
    expect(helper.masterId).toBe(bob.masterId);
    const detached = helper.handle.waitFor(['detached'], LIMIT_MS);
    await bob.handle.unregister(LIMIT_MS);
    expect(await detached).toEqual({ type: 'detached' });
    expect(helper.handle.isDetached).toBe(true);
  });

  it('is not needed to call as a guest', async () => {
    const bob = await register('bob');
    const guest = await line((handle) => handle.register({ uri: 'sip:guest@127.0.0.1', type: 'guest' }, LIMIT_MS));
    const { incoming } = await ring(guest, bob, 'bob');
    expect(incoming.caller).toBe('sip:guest@127.0.0.1');
  });
});

describe('calls', () => {
  it('carry audio both ways, their headers and their Call-ID', async () => {
    const [alice, bob] = [await register('alice'), await register('bob')];
    const { caller, callee, callId } = await establish(alice, bob, {
      user: 'bob',
      headers: { 'X-Partyline-Leg': 'leg_1', 'Y-Other': 'hidden' },
      answer: { headers: { 'X-Answered-By': 'bob' } },
    });
    expect(bob.events.find(({ type }) => type === 'incoming-call')).toMatchObject({
      caller: registrar.uri('alice'),
      callee: registrar.uri('bob'),
      headers: { 'X-Partyline-Leg': 'leg_1' },
      jsep: { type: 'offer' },
      callId,
    });
    expect(alice.events.find(({ type }) => type === 'accepted')).toMatchObject({
      headers: { 'X-Answered-By': 'bob' },
      jsep: { type: 'answer' },
      callId,
    });
    caller.startSending();
    callee.startSending();
    await expect.poll(() => Math.min(caller.received(), callee.received())).toBeGreaterThan(5);
  });

  it('report a hang-up to both sides', async () => {
    const [alice, bob] = [await register('alice'), await register('bob')];
    const { callId } = await establish(alice, bob, { user: 'bob' });
    const down = Promise.all([alice, bob].map(({ handle }) => handle.waitFor(['webrtc-down'], LIMIT_MS)));
    await bob.handle.hangUp({ Reason: 'Q.850;cause=16;text="Normal"' });
    await down;
    expect(alice.events.slice(-2)).toMatchObject([
      { type: 'hangup', code: 200, callId, reasonHeader: { protocol: 'Q.850', cause: '16', text: 'Normal' } },
      { type: 'webrtc-down' },
    ]);
    expect(bob.events.slice(-3)).toMatchObject([
      { type: 'hanging-up' },
      { type: 'hangup', code: 200, callId },
      { type: 'webrtc-down' },
    ]);
  });

  it('are declined with a code', async () => {
    const [alice, bob] = [await register('alice'), await register('bob')];
    const hangup = alice.handle.waitFor(['hangup'], LIMIT_MS);
    const { callId } = await ring(alice, bob, 'bob');
    const declined = bob.handle.waitFor(['hangup'], LIMIT_MS);
    await bob.handle.decline({ code: 603 });
    expect(await hangup).toMatchObject({ code: 603, callId });
    expect(await declined).toMatchObject({ code: 603, callId });
  });

  it('are cancelled before the answer', async () => {
    const [alice, bob] = [await register('alice'), await register('bob')];
    const { callId } = await ring(alice, bob, 'bob');
    const hangups = Promise.all([alice, bob].map(({ handle }) => handle.waitFor(['hangup'], LIMIT_MS)));
    await alice.handle.hangUp();
    expect(await hangups).toMatchObject([{ code: 487, callId }, { callId }]);
    const accept = bob.handle.accept({ jsep: await createPeer().offer() });
    await expect(accept).rejects.toMatchObject({ kind: 'rejected', request: 'sip.accept' });
  });

  it('report the code of a number that does not exist', async () => {
    const alice = await register('alice');
    const hangup = alice.handle.waitFor(['hangup'], LIMIT_MS);
    const { callId } = await alice.handle.call({ uri: registrar.uri('nobody'), offer: await createPeer().offer() });
    expect(await hangup).toMatchObject({ code: 404, reason: 'Not Found', callId });
  });

  it('without an offer are answered with an offer', async () => {
    const bob = await register('bob');
    const incoming = bob.handle.waitFor(['incoming-call'], LIMIT_MS);
    const caller = createSocket('udp4');
    caller.bind(0, '127.0.0.1');
    await once(caller, 'listening');
    const { port } = caller.address();
    const sent = (method: string, target: string, to: string, branch: string, body = '') =>
      [
        `${method} ${target} SIP/2.0`,
        `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${branch};rport`,
        'From: <sip:desk@127.0.0.1>;tag=desk',
        `To: ${to}`,
        'Call-ID: offerless@127.0.0.1',
        `CSeq: 1 ${method}`,
        `Contact: <sip:desk@127.0.0.1:${port}>`,
        'Max-Forwards: 70',
        ...(body === '' ? [] : ['Content-Type: application/sdp']),
        `Content-Length: ${body.length}`,
        '',
        body,
      ].join('\r\n');
    const received = (status: number): Promise<string> =>
      new Promise((resolve) => {
        caller.on('message', (data) => {
          const text = data.toString();
          if (text.startsWith(`SIP/2.0 ${status}`) && /CSeq: 1 INVITE/iu.test(text)) resolve(text);
        });
      });
    const [ringing, answered] = [received(180), received(200)];
    caller.send(sent('INVITE', registrar.uri('bob'), `<${registrar.uri('bob')}>`, 'i1'), registrar.port);
    expect((await incoming).jsep).toBeUndefined();
    await ringing;

    const accepted = bob.handle.waitFor(['accepted'], LIMIT_MS);
    await bob.handle.accept({ jsep: await createPeer().offer() });
    const ok = await answered;
    const sdp = [
      'v=0',
      'o=- 1 1 IN IP4 127.0.0.1',
      's=-',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      `m=audio ${port} RTP/AVP 0`,
      'a=rtpmap:0 PCMU/8000',
      '',
    ].join('\r\n');
    const contact = required(/^Contact: <([^>]+)>/imu.exec(ok)?.[1]);
    const to = required(/^To: (.*)$/imu.exec(ok)?.[1]).trim();
    caller.send(sent('ACK', contact, to, 'a1', sdp), Number(/:(\d+)/u.exec(contact.replace(/^.*@/u, ''))?.[1]));
    expect(await accepted).toMatchObject({ jsep: { type: 'answer' }, callId: 'offerless@127.0.0.1' });
    caller.close();
  });

  it('to a busy account go to its helpers, then are missed', async () => {
    const [alice, bob, carol] = [await register('alice'), await register('bob'), await register('carol')];
    const helper = await helperOf('bob', bob);
    const dave = await register('dave');
    await establish(alice, bob, { user: 'bob' });
    await establish(carol, helper, { user: 'bob' });

    const missed = bob.handle.waitFor(['missed-call'], LIMIT_MS);
    const busy = dave.handle.waitFor(['hangup'], LIMIT_MS);
    const { callId } = await dave.handle.call({ uri: registrar.uri('bob'), offer: await createPeer().offer() });
    expect(await busy).toMatchObject({ code: 486, callId });
    expect(await missed).toMatchObject({ caller: registrar.uri('dave'), callId });
    const info = bob.handle.waitFor(['info'], LIMIT_MS);
    await alice.handle.sendInfo('text/plain', 'still here');
    expect(await info).toMatchObject({ content: 'still here' });
  });

  it('are taken at once by a helper that replaced the one of a finished call', async () => {
    const [alice, bob, carol] = [await register('alice'), await register('bob'), await register('carol')];
    const used = await helperOf('bob', bob);
    await establish(alice, bob, { user: 'bob' });
    await establish(carol, used, { user: 'bob' });
    const ended = used.handle.waitFor(['hangup'], LIMIT_MS);
    await used.handle.hangUp();
    await ended;
    await used.handle.detach();
    const fresh = await helperOf('bob', bob);
    const { callId } = await establish(await register('dave'), fresh, { user: 'bob' });
    expect(fresh.events).toContainEqual(expect.objectContaining({ type: 'incoming-call', callId }));
  });

  it('end when the handle is detached', async () => {
    const [alice, bob] = [await register('alice'), await register('bob')];
    const { callId } = await establish(alice, bob, { user: 'bob' });
    const hangup = alice.handle.waitFor(['hangup'], LIMIT_MS);
    await bob.handle.detach();
    expect(await hangup).toMatchObject({ code: 200, callId });
  });

  it('are not sent with a header that Janus would cut', async () => {
    const alice = await register('alice');
    const call = alice.handle.call({
      uri: registrar.uri('bob-long'),
      offer: await createPeer().offer(),
      headers: { 'X-Long': 'a'.repeat(300) },
    });
    await expect(call).rejects.toMatchObject({ kind: 'invalid', request: 'sip.call' });
    expect(registrar.requests).not.toContain('INVITE bob-long');
  });
});

describe('requests outside of a call', () => {
  it('resolve if the plugin ignores them', async () => {
    const { handle, events } = await register('alice');
    await handle.hangUp();
    await handle.decline({ code: 480 });
    await handle.hold();
    await handle.unhold();
    expect(events.at(-1)).toMatchObject({ type: 'registered' });
  });

  it('reject if the plugin rejects them', async () => {
    const { handle } = await register('alice');
    await expect(handle.update(await createPeer().offer())).rejects.toMatchObject({ code: 447 });
    await expect(handle.sendDtmfInfo('1')).rejects.toMatchObject({ kind: 'rejected', request: 'sip.dtmf_info' });
    await expect(handle.transfer(registrar.uri('bob'))).rejects.toMatchObject({ request: 'sip.transfer' });
  });
});

describe('in a call', () => {
  let alice: Line;
  let bob: Line;
  let call: Awaited<ReturnType<typeof establish>>;

  beforeEach(async () => {
    alice = await register('alice');
    bob = await register('bob');
    call = await establish(alice, bob, { user: 'bob', answer: { autoAcceptReinvites: false } });
  });

  it('a digit by SIP INFO is reported', async () => {
    const digit = bob.handle.waitFor(['dtmf-info'], LIMIT_MS);
    await alice.handle.sendDtmfInfo('#', 200);
    expect(await digit).toEqual({ type: 'dtmf-info', digit: '#', durationMs: 200, callId: call.callId });

    const other = bob.handle.waitFor(['dtmf-info'], LIMIT_MS);
    await alice.handle.sendInfo('application/dtmf', '5');
    expect(await other).toMatchObject({ digit: '5', durationMs: undefined });
  });

  it('INFO and MESSAGE are reported', async () => {
    const info = bob.handle.waitFor(['info'], LIMIT_MS);
    await alice.handle.sendInfo('application/json', '{"a":1}', { 'X-Kind': 'test' });
    expect(await info).toMatchObject({
      sender: registrar.uri('alice'),
      contentType: 'application/json',
      content: '{"a":1}',
      headers: { 'X-Kind': 'test' },
      callId: call.callId,
    });
    const message = bob.handle.waitFor(['message'], LIMIT_MS);
    const delivery = alice.handle.waitFor(['message-delivery'], LIMIT_MS);
    expect(await alice.handle.sendMessage({ content: 'hello' })).toEqual({ callId: call.callId });
    expect(await message).toMatchObject({ content: 'hello', contentType: 'text/plain' });
    expect(await delivery).toMatchObject({ code: 200, callId: call.callId });
  });

  it('hold and resume reach the other side as updates', async () => {
    const answer = async (): Promise<void> => {
      const update = await bob.handle.waitFor(['updating-call'], LIMIT_MS);
      await bob.handle.update(await call.callee.answer(required(update.jsep)));
    };
    const held = Promise.all([answer(), alice.handle.waitFor(['holding'], LIMIT_MS)]);
    await alice.handle.hold('inactive');
    await held;
    expect(bob.events.findLast(({ type }) => type === 'updating-call')).toMatchObject({
      jsep: { sdp: expect.stringContaining('a=inactive') },
      callId: call.callId,
    });
    const resumed = answer();
    // Janus ignores the request while it ends the re-INVITE of the hold, and no event reports that end.
    await vi.waitFor(
      () => Promise.all([alice.handle.waitFor(['resuming'], RESUMED_MS), alice.handle.unhold()]),
      LIMIT_MS,
    );
    await resumed;
    expect(bob.events.findLast(({ type }) => type === 'updating-call')).toMatchObject({
      jsep: { sdp: expect.not.stringContaining('a=inactive') },
    });
  });

  it('an update is answered by the other side', async () => {
    const updating = bob.handle.waitFor(['updating-call'], LIMIT_MS);
    const accepted = alice.handle.waitFor(['accepted'], LIMIT_MS);
    await alice.handle.update(await call.caller.offer());
    await bob.handle.update(await call.callee.answer(required((await updating).jsep)));
    expect(await accepted).toMatchObject({ jsep: { type: 'answer' }, callId: call.callId });
  });

  it('a blind transfer is reported, followed, and its progress notified', async () => {
    const carol = await register('carol');
    const helper = await helperOf('bob', bob);
    const transfer = bob.handle.waitFor(['transfer'], LIMIT_MS);
    await alice.handle.transfer(registrar.uri('carol'));
    const { referId, referTo, replaces } = await transfer;
    expect({ referTo, replaces }).toEqual({ referTo: registrar.uri('carol'), replaces: undefined });

    await establish(helper, carol, { user: 'carol', uri: referTo, referId });
    expect(carol.events.find(({ type }) => type === 'incoming-call')).toMatchObject({
      referredBy: expect.stringContaining('sip:alice@127.0.0.1'),
    });
    await expect
      .poll(() => alice.events.flatMap((event) => (event.type === 'notify' ? [event.content.trim()] : [])))
      .toContain('SIP/2.0 200 OK');
  });

  it('an attended transfer names the call that it replaces', async () => {
    const carol = await register('carol');
    const second = await helperOf('alice', alice);
    const consultation = await establish(second, carol, { user: 'carol' });
    const transfer = bob.handle.waitFor(['transfer'], LIMIT_MS);
    await alice.handle.transfer(registrar.uri('carol'), consultation.callId);
    expect(await transfer).toMatchObject({ referTo: registrar.uri('carol'), replaces: consultation.callId });
  });

  it('a declined transfer is notified to the transferor', async () => {
    const transfer = bob.handle.waitFor(['transfer'], LIMIT_MS);
    const notify = alice.handle.waitFor(['notify'], LIMIT_MS);
    await alice.handle.transfer(registrar.uri('carol'));
    await bob.handle.decline({ code: 603, referId: (await transfer).referId });
    expect(await notify).toMatchObject({ name: 'refer', content: expect.stringContaining('SIP/2.0') });
    await expect
      .poll(() => alice.events.flatMap((event) => (event.type === 'notify' ? [event.content.trim()] : [])))
      .toContain('SIP/2.0 603 Decline');
  });

  it('the sound of both sides is recorded', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'partyline-janus-'));
    const updated = alice.handle.waitFor(['recording-updated'], LIMIT_MS);
    await alice.handle.record({ action: 'start', audio: true, peerAudio: true, filename: join(folder, 'call') });
    await updated;
    await alice.handle.record({ action: 'stop', audio: true, peerAudio: true });
    expect(await readdir(folder)).toEqual(['call-peer-audio.mjr', 'call-user-audio.mjr']);
    await rm(folder, { recursive: true });
  });
});

describe('messages and subscriptions without a call', () => {
  it('a message is delivered, and its failure reported', async () => {
    const [alice, bob] = [await register('alice'), await register('bob')];
    const message = bob.handle.waitFor(['message'], LIMIT_MS);
    const delivered = alice.handle.waitFor(['message-delivery'], LIMIT_MS);
    const sent = await alice.handle.sendMessage({ uri: registrar.uri('bob'), content: 'hello' });
    expect(await message).toMatchObject({ content: 'hello', sender: expect.stringContaining('sip:alice@') });
    expect(await delivered).toMatchObject({ code: 200, callId: sent.callId });

    const failed = alice.handle.waitFor(['message-delivery'], LIMIT_MS);
    const lost = await alice.handle.sendMessage({ uri: registrar.uri('nobody'), content: 'hello', callId: 'lost-1' });
    expect(lost).toEqual({ callId: 'lost-1' });
    expect(await failed).toMatchObject({ code: 404, callId: 'lost-1' });
  });

  it('a failed subscription is reported', async () => {
    const { handle } = await register('alice');
    const failed = handle.waitFor(['subscribe-failed'], LIMIT_MS);
    await handle.subscribe({ event: 'message-summary', to: registrar.uri('nobody'), ttlSeconds: 60 });
    expect(await failed).toMatchObject({ code: 404 });
    await expect(handle.unsubscribe({ event: 'presence' })).rejects.toMatchObject({ code: 447 });
  });
});
