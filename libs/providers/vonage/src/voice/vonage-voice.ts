import { Vonage } from '@vonage/server-sdk';
import { HttpMethod, NCCOActions, type CallStatus } from '@vonage/voice';
import { isE164 } from '@partyline/domain/phone';
import type { ProviderDeps, VoiceDefinition } from '@partyline/provider-contract/definition';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import { voiceAccountSchema, type VoiceAccount } from '../account.ts';
import { callSdk } from '../call-sdk.ts';
import { badReplyError } from '@partyline/provider-contract/http-failure';
import { listLiveCalls } from './live-calls.ts';
import { toNcco } from './ncco.ts';
import { parseAnswer, parseCall, parseEvent, parseInput } from './parse-voice.ts';
import { createCallbackVerifier } from '@partyline/provider-contract/signature';
import { asObject, asText } from '../untrusted-json.ts';
import { assertPathId } from '@partyline/provider-contract/provider-id';

const KIND = 'vonage';

/** Limits of Vonage in seconds (contract section 2). */
const MAX_LENGTH_S = 7_200;
const MAX_RINGING_S = 120;

/**
 * Rounds down, so that a dead-man's timer is never longer than requested. NaN becomes the shortest
 * timer.
 */
const clampTimer = (seconds: number, maxS: number): number => (seconds >= 1 ? Math.floor(Math.min(seconds, maxS)) : 1);

/** Vonage expects numbers without the plus. */
function toEndpoint(number: string): { type: 'phone'; number: string } {
  if (!isE164(number)) throw new ProviderError('refused', 'bad-number', 'The number is not in E.164 form.');
  return { type: 'phone', number: number.slice(1) };
}

function create(account: VoiceAccount, { timeoutMs, holdMusicUrl }: ProviderDeps): VoiceProvider {
  const { apiKey, applicationId, privateKey } = account;
  const { voice: sdk } = new Vonage(
    { apiKey, applicationId, privateKey },
    { apiHost: account.apiHost, timeout: timeoutMs },
  );
  const read = { timeoutMs, request: 'read' } as const;
  const control = { timeoutMs, request: 'control' } as const;
  return {
    kind: KIND,
    rateLimitKey: apiKey,
    capabilities: { listCalls: true, mute: true, sendDigits: true, say: true, transfer: true, setDeadline: false },
    renderPlan: (plan) => toNcco(plan, holdMusicUrl),
    async createCall(input) {
      const call = {
        to: [toEndpoint(input.to)],
        from: toEndpoint(input.from),
        answerUrl: [input.answerUrl],
        answerMethod: HttpMethod.POST,
        eventUrl: [input.eventUrl],
        eventMethod: HttpMethod.POST,
        lengthTimer: clampTimer(input.lengthTimerS, MAX_LENGTH_S),
        ringingTimer: clampTimer(input.ringingTimerS, MAX_RINGING_S),
      };
      const reply: unknown = await callSdk({ timeoutMs, request: 'write' }, () => sdk.createOutboundCall(call));
      const callId = asText(asObject(reply)['uuid']);
      if (callId === undefined) throw badReplyError();
      return { callId };
    },
    async hangUp(callId) {
      const id = assertPathId(callId, 'call id');
      await callSdk(control, () => sdk.hangupCall(id));
    },
    async mute(callId, muted) {
      const id = assertPathId(callId, 'call id');
      await callSdk(control, () => (muted ? sdk.muteCall(id) : sdk.unmuteCall(id)));
    },
    async sendDigits(callId, digits) {
      const id = assertPathId(callId, 'call id');
      await callSdk(control, () => sdk.playDTMF(id, digits));
    },
    async say(callId, text, language) {
      const id = assertPathId(callId, 'call id');
      await callSdk(control, () => sdk.playTTS(id, { action: NCCOActions.TALK, text, language }));
    },
    async transfer(callId, plan) {
      const id = assertPathId(callId, 'call id');
      // Plain objects, as in `renderPlan`: the SDK sends them as they are.
      const ncco = toNcco(plan, holdMusicUrl) as Parameters<typeof sdk.transferCallWithNCCO>[1];
      await callSdk(control, () => sdk.transferCallWithNCCO(id, ncco));
    },
    setDeadline: () =>
      Promise.reject(new ProviderError('refused', 'unsupported', 'The length of a call cannot be changed.')),
    async getCall(callId) {
      const id = assertPathId(callId, 'call id');
      let reply: unknown;
      try {
        reply = await callSdk(read, () => sdk.getCall(id));
      } catch (error) {
        if (error instanceof ProviderError && error.failure === 'not-found') return null;
        throw error;
      }
      const call = parseCall(reply);
      if (call === undefined) throw badReplyError();
      return call;
    },
    listLiveCalls: (beforePage) =>
      listLiveCalls(async ({ status, ...page }) => {
        await beforePage?.();
        return callSdk(read, () => sdk.getCallsPage({ ...page, status: status as CallStatus }));
      }),
    verifyCallback: createCallbackVerifier({
      issuer: 'Vonage',
      secrets: [account.signatureSecret, ...account.extraSignatureSecrets],
      apiKey,
      applicationId,
      applicationRequired: true,
    }),
    parseAnswer,
    parseInput,
    parseEvent,
  };
}

/** Vonage Voice, through `@vonage/voice`. */
export const vonageVoice: VoiceDefinition<VoiceAccount> = { kind: KIND, account: voiceAccountSchema, create };
