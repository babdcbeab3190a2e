import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  NUMBER,
  toPromise,
  createRoutedSession,
  startTestHarness,
  SIP_AUTH,
  SIP_URI,
  type Harness,
} from './testing/test-harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await startTestHarness();
  harness.replies.set('/answer', (hook) => ({
    json:
      'SipHeader_X-OpenTok-SessionId' in hook.query
        ? [{ action: 'conversation', name: 'room-1' }]
        : [
            { action: 'talk', text: 'Please key your PIN', bargeIn: true },
            { action: 'input', type: ['dtmf'], dtmf: { maxDigits: 4 }, eventUrl: [`${harness.hooksUrl}/dtmf`] },
          ],
  }));
  harness.replies.set('/dtmf', () => ({ json: [{ action: 'conversation', name: 'room-1' }] }));
});
afterAll(() => harness.close());

describe('a browser and a caller in one conversation', () => {
  it('joins them by PIN and SIP dial, and has no leg up after all have left', async () => {
    const { client, opentok } = harness;
    const sessionId = await createRoutedSession(harness);
    const browser = await client.joinWebrtc({ sessionId, token: opentok.generateToken(sessionId) });
    const caller = await client.dial({ from: '+447700900001', to: NUMBER });
    await client.awaitPrompt(caller.id);
    await client.key(caller.id, '1234');
    const joined = await client.awaitJoined(caller.id);
    expect(joined.conversation).toBe('room-1');

    const sip = await toPromise<{ connectionId: string }>((done) =>
      opentok.dial(
        sessionId,
        opentok.generateToken(sessionId),
        SIP_URI,
        { auth: SIP_AUTH, headers: { 'X-Room': 'r1' } },
        done,
      ),
    );
    const room = await client.awaitConversation('room-1', 2);
    expect(room.members.map((member) => member.bridgedSessionId)).toEqual([undefined, sessionId]);
    await client.awaitLegsUp(4);
    const together = await client.awaitLegsUp(2, { conversation: 'room-1' });
    expect(together.legs.map((leg) => leg.kind).toSorted()).toEqual(['voice-inbound', 'voice-sip']);

    await client.leaveWebrtc(browser.connectionId);
    expect((await client.ledger()).up).toBe(3);
    await toPromise((done) => opentok.forceDisconnect(sessionId, sip.connectionId, done));
    expect(await client.awaitDisconnected(sip.connectionId)).toMatchObject({ endReason: 'forceDisconnected' });
    await client.hangUp(caller.id);
    const ledger = await client.awaitLegsUp(0);
    expect(ledger.totalMicros).toBeGreaterThan(0);
  });
});
