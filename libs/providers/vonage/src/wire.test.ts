import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { createHash, createHmac, generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import type { CreateCall, VoiceProvider } from '@partyline/provider-contract/voice-provider';
import { jsonReply, startStubProvider, type StubProvider } from './testing/stub-provider.ts';
import { unifiedMedia } from './media/unified-media.ts';
import { vonageVoice } from './voice/vonage-voice.ts';

// Requests field by field: an emulator that fills in defaults would not reveal a missing field.

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const applicationId = 'a1b2c3d4-0000-4000-8000-000000000001';
const [SECRET, OLD] = ['the-secret-that-holds-now-0123456789', 'the-secret-of-the-rotation-0123456789'];

let stub: StubProvider;
let voice: VoiceProvider;
let media: MediaProvider;

beforeAll(async () => {
  stub = await startStubProvider();
  const deps = providerDeps(5_000);
  voice = vonageVoice.create(
    vonageVoice.account.parse({
      apiKey: 'acc12345',
      applicationId,
      privateKey,
      signatureSecret: SECRET,
      extraSignatureSecrets: [OLD],
      apiHost: stub.url,
    }),
    deps,
  );
  const sip = { username: 'u', password: 'p', secure: false, tls: false, host: 'sip.example:5080' };
  media = unifiedMedia.create(
    unifiedMedia.account.parse({ applicationId, privateKey, videoHost: stub.url, sip, callbackSecret: SECRET }),
    deps,
  );
});
afterAll(() => stub.stop());

const firstRequest = (): { method: string | undefined; url: string | undefined; body: unknown } => ({
  ...stub.requests[0],
  method: stub.requests[0]?.method,
  url: stub.requests[0]?.url,
  body: JSON.parse(stub.requests[0]?.body ?? 'null'),
});

describe('voice', () => {
  const input: CreateCall = {
    to: '+447700900123',
    from: '+442079460000',
    answerUrl: 'https://h/answer?leg=1',
    eventUrl: 'https://h/event?leg=1',
    ringingTimerS: 45.9,
    lengthTimerS: 600,
  };
  const place = async (more: Partial<CreateCall> = {}): Promise<unknown> => {
    stub.setReply(jsonReply({ uuid: 'u-1', status: 'started', conversation_uuid: 'CON-1' }, 201));
    expect(await voice.createCall({ ...input, ...more })).toEqual({ callId: 'u-1' });
    return firstRequest().body;
  };

  it('places a call with both addresses, both timers, and no plus', async () => {
    expect(await place()).toEqual({
      to: [{ type: 'phone', number: '447700900123' }],
      from: { type: 'phone', number: '442079460000' },
      answer_url: ['https://h/answer?leg=1'],
      answer_method: 'POST',
      event_url: ['https://h/event?leg=1'],
      event_method: 'POST',
      length_timer: 600,
      ringing_timer: 45,
    });
  });

  const timers: [number, number, number, number][] = [
    [10_000, 500, 7_200, 120],
    [0, -5, 1, 1],
    [Number.NaN, Number.POSITIVE_INFINITY, 1, 120],
  ];

  it.each(timers)('clamps timers of %d and %d s', async (lengthTimerS, ringingTimerS, length, ringing) => {
    expect(await place({ lengthTimerS, ringingTimerS })).toMatchObject({
      length_timer: length,
      ringing_timer: ringing,
    });
  });

  it('hangs up and mutes by PUT', async () => {
    stub.setReply({ status: 204, type: 'text/plain', body: '' });
    await voice.hangUp('u-1');
    await voice.mute('u-1', true);
    await voice.mute('u-1', false);
    expect(stub.requests.map(({ method, url, body }) => `${method} ${url} ${body}`)).toEqual(
      ['hangup', 'mute', 'unmute'].map((action) => `PUT /v1/calls/u-1 {"action":"${action}"}`),
    );
  });

  it('lists each live status in pages of 100, oldest first', async () => {
    stub.setReply(jsonReply({ count: 0, _embedded: { calls: [] } }));
    expect(await voice.listLiveCalls()).toEqual([]);
    expect(stub.requests.map(({ url }) => Object.fromEntries(new URL(url ?? '', stub.url).searchParams))).toEqual(
      ['started', 'ringing', 'answered'].map((status) => ({
        status,
        page_size: '100',
        record_index: '0',
        order: 'asc',
      })),
    );
  });

  it.each([SECRET, OLD])('accepts webhooks signed with either secret of a rotation', (secret) => {
    const rawBody = Buffer.from('{}');
    const now = new Date('2026-11-21T12:00:00Z');
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = {
      iat: now.getTime() / 1_000,
      jti: 'j',
      iss: 'Vonage',
      payload_hash: createHash('sha256').update(rawBody).digest('hex'),
      api_key: 'acc12345',
      application_id: applicationId,
    };
    const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
    const authorization = `Bearer ${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    expect(voice.verifyCallback({ authorization, rawBody }, now)).toMatchObject({ ok: true });
  });
});

describe('unified video', () => {
  it('requests a routed session without archive', async () => {
    stub.setReply(jsonReply([{ session_id: 's-1' }]));
    expect(await media.openSession({ conversation: 'c' })).toEqual({ mediaSessionId: 's-1' });
    // The SDK sends `location=null` (contract section 0.11).
    expect(Object.fromEntries(new URLSearchParams(stub.requests[0]?.body))).toEqual({
      archiveMode: 'manual',
      'p2p.preference': 'disabled',
      location: 'null',
    });
  });

  it('dials with the SIP settings of the account', async () => {
    stub.setReply(jsonReply({ id: 'i', connectionId: 'c', streamId: 's' }));
    const dial = {
      mediaSessionId: 's-1',
      number: '+442079460000',
      headers: { 'X-Leg': 'l' },
      data: 'd',
      expiresAt: new Date(Date.now() + 60_000),
    };
    expect(await media.dialSip(dial)).toEqual({ connectionId: 'c', sipCallId: 'i' });
    expect(firstRequest()).toMatchObject({
      method: 'POST',
      url: `/v2/project/${applicationId}/dial`,
      body: {
        sessionId: 's-1',
        token: expect.any(String),
        sip: {
          uri: 'sip:442079460000@sip.example:5080',
          headers: { 'X-Leg': 'l' },
          auth: { username: 'u', password: 'p' },
          secure: false,
        },
      },
    });
  });

  it('fails as unknown for a dial reply without ids', async () => {
    stub.setReply(jsonReply({}));
    const dial = {
      mediaSessionId: 's-1',
      number: '+442079460000',
      headers: {},
      data: 'd',
      expiresAt: new Date(Date.now() + 60_000),
    };
    await expect(media.dialSip(dial)).rejects.toMatchObject({ failure: 'unknown' });
  });
});
