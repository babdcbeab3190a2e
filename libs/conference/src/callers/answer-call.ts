import type { WebhookToken } from '@partyline/store/callers/webhook-tokens';
import type { VoiceAnswer } from '@partyline/provider-contract/provider-event';
import type { CallPlan } from '@partyline/provider-contract/voice-provider';
import { answerCaller, answerOwnLeg } from '@partyline/store/callers/voice-webhooks';
import { accountOwner, type Deps } from '../deps.ts';
import { BRIDGE_HEADER, bridgeTokenHash } from '../legs/bridge-token.ts';
import { toCallerId } from './caller-id.ts';
import { promptForPin, generateIds, rejectCall, sayAndHangUp, joinConference } from './call-steps.ts';
import { getPrompt } from '@partyline/domain/prompts';
import { replayedWebhook } from '../errors.ts';
import { enqueueSessionJob } from '../sessions/enqueue-session-job.ts';

/**
 * Answers an incoming call: a caller is asked for a PIN, or joins the room of a number without
 * PINs; a bridge leg joins its conference. Costs one round trip to Postgres, and one to Redis when
 * the call joins. A duplicate webhook gets the same plan. Throws `webhook-replayed` for a used
 * token.
 */
export async function answerCall(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'webhooks' | 'report'>,
  token: WebhookToken,
  call: VoiceAnswer,
): Promise<CallPlan> {
  const owner = accountOwner(token.accountId);
  const shown = call.viaSip ? call.headers[BRIDGE_HEADER.toLowerCase()] : undefined;
  if (shown !== undefined) {
    const plan = await joinOwnLeg(deps, token, { tokenHash: bridgeTokenHash(shown) }, call.callId);
    if (plan !== null) return plan;
    // Unknown bridge token: the call ends. The webhook's token is consumed, so the request cannot
    // be repeated with the same signature.
    deps.report.count('webhook_ignored', { reason: 'unknown-bridge', owner });
    return [];
  }
  const webhooks = deps.webhooks(token.accountId);
  const answered = await answerCaller(
    deps.store,
    token,
    { legId: deps.ids.next('leg'), callId: call.callId, number: call.to, remote: toCallerId(call.from) },
    generateIds(deps),
  );
  switch (answered.outcome) {
    case 'replayed':
      throw replayedWebhook();
    case 'unknown-number':
      return rejectCall('unknown-number', answered.language, getPrompt(answered.language, 'not-in-service'));
    case 'suspended':
      return rejectCall('unavailable', answered.language, getPrompt(answered.language, 'not-in-service'));
    case 'account-busy':
      deps.report.count('caller_rejected', { reason: 'account-busy', owner });
      return rejectCall('busy', answered.language, getPrompt(answered.language, 'busy'));
    case 'busy':
      deps.report.count('caller_rejected', { reason: 'busy', owner });
      return rejectCall('busy', answered.language, getPrompt(answered.language, 'busy'));
    case 'hang-up':
      return [];
    case 'ask':
      return promptForPin(webhooks, answered.language, answered.leg_id, 1, getPrompt(answered.language, 'welcome'));
    case 'ask-slowly':
      deps.report.count('caller_slow_mode', { owner });
      return promptForPin(
        webhooks,
        answered.language,
        answered.leg_id,
        1,
        getPrompt(answered.language, 'welcome-slowly'),
        false,
      );
    case 'admitted':
      return joinConference(deps, webhooks, answered.leg_id, answered.language, answered);
    case 'full':
    case 'at-limit':
    case 'not-open':
    case 'over':
    case 'spent':
      return sayAndHangUp(answered.language, getPrompt(answered.language, answered.outcome));
    default:
      return answered satisfies never;
  }
}

/** Answers the event that a called telephone was picked up. Costs and errors as in `answerCall`. */
export async function answerDialledLeg(
  deps: Pick<Deps, 'store' | 'jobs' | 'webhooks' | 'report'>,
  token: WebhookToken,
  legId: string,
  call: VoiceAnswer,
): Promise<CallPlan> {
  return (await joinOwnLeg(deps, token, { legId }, call.callId)) ?? [];
}

async function joinOwnLeg(
  deps: Pick<Deps, 'store' | 'jobs' | 'webhooks' | 'report'>,
  token: WebhookToken,
  by: { tokenHash: Buffer } | { legId: string },
  callId: string,
): Promise<CallPlan | null> {
  const answered = await answerOwnLeg(deps.store, token, by, callId);
  if (answered.outcome === 'replayed') throw replayedWebhook();
  if (answered.outcome === 'unknown-leg') return null;
  if (answered.outcome !== 'join') return [];
  await enqueueSessionJob(deps, 'settle-session', answered.tenant_id, answered.session_id);
  return [
    {
      do: 'join',
      conversation: answered.conversation,
      eventUrl: deps.webhooks(token.accountId).events(answered.leg_id),
      startOnEnter: !answered.waits,
      deadline: answered.deadline_at,
    },
  ];
}
