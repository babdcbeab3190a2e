import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MediaCapabilities, MediaProvider, SipDial } from '../media-provider.ts';
import type { MediaEvent } from '../provider-event.ts';
import {
  captureFailure,
  FAULT_TEST_TIMEOUT_MS,
  listExpectedFailures,
  SHORT_TIMEOUT_MS,
  type RequestEffect,
  type ProviderFault,
} from './provider-fault.ts';
import type { ReceivedWebhook, WebhookReceiver } from './webhook-receiver.ts';

export type MediaOperation = 'open-session' | 'dial' | 'disconnect' | 'list-connections' | 'mute';

/**
 * A provider (or its emulator) with one account, and the means to simulate its clients and its
 * faults.
 */
export interface MediaHarness {
  /** The provider's clock. */
  now(): Date;
  /** Creates a provider with the given request timeout. */
  provider(timeoutMs: number): MediaProvider;
  /** Creates a provider with valid credentials and a host that refuses connections. */
  unreachableProvider(): MediaProvider;
  /** Creates a provider with wrong SIP credentials. */
  providerWithWrongSipPassword(): MediaProvider;
  /**
   * Receives session- and SIP-monitoring callbacks at `/media`, and the answer webhooks of the
   * voice account at `/answer`.
   */
  readonly receiver: WebhookReceiver;
  /** A number whose calls request `/answer`. */
  readonly number: string;
  /** An id in the form of the provider that it never issued. */
  readonly unknownConnectionId: string;
  /** Joins a browser with a client token. Rejects when the provider rejects the token. */
  join(mediaSessionId: string, token: string): Promise<{ connectionId: string; data: string }>;
  /** Returns the custom SIP headers of an answer webhook, by lower-case name. */
  sipHeaders(answer: ReceivedWebhook): Readonly<Record<string, string>>;
  /** Injects a fault into one operation until `clearFaults`. */
  injectFault(operation: MediaOperation, fault: ProviderFault): Promise<void>;
  clearFaults(): Promise<void>;
  /** Lists of connections also show those that have left, and those that are being set up. */
  listAllConnectionStates(): Promise<void>;
  /** Texts that no error may contain. */
  readonly secrets: readonly string[];
  stop(): Promise<void>;
}

const HOUR_MS = 3_600_000;

/**
 * Defines the tests that every media provider must pass.
 * @param options.opensSessionsLocally whether a session opens without a request to the provider
 */
