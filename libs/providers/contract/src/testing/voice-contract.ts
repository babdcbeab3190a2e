import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Verdict } from '@partyline/domain/verdict';
import type { VoiceEvent } from '../provider-event.ts';
import type { CallPlan, CreateCall, VoiceCapabilities, VoiceProvider } from '../voice-provider.ts';
import {
  captureFailure,
  FAULT_TEST_TIMEOUT_MS,
  listExpectedFailures,
  SHORT_TIMEOUT_MS,
  type RequestEffect,
  type ProviderFault,
} from './provider-fault.ts';
import type { WebhookReceiver } from './webhook-receiver.ts';

export type VoiceOperation =
  'create-call' | 'hang-up' | 'mute' | 'send-digits' | 'say' | 'transfer' | 'set-deadline' | 'get-call' | 'list-calls';

/** How a telephone reacts to a call. */
type PhoneHabit = 'answers' | 'busy' | 'rejects' | 'never-answers' | 'unroutable';

/** A simulated person on a telephone, on an inbound or an outbound call. */
export interface SimulatedCaller {
  pressKeys(digits: string): Promise<unknown>;
  /** Waits for a prompt that requests digits. */
  waitForPrompt(): Promise<unknown>;
  /** Waits until the caller is in a conversation, or waits for one to start. */
  waitForAdmission(): Promise<{ conversation: string; isWaiting: boolean }>;
  /** Whether the other members of the conversation hear the caller. */
  isHeard(): Promise<boolean>;
  /** Returns the next text that the caller hears. */
  nextHeardText(): Promise<string | undefined>;
  /** Returns the next DTMF tones that the caller hears, as keys. Pauses may be missing. */
  nextHeardTones(): Promise<string>;
  waitForEnd(): Promise<unknown>;
  hangUp(): Promise<unknown>;
}

/**
 * A provider (or its emulator) with one account, and the means to simulate its callers and its
 * faults.
 */
export interface VoiceHarness {
  /** The provider's clock. */
  now(): Date;
  provider(timeoutMs: number): VoiceProvider;
  unreachableProvider(): VoiceProvider;
  /** Receives the answer webhooks of `number` at `/answer` and its events at `/event`. */
  readonly receiver: WebhookReceiver;
  readonly number: string;
  /** Adds a telephone with the given behaviour, and returns its number. */
  addPhone(habit: PhoneHabit): Promise<string>;
  /** Waits for a call to a telephone, and returns the person who receives it. */
  callerAt(number: string): Promise<SimulatedCaller>;
  /** Simulates a person who calls `number`. */
  callIn(): Promise<SimulatedCaller>;
  /** Switches the provider's rejection of hang-ups of young calls on or off, where it has one. */
  rejectYoungCalls?(on: boolean): Promise<void>;
  /** An id in the form of the provider that it never issued. */
  readonly unknownCallId: string;
  injectFault(operation: VoiceOperation, fault: ProviderFault): Promise<void>;
  clearFaults(): Promise<void>;
  readonly secrets: readonly string[];
  stop(): Promise<void>;
}

const HOUR_MS = 3_600_000;
const POLL = { timeout: 30_000 };

type CallEvent = Extract<VoiceEvent, { kind: 'call' }>;

const ENDINGS: { habit: PhoneHabit; verdict: Verdict }[] = [
  { habit: 'busy', verdict: { outcome: 'client', reason: 'busy' } },
  { habit: 'rejects', verdict: { outcome: 'client', reason: 'rejected' } },
  { habit: 'never-answers', verdict: { outcome: 'client', reason: 'unanswered' } },
];

/**
 * Defines the tests that every voice provider must pass.
 * @param options.rejectsYoungCalls whether the provider rejects the hang-up of a call that is too young
 */
