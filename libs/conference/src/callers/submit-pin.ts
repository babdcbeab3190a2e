import type { WebhookToken } from '@partyline/store/callers/webhook-tokens';
import { isPinShaped } from '@partyline/domain/pin';
import type { VoiceInput } from '@partyline/provider-contract/provider-event';
import type { CallPlan } from '@partyline/provider-contract/voice-provider';
import { admitCaller } from '@partyline/store/callers/voice-webhooks';
import { promptForPin, generateIds, sayAndHangUp, joinConference } from './call-steps.ts';
import { accountOwner, type Deps } from '../deps.ts';
import type { PinVault } from '../pins/pin-vault.ts';
import { getPrompt } from '@partyline/domain/prompts';
import { replayedWebhook } from '../errors.ts';

/**
 * Processes the digits that a caller keyed: admits the caller, asks again, or ends the call. Costs
 * one round trip to Postgres, and one to Redis when admitted. A duplicate webhook (same `tryNo`)
 * gets the plan of the last outcome. Throws `webhook-replayed` for a used token.
 * @param at the leg and the number of the prompt, from 1, as in the webhook's URL
 */
export async function submitPin(
  deps: Pick<Deps, 'store' | 'jobs' | 'ids' | 'webhooks' | 'report'> & { readonly pins: Pick<PinVault, 'lookups'> },
  token: WebhookToken,
  at: { legId: string; tryNo: number },
  input: VoiceInput,
): Promise<CallPlan> {
  // Some gateways pass on the closing hash key, some do not.
  const keyed = input.digits.replace(/#$/, '');
  const admission = await admitCaller(
    deps.store,
    token,
    {
      ...at,
      callId: input.callId,
      lookups: isPinShaped(keyed) ? deps.pins.lookups(keyed) : null,
      isSilent: keyed === '',
    },
    generateIds(deps),
  );
  const { language } = admission;
  const webhooks = deps.webhooks(token.accountId);
  switch (admission.outcome) {
    case 'admitted':
      return joinConference(deps, webhooks, at.legId, language, admission);
    case 'wrong-pin':
    case 'no-digits':
      return promptForPin(webhooks, language, at.legId, admission.prompts + 1, getPrompt(language, admission.outcome));
    case 'refused':
      return sayAndHangUp(language, getPrompt(language, 'too-many-tries'));
    case 'silent':
      return sayAndHangUp(language, getPrompt(language, 'silent'));
    case 'full':
    case 'at-limit':
    case 'not-open':
    case 'over':
    case 'spent':
      return sayAndHangUp(language, getPrompt(language, admission.outcome));
    case 'hang-up':
      return [];
    case 'unknown-call':
      deps.report.count('webhook_ignored', { reason: 'unknown-call', owner: accountOwner(token.accountId) });
      return [];
    case 'replayed':
      throw replayedWebhook();
    default:
      return admission satisfies never;
  }
}
