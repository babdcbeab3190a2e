import type { UsedToken } from '@partyline/store/callers/webhook-tokens';
import { isPinShaped } from '@partyline/domain/pin';
import type { VoiceInput } from '@partyline/provider-contract/provider-event';
import type { CallPlan } from '@partyline/provider-contract/voice-provider';
import { admitCaller } from '@partyline/store/callers/voice-webhooks';
import { promptForPin, generateIds, sayAndHangUp, joinConference } from './call-steps.ts';
import type { Deps } from '../deps.ts';
import type { PinVault } from '../pins/pin-vault.ts';
import { getPrompt } from '../prompts.ts';
import { replayedWebhook } from '../errors.ts';

/**
 * A caller keyed digits: into the conference, another try, or a polite good-bye. One round trip to Postgres, and one to Redis when
 * admitted. A repeated webhook (same `tryNo`) gets the answer of the first. Throws `webhook-replayed` on a used token.
 * @param at from the webhook's own address: which leg, and which prompt this answers, from 1
 */
export async function submitPin(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'webhooks' | 'report'> & { readonly pins: Pick<PinVault, 'lookup'> },
  token: UsedToken,
  at: { legId: string; tryNo: number },
  input: VoiceInput,
): Promise<CallPlan> {
  // People end with the hash key by habit, whether or not the gateway keeps it.
  const keyed = input.digits.replace(/#$/, '');
  const admission = await admitCaller(
    deps.store,
    token,
    { ...at, callId: input.callId, lookup: isPinShaped(keyed) ? deps.pins.lookup(keyed) : null },
    generateIds(deps),
  );
  const { language } = admission;
  const webhooks = deps.webhooks(token.accountId);
  switch (admission.outcome) {
    case 'admitted':
      return joinConference(deps, webhooks, at.legId, language, admission);
    case 'wrong-pin':
      return promptForPin(webhooks, language, at.legId, admission.tries + 1, getPrompt(language, 'wrong-pin'));
    case 'refused':
      return sayAndHangUp(language, getPrompt(language, 'too-many-tries'));
    case 'full':
    case 'at-limit':
    case 'not-open':
    case 'over':
    case 'spent':
      return sayAndHangUp(language, getPrompt(language, admission.outcome));
    case 'hang-up':
      return [];
    case 'unknown-call':
      deps.report.count('webhook_ignored', { why: 'unknown-call' });
      return [];
    case 'replayed':
      throw replayedWebhook();
    default:
      return admission satisfies never;
  }
}
