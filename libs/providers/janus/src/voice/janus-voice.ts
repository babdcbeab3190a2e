import { isE164 } from '@partyline/domain/phone';
import { VerdictError } from '@partyline/domain/verdict';
import type { ProviderDeps, VoiceDefinition } from '@partyline/provider-contract/definition';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { createCallbackVerifier } from '@partyline/provider-contract/signature';
import type { CallPlan, CallStep, VoiceProvider } from '@partyline/provider-contract/voice-provider';
import type { ZodType } from 'zod';
import { janusAccountSchema, type JanusAccount } from '../account.ts';
import { openGateways, type Gateway } from '../gateways.ts';
import { GATEWAY_ISSUER } from '../sign-request.ts';
import {
  answerWebhook,
  createdCall,
  digitsWebhook,
  type CallStepMessage,
  type CreateCallRequest,
  type PlanReply,
} from '../wire.ts';
import { DEADLINE_MARGIN_S, parseEvent, toObservedCall } from './call-event.ts';
import { findCall, hangUpCall, listCalls } from './find-calls.ts';

const KIND = 'janus';
const MAX_LENGTH_S = 86_400;
const MAX_RINGING_S = 300;

/** Clamps a timer: a call may end earlier than requested, never later. */
const clampTimer = (seconds: number, maxS: number): number => (seconds >= 1 ? Math.floor(Math.min(seconds, maxS)) : 1);

/** Returns the seconds until a deadline, with the margin. */
const secondsUntil = (deadline: Date, now: Date): number =>
  clampTimer(Math.ceil((deadline.getTime() - now.getTime()) / 1_000) + DEADLINE_MARGIN_S, MAX_LENGTH_S);

function toMessage(step: CallStep, now: Date): CallStepMessage {
  if (step.do !== 'join') return step;
  const { deadline, ...join } = step;
  return deadline === undefined ? join : { ...join, lengthTimerS: secondsUntil(deadline, now) };
}

function parseWebhook<Body>(schema: ZodType<Body>, body: unknown): Body {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new VerdictError('client', 'no-call-id', 'The webhook has no call id.', {
    field: '/callId',
    fix: 'Use this URL only for the webhooks of media-gateway.',
  });
}

function create(account: JanusAccount, deps: ProviderDeps): VoiceProvider {
  const gateways = openGateways(account, deps);
  // A look-up or a hang-up asks up to three times, and must end before the lease of a hang-up does.
  const reachMs = deps.timeoutMs / 2;
  const reach = { account, gateways: openGateways(account, { ...deps, timeoutMs: reachMs }), timeoutMs: reachMs };
  /** Sends a control request to the gateway of a call. */
  async function control(callId: string, action: string, body: unknown): Promise<void> {
    const gateway = gateways.findGateway(callId);
    if (gateway === undefined)
      throw new ProviderError('not-found', 'upstream-404', 'No gateway of this deployment has this call.');
    await gateways.request(gateway, {
      method: 'POST',
      path: `/v1/calls/${callId}/${action}`,
      body,
      effect: 'write',
    });
  }
  const renderPlan = (plan: CallPlan): PlanReply => ({
    steps: plan.map((step) => toMessage(step, deps.clock.now())),
  });
  return {
    kind: KIND,
    rateLimitKey: null,
    capabilities: { listCalls: true, mute: true, sendDigits: true, say: true, transfer: true, setDeadline: true },
    renderPlan,
    async createCall(input) {
      for (const number of [input.to, input.from])
        if (!isE164(number)) throw new ProviderError('refused', 'bad-number', 'The number is not in E.164 form.');
      if (account.trunk === undefined)
        throw new ProviderError('refused', 'no-trunk', 'This account has no trunk, so it cannot place calls.');
      const body: CreateCallRequest = {
        account: account.account,
        to: input.to,
        from: input.from,
        trunk: account.trunk,
        answerUrl: input.answerUrl,
        eventUrl: input.eventUrl,
        ringingTimerS: clampTimer(input.ringingTimerS, MAX_RINGING_S),
        lengthTimerS: clampTimer(input.lengthTimerS, MAX_LENGTH_S),
      };
      return placeAtFirstGateway(rotate(gateways.all, deps.secret()), (gateway) =>
        gateways.request(gateway, {
          method: 'POST',
          path: '/v1/calls',
          body,
          effect: 'write',
          reply: createdCall,
        }),
      );
    },
    hangUp: (callId) => hangUpCall(reach, callId),
    mute: (callId, muted) => control(callId, 'mute', { muted }),
    sendDigits: (callId, digits) => control(callId, 'digits', { digits }),
    say: (callId, text, language) => control(callId, 'say', { text, language }),
    transfer: (callId, plan) => control(callId, 'transfer', renderPlan(plan)),
    setDeadline: (callId, deadline) =>
      control(callId, 'deadline', { seconds: secondsUntil(deadline, deps.clock.now()) }),
    async getCall(callId) {
      const view = await findCall(reach, callId);
      return view === null ? null : toObservedCall(view);
    },
    async listLiveCalls(beforePage) {
      const calls = await listCalls(reach, beforePage);
      return calls.map(toObservedCall);
    },
    verifyCallback: createCallbackVerifier({
      secrets: [account.secret, ...account.extraSecrets],
      issuer: GATEWAY_ISSUER,
      applicationId: account.account,
      applicationRequired: true,
    }),
    parseAnswer(body) {
      const { callId, from, to, headers } = parseWebhook(answerWebhook, body);
      // No bridge leg exists here, so no call arrives from a video session.
      return { callId, from, to, viaSip: false, headers };
    },
    parseInput: (body) => parseWebhook(digitsWebhook, body),
    parseEvent,
  };
}

/** Begins the list at a random gateway, which distributes calls. */
function rotate(gateways: readonly Gateway[], random: string): readonly Gateway[] {
  const start = [...random].reduce((sum, character) => sum + character.charCodeAt(0), 0) % gateways.length;
  return [...gateways.slice(start), ...gateways.slice(0, start)];
}

/** Tries the next gateway only after one that certainly placed no call. */
async function placeAtFirstGateway<Result>(
  gateways: readonly Gateway[],
  place: (gateway: Gateway) => Promise<Result>,
): Promise<Result> {
  for (const gateway of gateways.slice(0, -1)) {
    try {
      return await place(gateway);
    } catch (error) {
      if (!(error instanceof ProviderError) || error.failure !== 'busy') throw error;
    }
  }
  return place(gateways.at(-1)!);
}

/** Telephone calls through our own SIP gateways. */
export const janusVoice: VoiceDefinition<JanusAccount> = { kind: KIND, account: janusAccountSchema, create };