export function describeMediaContract(
  name: string,
  capabilities: MediaCapabilities,
  start: () => Promise<MediaHarness>,
  options: { readonly opensSessionsLocally: boolean },
): void {
  describe(`${name}: media contract`, () => {
    let harness: MediaHarness;
    let media: MediaProvider;
    const inAnHour = (): Date => new Date(Math.floor(harness.now().getTime() / 1_000) * 1_000 + HOUR_MS);
    const dialOf = (mediaSessionId: string, more: Partial<SipDial> = {}): SipDial => ({
      mediaSessionId,
      number: harness.number,
      headers: { 'X-Partyline-Leg': 'leg_contract' },
      data: '{"leg":"leg_contract"}',
      expiresAt: inAnHour(),
      ...more,
    });
    let opened = 0;
    const openSession = async (): Promise<string> =>
      (await media.openSession({ conversation: `conv_contract_${(opened += 1)}` })).mediaSessionId;
    /** Waits for the next matching callback and verifies it. */
    const waitForEvent = async <Kind extends MediaEvent['kind']>(
      kind: Kind,
      matches: (event: Extract<MediaEvent, { kind: Kind }>) => boolean,
    ): Promise<Extract<MediaEvent, { kind: Kind }>> => {
      const isWanted = (found: MediaEvent): found is Extract<MediaEvent, { kind: Kind }> =>
        found.kind === kind && matches(found as Extract<MediaEvent, { kind: Kind }>);
      const webhook = await harness.receiver.waitFor('/media', (candidate) =>
        isWanted(media.parseCallback(candidate.body)),
      );
      expect(media.verifyCallback(webhook, harness.now())).toMatchObject({ ok: true });
      return media.parseCallback(webhook.body) as Extract<MediaEvent, { kind: Kind }>;
    };

    beforeAll(async () => {
      harness = await start();
      media = harness.provider(10_000);
    });
    beforeEach(() => harness.clearFaults());
    afterAll(() => harness.stop());

    it('declares its capabilities', () => {
      expect(media.capabilities).toEqual(capabilities);
      expect(media.clientConfig.kind).toBe(media.kind);
      expect(harness.secrets.some((secret) => JSON.stringify(media.clientConfig).includes(secret))).toBe(false);
    });

    it('accepts a browser with a token that carries data, and reports the connection', async () => {
      const mediaSessionId = await openSession();
      const joined = await harness.join(
        mediaSessionId,
        media.issueToken({ mediaSessionId, data: '{"p":"part_1"}', expiresAt: inAnHour() }),
      );
      expect(joined.data).toBe('{"p":"part_1"}');
      const reported = await waitForEvent('connected', (found) => found.connectionId === joined.connectionId);
      expect(reported).toMatchObject({ mediaSessionId, data: '{"p":"part_1"}' });
      expect(reported.at).toBeInstanceOf(Date);
    });

    it('rejects a token with an invalid expiry or too much data', async () => {
      const mediaSessionId = await openSession();
      const bad = [
        { mediaSessionId, data: '', expiresAt: new Date(harness.now().getTime() - HOUR_MS) },
        { mediaSessionId, data: '', expiresAt: new Date(Number.NaN) },
        { mediaSessionId, data: '', expiresAt: new Date(harness.now().getTime() + 31 * 24 * HOUR_MS) },
        { mediaSessionId, data: 'x'.repeat(1_001), expiresAt: inAnHour() },
      ];
      for (const input of bad)
        expect(() => media.issueToken(input)).toThrow(expect.objectContaining({ failure: 'refused' }));
    });

    it('closes a connection, and the provider reports it closed', async () => {
      const mediaSessionId = await openSession();
      const { connectionId } = await harness.join(
        mediaSessionId,
        media.issueToken({ mediaSessionId, data: 'd', expiresAt: inAnHour() }),
      );
      await media.disconnect({ mediaSessionId, connectionId });
      expect(await waitForEvent('disconnected', (found) => found.connectionId === connectionId)).toMatchObject({
        mediaSessionId,
        data: 'd',
      });
    });

    it('fails with not-found for an unknown connection, and rejects an invalid connection id', async () => {
      const mediaSessionId = await openSession();
      expect(await captureFailure(() => media.disconnect({ mediaSessionId, connectionId: 'unknown' }))).toMatchObject({
        failure: 'not-found',
      });
      expect(
        await captureFailure(async () => media.disconnect({ mediaSessionId, connectionId: '../../stream?x=' })),
      ).toMatchObject({ failure: 'refused' });
    });

    it.runIf(capabilities.listConnections)('lists live connections only', async () => {
      const mediaSessionId = await openSession();
      const token = (data: string): string => media.issueToken({ mediaSessionId, data, expiresAt: inAnHour() });
      const [stays, leaves] = [
        await harness.join(mediaSessionId, token('a')),
        await harness.join(mediaSessionId, token('b')),
      ];
      const listed = async (): Promise<string[]> =>
        (await media.listConnections(mediaSessionId)).map((one) => one.connectionId).toSorted();
      expect(await listed()).toEqual([stays.connectionId, leaves.connectionId].toSorted());
      await media.disconnect({ mediaSessionId, connectionId: leaves.connectionId });
      await waitForEvent('disconnected', (found) => found.connectionId === leaves.connectionId);
      expect(await listed()).toEqual([stays.connectionId]);
    });

    it.runIf(capabilities.listConnections)('ignores listed connections that have left', async () => {
      const mediaSessionId = await openSession();
      const token = (data: string): string => media.issueToken({ mediaSessionId, data, expiresAt: inAnHour() });
      const stays = await harness.join(mediaSessionId, token('a'));
      const leaves = await harness.join(mediaSessionId, token('b'));
      await media.disconnect({ mediaSessionId, connectionId: leaves.connectionId });
      await waitForEvent('disconnected', (found) => found.connectionId === leaves.connectionId);
      await harness.listAllConnectionStates();
      expect((await media.listConnections(mediaSessionId)).map((one) => one.connectionId)).toEqual([
        stays.connectionId,
      ]);
    });

    it.runIf(capabilities.sipDial)(
      'dials the bridge: reports a connection and an answer webhook with our header',
      async () => {
        const mediaSessionId = await openSession();
        const leg = 'leg_header';
        const dialled = await media.dialSip(dialOf(mediaSessionId, { headers: { 'X-Partyline-Leg': leg } }));
        expect(await waitForEvent('connected', (found) => found.connectionId === dialled.connectionId)).toMatchObject({
          mediaSessionId,
          data: '{"leg":"leg_contract"}',
        });
        const answer = await harness.receiver.waitFor(
          '/answer',
          (one) => harness.sipHeaders(one)['x-partyline-leg'] === leg,
        );
        expect(Object.keys(harness.sipHeaders(answer))).toContain('x-partyline-leg');
        await media.disconnect({ mediaSessionId, connectionId: dialled.connectionId });
        expect(
          await waitForEvent('disconnected', (found) => found.connectionId === dialled.connectionId),
        ).toMatchObject({
          mediaSessionId,
        });
      },
    );

    it.runIf(capabilities.sipMonitoring)(
      'reports the SIP call of the bridge as active, then over with a verdict',
      async () => {
        const mediaSessionId = await openSession();
        const { connectionId, sipCallId } = await media.dialSip(dialOf(mediaSessionId));
        expect(
          await waitForEvent('sip-call', (found) => found.sipCallId === sipCallId && found.phase === 'active'),
        ).toMatchObject({ mediaSessionId, connectionId });
        await media.disconnect({ mediaSessionId, connectionId });
        const over = await waitForEvent('sip-call', (found) => found.sipCallId === sipCallId && found.phase === 'over');
        expect(over).toMatchObject({ connectionId, verdict: { outcome: 'success', reason: 'completed' } });
      },
    );

    it.runIf(capabilities.sipMonitoring)(
      'accepts a dial with wrong SIP credentials, and reports it over with a verdict',
      async () => {
        const mediaSessionId = await openSession();
        const dialled = await harness.providerWithWrongSipPassword().dialSip(dialOf(mediaSessionId));
        const over = await waitForEvent(
          'sip-call',
          (found) => found.sipCallId === dialled.sipCallId && found.phase === 'over',
        );
        expect(over.verdict).toEqual({ outcome: 'client', reason: 'sip-credentials' });
      },
    );

    it.runIf(capabilities.sipDial)('rejects an invalid dial without sending a request', async () => {
      const mediaSessionId = await openSession();
      const bad: Partial<SipDial>[] = [
        { number: 'sip:x@y' },
        { headers: { Evil: 'x' } },
        { headers: { 'X-Leg': 'a\r\nX-Other: b' } },
        { data: 'x'.repeat(1_001) },
      ];
      for (const more of bad)
        expect(
          await captureFailure(async () => harness.unreachableProvider().dialSip(dialOf(mediaSessionId, more))),
        ).toMatchObject({
          failure: 'refused',
        });
    });

    it('rejects a callback that is changed, unsigned or stale', async () => {
      const mediaSessionId = await openSession();
      const joined = await harness.join(
        mediaSessionId,
        media.issueToken({ mediaSessionId, data: 'd', expiresAt: inAnHour() }),
      );
      const genuine = await harness.receiver.waitFor('/media', (one) => one.rawBody.includes(joined.connectionId));
      expect(media.verifyCallback(genuine, harness.now())).toMatchObject({ ok: true });
      const changed = Buffer.from(
        genuine.rawBody.toString('utf8').replace(joined.connectionId, `${joined.connectionId}0`),
      );
      expect(media.verifyCallback({ ...genuine, rawBody: changed }, harness.now())).toEqual({
        ok: false,
        refused: 'wrong-hash',
      });
      expect(media.verifyCallback({ ...genuine, authorization: undefined }, harness.now())).toEqual({
        ok: false,
        refused: 'unsigned',
      });
      expect(media.verifyCallback(genuine, new Date(harness.now().getTime() + 2 * HOUR_MS))).toEqual({
        ok: false,
        refused: 'stale',
      });
    });

    const operations: {
      operation: MediaOperation;
      effect: RequestEffect;
      isSupported?: boolean;
      run: (provider: MediaProvider, mediaSessionId: string) => Promise<unknown>;
    }[] = [
      {
        operation: 'open-session',
        effect: 'write',
        run: (provider) => provider.openSession({ conversation: 'conv_contract' }),
      },
      {
        operation: 'disconnect',
        effect: 'void-write',
        run: (provider, mediaSessionId) =>
          provider.disconnect({ mediaSessionId, connectionId: harness.unknownConnectionId }),
      },
      {
        operation: 'dial',
        effect: 'write',
        isSupported: capabilities.sipDial,
        run: (provider, mediaSessionId) => provider.dialSip(dialOf(mediaSessionId)),
      },
      {
        operation: 'list-connections',
        effect: 'read',
        isSupported: capabilities.listConnections,
        run: (provider, mediaSessionId) => provider.listConnections(mediaSessionId),
      },
      {
        operation: 'mute',
        effect: 'void-write',
        isSupported: capabilities.mute,
        run: (provider, mediaSessionId) =>
          provider.mute({ mediaSessionId, connectionId: harness.unknownConnectionId, muted: true }),
      },
    ];
    const supported = operations.filter(
      ({ operation, isSupported }) =>
        (isSupported ?? true) && !(operation === 'open-session' && options.opensSessionsLocally),
    );

    it.each(operations.filter(({ isSupported }) => isSupported === false))(
      '$operation: fails as unsupported',
      async ({ run }) => {
        expect(await captureFailure(async () => run(media, 'any'))).toMatchObject({
          failure: 'refused',
          reason: 'unsupported',
        });
      },
    );

    it.each(supported.flatMap((one) => listExpectedFailures(one.effect).map((row) => ({ ...one, ...row }))))(
      '$operation: the fault $fault fails as $failures',
      async ({ operation, run, fault, failures }) => {
        const mediaSessionId = await openSession();
        await harness.injectFault(operation, fault);
        // Long for a provider that answers: a slow machine must not cause a timeout.
        const provider = harness.provider(fault === 'silence' ? SHORT_TIMEOUT_MS : 10_000);
        const failed = await captureFailure(async () => run(provider, mediaSessionId), harness.secrets);
        expect(failures).toContain(failed.failure);
        expect(failed.leaks).toEqual([]);
      },
      FAULT_TEST_TIMEOUT_MS,
    );

    it.each(supported)('$operation: an unreachable provider fails as busy', async ({ run }) => {
      const mediaSessionId = await openSession();
      // An unhandledRejection fails the run: opentok's own hang-up would end the process this way.
      expect(
        await captureFailure(async () => run(harness.unreachableProvider(), mediaSessionId), harness.secrets),
      ).toMatchObject({
        failure: 'busy',
        leaks: [],
      });
    });
  });
}
