import type { UsedToken } from '@partyline/store/callers/webhook-tokens';
import type { VoiceAnswer } from '@partyline/provider-contract/provider-event';
import type { CallPlan } from '@partyline/provider-contract/voice-provider';
import { answerCaller, answerOwnLeg } from '@partyline/store/callers/voice-webhooks';
import type { Deps } from '../deps.ts';
import { BRIDGE_HEADER, bridgeTokenHash } from '../legs/bridge-token.ts';
import { promptForPin, generateIds, sayAndHangUp, joinConference } from './call-steps.ts';
import { getPrompt } from '../prompts.ts';
import { replayedWebhook } from '../errors.ts';
import { enqueueSettle } from '../sessions/enqueue-settle.ts';

/**
 * A call came in and asks what to do: a caller is asked for a PIN, or joins the room that the number leads to; our own bridge leg joins its conference. One round trip to Postgres;
 * one to Redis for the bridge. A repeated webhook gets the same plan. Throws `webhook-replayed` on a used token.
 */
export async function answerCall(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'webhooks' | 'report'>,
  token: UsedToken,
  call: VoiceAnswer,
): Promise<CallPlan> {
  const shown = call.viaSip ? call.headers[BRIDGE_HEADER.toLowerCase()] : undefined;
  if (shown !== undefined) {
    const plan = await joinOwnLeg(deps, token, { tokenHash: bridgeTokenHash(shown) }, call.callId);
    if (plan !== null) return plan;
    // A token that is none of ours: let go. It was taken as used, so it can't be tried again under the same signature.
    deps.report.count('webhook_ignored', { why: 'unknown-bridge' });
    return [];
  }
  const webhooks = deps.webhooks(token.accountId);
  const answered = await answerCaller(
    deps.store,
    token,
    { legId: deps.ids.next('leg'), callId: call.callId, number: call.to, remote: call.from },
    generateIds(deps),
  );
  switch (answered.outcome) {
    case 'replayed':
      throw replayedWebhook();
    case 'unknown-number':
      return sayAndHangUp(answered.language, getPrompt(answered.language, 'not-in-service'));
    case 'busy':
    case 'later':
      deps.report.count('caller_refused', { why: answered.outcome });
      return sayAndHangUp(answered.language, getPrompt(answered.language, answered.outcome));
    case 'hang-up':
      return [];
    case 'ask':
      return promptForPin(webhooks, answered.language, answered.leg_id, 1, getPrompt(answered.language, 'welcome'));
    case 'ask-slowly':
      deps.report.count('caller_slowed');
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

/** Somebody we rang picked up. Same costs, same errors. */
export async function answerDialledLeg(
  deps: Pick<Deps, 'store' | 'jobs' | 'webhooks' | 'report'>,
  token: UsedToken,
  legId: string,
  call: VoiceAnswer,
): Promise<CallPlan> {
  return (await joinOwnLeg(deps, token, { legId }, call.callId)) ?? [];
}

async function joinOwnLeg(
  deps: Pick<Deps, 'store' | 'jobs' | 'webhooks' | 'report'>,
  token: UsedToken,
  by: { tokenHash: Buffer } | { legId: string },
  callId: string,
): Promise<CallPlan | null> {
  const answered = await answerOwnLeg(deps.store, token, by, callId);
  if (answered.outcome === 'replayed') throw replayedWebhook();
  if (answered.outcome === 'unknown-leg') return null;
  if (answered.outcome !== 'join') return [];
  await enqueueSettle(deps, answered.tenant_id, answered.session_id);
  return [
    {
      do: 'join',
      conversation: answered.conversation,
      eventUrl: deps.webhooks(token.accountId).events(answered.leg_id),
      startOnEnter: !answered.waits,
    },
  ];
}