export function describeVoiceContract(
  name: string,
  capabilities: VoiceCapabilities,
  start: () => Promise<VoiceHarness>,
  options: { readonly rejectsYoungCalls: boolean },
): void {
  describe(`${name}: voice contract`, () => {
    let harness: VoiceHarness;
    let voice: VoiceProvider;
    const conversation = 'conv_contract_0123456789';
    /** An id of another provider. */
    const foreignId = '00000000-0000-4000-8000-000000000000';
    const callTo = (to: string, more: Partial<CreateCall> = {}): CreateCall => ({
      to,
      from: harness.number,
      answerUrl: `${harness.receiver.url}/answer`,
      eventUrl: `${harness.receiver.url}/event`,
      ringingTimerS: 30,
      lengthTimerS: 600,
      ...more,
    });
    const plan = (steps: CallPlan): void => harness.receiver.setReply('/answer', () => voice.renderPlan(steps));
    const eventUrl = (): string => `${harness.receiver.url}/event`;
    const join = (): CallPlan => [{ do: 'join', conversation, eventUrl: eventUrl() }];
    const callEvent = async (callId: string, phase: CallEvent['phase']): Promise<CallEvent> => {
      const webhook = await harness.receiver.waitFor('/event', ({ body }) => {
        const found = voice.parseEvent(body);
        return found.kind === 'call' && found.callId === callId && found.phase === phase;
      });
      expect(voice.verifyCallback(webhook, harness.now())).toMatchObject({ ok: true });
      return voice.parseEvent(webhook.body) as CallEvent;
    };
    /** Places a call and waits until it is in the conference. */
    const joinedCall = async (): Promise<{ callId: string; person: SimulatedCaller }> => {
      plan(join());
      const to = await harness.addPhone('answers');
      const { callId } = await voice.createCall(callTo(to));
      const person = await harness.callerAt(to);
      await person.waitForAdmission();
      return { callId, person };
    };

    beforeAll(async () => {
      harness = await start();
      voice = harness.provider(10_000);
    });
    beforeEach(() => harness.clearFaults());
    afterAll(() => harness.stop());

    it('declares its capabilities', () => expect(voice.capabilities).toEqual(capabilities));

    it('places a call, joins it to the conversation, hangs it up, and reports it over', async () => {
      plan(join());
      const to = await harness.addPhone('answers');
      const { callId } = await voice.createCall(callTo(to));
      const answer = await harness.receiver.waitFor('/answer', ({ body }) => voice.parseAnswer(body).callId === callId);
      expect(voice.verifyCallback(answer, harness.now())).toMatchObject({ ok: true });
      expect(voice.parseAnswer(answer.body)).toMatchObject({ callId, viaSip: false, headers: {} });
      const person = await harness.callerAt(to);
      expect(await person.waitForAdmission()).toEqual({ conversation, isWaiting: false });
      expect((await callEvent(callId, 'answered')).at).toBeInstanceOf(Date);
      expect(await voice.getCall(callId)).toMatchObject({ callId, over: false });
      await voice.hangUp(callId);
      await person.waitForEnd();
      expect(await callEvent(callId, 'over')).toMatchObject({ verdict: { outcome: 'success', reason: 'completed' } });
      expect(await voice.getCall(callId)).toMatchObject({ callId, over: true });
    });

    it('requests digits from a caller, who then waits in a conversation that has not started', async () => {
      plan([
        { do: 'say', text: 'Please key your PIN.', language: 'en-GB', bargeIn: true },
        { do: 'ask-digits', maxDigits: 6, timeoutS: 5, replyUrl: `${harness.receiver.url}/input` },
      ]);
      const waiting: CallPlan = [
        {
          do: 'join',
          conversation: `${conversation}_later`,
          eventUrl: `${harness.receiver.url}/event`,
          startOnEnter: false,
        },
      ];
      harness.receiver.setReply('/input', () => voice.renderPlan(waiting));
      const person = await harness.callIn();
      const answer = voice.parseAnswer(
        (await harness.receiver.waitFor('/answer', ({ body }) => voice.parseAnswer(body).from !== harness.number)).body,
      );
      expect(answer.to).toBe(harness.number);
      await person.waitForPrompt();
      await person.pressKeys('0123#');
      const input = await harness.receiver.waitFor(
        '/input',
        ({ body }) => voice.parseInput(body).callId === answer.callId,
      );
      expect(voice.verifyCallback(input, harness.now())).toMatchObject({ ok: true });
      expect(voice.parseInput(input.body)).toEqual({ callId: answer.callId, digits: '0123', timedOut: false });
      expect(await person.waitForAdmission()).toEqual({ conversation: `${conversation}_later`, isWaiting: true });
      await person.hangUp();
      await callEvent(answer.callId, 'over');
    });

    it('ends a call with an empty plan', async () => {
      plan([]);
      const to = await harness.addPhone('answers');
      const { callId } = await voice.createCall(callTo(to));
      await (await harness.callerAt(to)).waitForEnd();
      expect(await callEvent(callId, 'over')).toMatchObject({ phase: 'over' });
    });

    it('ends an incoming call that its plan rejects', async () => {
      plan([{ do: 'reject', reason: 'unknown-number', text: 'This number is not in service.', language: 'en-GB' }]);
      const answers = (): string[] =>
        harness.receiver.received
          .filter(({ path }) => path === '/answer')
          .map(({ body }) => voice.parseAnswer(body))
          .flatMap(({ callId, from }) => (from === harness.number ? [] : [callId]));
      const earlier = answers();
      await harness.callIn();
      await expect.poll(() => answers().length, POLL).toBe(earlier.length + 1);
      expect(await callEvent(answers().at(-1) ?? '', 'over')).toMatchObject({ phase: 'over' });
    });

    it.each(ENDINGS)('a phone that $habit: the call is over with $verdict.reason', async ({ habit, verdict }) => {
      const to = await harness.addPhone(habit);
      const { callId } = await voice.createCall(callTo(to, { ringingTimerS: 1 }));
      expect((await callEvent(callId, 'over')).verdict).toEqual(verdict);
    });

    it('rejects an invalid number without sending a request', async () => {
      expect(await captureFailure(async () => harness.unreachableProvider().createCall(callTo('0800')))).toMatchObject({
        failure: 'refused',
      });
    });

    it('returns null for a call of another provider, fails its hang-up with not-found, and rejects an invalid id', async () => {
      expect(await voice.getCall(foreignId)).toBeNull();
      expect(await captureFailure(() => voice.hangUp(foreignId))).toMatchObject({ failure: 'not-found' });
      expect(await captureFailure(async () => voice.hangUp('../../v1/calls?'))).toMatchObject({ failure: 'refused' });
    });

    it.runIf(options.rejectsYoungCalls)(
      'fails with busy and a retry time for the hang-up of a call that is too young',
      async () => {
        const { callId, person } = await joinedCall();
        await harness.rejectYoungCalls?.(true);
        const failed = await captureFailure(() => voice.hangUp(callId));
        expect(failed.failure).toBe('busy');
        expect(failed.retryAfterMs).toBeGreaterThanOrEqual(1_000);
        await harness.rejectYoungCalls?.(false);
        await voice.hangUp(callId);
        await person.waitForEnd();
      },
    );

    it.runIf(capabilities.listCalls)('lists live calls only', async () => {
      const [stays, leaves] = [await joinedCall(), await joinedCall()];
      expect((await voice.listLiveCalls()).map((call) => call.callId)).toEqual(
        expect.arrayContaining([stays.callId, leaves.callId]),
      );
      await voice.hangUp(leaves.callId);
      await leaves.person.waitForEnd();
      const live = (await voice.listLiveCalls()).map((call) => call.callId);
      expect(live).toContain(stays.callId);
      expect(live).not.toContain(leaves.callId);
      await voice.hangUp(stays.callId);
      await stays.person.waitForEnd();
    });

    it.runIf(capabilities.mute)('mutes and unmutes a call', async () => {
      const { callId, person } = await joinedCall();
      await voice.mute(callId, true);
      await expect.poll(() => person.isHeard(), POLL).toBe(false);
      await voice.mute(callId, false);
      await expect.poll(() => person.isHeard(), POLL).toBe(true);
      await voice.hangUp(callId);
      await person.waitForEnd();
    });

    it.runIf(capabilities.sendDigits)('sends DTMF tones to a call', async () => {
      const { callId, person } = await joinedCall();
      await voice.sendDigits(callId, '12p#');
      expect((await person.nextHeardTones()).replaceAll('p', '')).toBe('12#');
      await voice.hangUp(callId);
      await person.waitForEnd();
    });

    it.runIf(capabilities.say)('speaks a text to a call', async () => {
      const { callId, person } = await joinedCall();
      await voice.say(callId, 'Four fifths of the budget are used.', 'en-GB');
      // An earlier text may ask the caller to wait.
      const heard: (string | undefined)[] = [];
      while (heard.at(-1) !== 'Four fifths of the budget are used.' && heard.length < 5)
        heard.push(await person.nextHeardText());
      expect(heard.at(-1)).toBe('Four fifths of the budget are used.');
      await voice.hangUp(callId);
      await person.waitForEnd();
    });

    it.runIf(capabilities.transfer)(
      'gives a call other plans: another conversation, a prompt, and an end',
      async () => {
        const { callId, person } = await joinedCall();
        const other: CallPlan = [{ do: 'join', conversation: `${conversation}_other`, eventUrl: eventUrl() }];
        await voice.transfer(callId, other);
        await expect
          .poll(() => person.waitForAdmission(), POLL)
          .toEqual({ conversation: `${conversation}_other`, isWaiting: false });
        await voice.transfer(callId, [
          { do: 'say', text: 'Please key your PIN.', language: 'en-GB' },
          { do: 'ask-digits', maxDigits: 2, timeoutS: 10, replyUrl: `${harness.receiver.url}/input` },
        ]);
        harness.receiver.setReply('/input', () => voice.renderPlan([]));
        await person.waitForPrompt();
        await person.pressKeys('12');
        await harness.receiver.waitFor('/input', ({ body }) => voice.parseInput(body).callId === callId);
        await person.waitForEnd();
        expect(await callEvent(callId, 'over')).toMatchObject({ verdict: { outcome: 'success' } });
        expect(await captureFailure(() => voice.transfer(callId, other))).toMatchObject({ failure: 'not-found' });
      },
    );

    it.runIf(capabilities.transfer)('ends a call with an empty plan that replaces its own', async () => {
      const { callId, person } = await joinedCall();
      await voice.transfer(callId, []);
      await person.waitForEnd();
      expect(await callEvent(callId, 'over')).toMatchObject({ verdict: { outcome: 'success' } });
    });

    it.runIf(capabilities.transfer)('fails with busy for another plan before the call is answered', async () => {
      const to = await harness.addPhone('never-answers');
      const { callId } = await voice.createCall(callTo(to));
      expect(await captureFailure(() => voice.transfer(callId, join()))).toMatchObject({ failure: 'busy' });
      await voice.hangUp(callId);
      await callEvent(callId, 'over');
    });

    it.runIf(capabilities.setDeadline)(
      'shows the deadline of a call, and ends it when a new one has passed',
      async () => {
        const soon = new Date(harness.now().getTime() + HOUR_MS);
        plan([{ do: 'join', conversation, eventUrl: eventUrl(), deadline: soon }]);
        const to = await harness.addPhone('answers');
        const { callId } = await voice.createCall(callTo(to));
        const person = await harness.callerAt(to);
        await person.waitForAdmission();
        const minutesLater = async (): Promise<number> => {
          const { deadline } = (await voice.listLiveCalls()).find((call) => call.callId === callId) ?? {};
          return Math.round(((deadline?.getTime() ?? 0) - soon.getTime()) / 60_000);
        };
        await expect.poll(minutesLater, POLL).toBe(0);
        await voice.setDeadline(callId, new Date(soon.getTime() + HOUR_MS));
        await expect.poll(minutesLater, POLL).toBe(60);
        await voice.setDeadline(callId, new Date(harness.now().getTime() - HOUR_MS));
        await person.waitForEnd();
        await callEvent(callId, 'over');
      },
    );

    it('rejects a webhook that is changed, unsigned or stale', async () => {
      const to = await harness.addPhone('busy');
      const { callId } = await voice.createCall(callTo(to));
      const genuine = await harness.receiver.waitFor('/event', ({ body }) => JSON.stringify(body).includes(callId));
      expect(voice.verifyCallback(genuine, harness.now())).toMatchObject({ ok: true });
      expect(
        voice.verifyCallback(
          { ...genuine, rawBody: Buffer.concat([genuine.rawBody, Buffer.from(' ')]) },
          harness.now(),
        ),
      ).toEqual({ ok: false, refused: 'wrong-hash' });
      expect(voice.verifyCallback({ ...genuine, authorization: undefined }, harness.now())).toEqual({
        ok: false,
        refused: 'unsigned',
      });
      expect(voice.verifyCallback(genuine, new Date(harness.now().getTime() + 7_200_000))).toEqual({
        ok: false,
        refused: 'stale',
      });
    });

    const operations: {
      operation: VoiceOperation;
      effect: RequestEffect;
      isSupported?: boolean;
      run: (provider: VoiceProvider) => Promise<unknown>;
    }[] = [
      { operation: 'create-call', effect: 'write', run: (provider) => provider.createCall(callTo('+447700900999')) },
      { operation: 'hang-up', effect: 'void-write', run: (provider) => provider.hangUp(harness.unknownCallId) },
      { operation: 'get-call', effect: 'read', run: (provider) => provider.getCall(harness.unknownCallId) },
      {
        operation: 'mute',
        effect: 'void-write',
        isSupported: capabilities.mute,
        run: (provider) => provider.mute(harness.unknownCallId, true),
      },
      {
        operation: 'send-digits',
        effect: 'void-write',
        isSupported: capabilities.sendDigits,
        run: (provider) => provider.sendDigits(harness.unknownCallId, '1'),
      },
      {
        operation: 'say',
        effect: 'void-write',
        isSupported: capabilities.say,
        run: (provider) => provider.say(harness.unknownCallId, 'Four fifths are used.', 'en-GB'),
      },
      {
        operation: 'transfer',
        effect: 'void-write',
        isSupported: capabilities.transfer,
        run: (provider) => provider.transfer(harness.unknownCallId, join()),
      },
      {
        operation: 'set-deadline',
        effect: 'void-write',
        isSupported: capabilities.setDeadline,
        run: (provider) => provider.setDeadline(harness.unknownCallId, new Date(harness.now().getTime() + HOUR_MS)),
      },
      {
        operation: 'list-calls',
        effect: 'read',
        isSupported: capabilities.listCalls,
        run: (provider) => provider.listLiveCalls(),
      },
    ];
    const supported = operations.filter(({ isSupported }) => isSupported ?? true);

    it.each(operations.filter(({ isSupported }) => isSupported === false))(
      '$operation: fails as unsupported',
      async ({ run }) => {
        expect(await captureFailure(async () => run(voice))).toMatchObject({
          failure: 'refused',
          reason: 'unsupported',
        });
      },
    );

    it.each(supported.flatMap((one) => listExpectedFailures(one.effect).map((row) => ({ ...one, ...row }))))(
      '$operation: the fault $fault fails as $failures',
      async ({ operation, run, fault, failures }) => {
        await harness.injectFault(operation, fault);
        const failed = await captureFailure(
          async () => run(harness.provider(fault === 'silence' ? SHORT_TIMEOUT_MS : 10_000)),
          harness.secrets,
        );
        expect(failures).toContain(failed.failure);
        expect(failed.leaks).toEqual([]);
      },
      FAULT_TEST_TIMEOUT_MS,
    );

    it.each(supported)('$operation: an unreachable provider fails as busy', async ({ run }) => {
      expect(await captureFailure(async () => run(harness.unreachableProvider()), harness.secrets)).toMatchObject({
        failure: 'busy',
        leaks: [],
      });
    });
  });
}
