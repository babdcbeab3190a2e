import type { Callback } from '@partyline/provider-contract/callback';
import type { WebhookToken } from '@partyline/store/callers/webhook-tokens';
import { submitPin } from '../callers/submit-pin.ts';
import { answerCall, answerDialledLeg } from '../callers/answer-call.ts';
import { applyLegEvent } from '../legs/apply-leg-event.ts';
import { applyMediaEvent } from '../legs/apply-media-event.ts';
import type { TestDeps } from './test-harness.ts';

/**
 * Does what voice-webhooks does with a request: verify, parse, call the use-case. Throws for a
 * rejected request.
 */
export async function routeWebhook(deps: TestDeps | undefined, path: string, callback: Callback): Promise<unknown> {
  if (deps === undefined) throw new Error(`There is no webhook at ${path}`);
  const accountId = /^v1\/accounts\/([^/]+)\//.exec(path)?.[1] ?? null;
  const { voice, media } = accountId === null ? deps : await deps.providers(accountId);
  const token = (provider: Pick<typeof voice, 'verifyCallback'>): WebhookToken => {
    const verified = provider.verifyCallback(callback, deps.clock.now());
    if (!verified.ok) throw new Error(`rejected: ${verified.refused}`);
    return { ...verified, accountId };
  };
  const body: unknown = JSON.parse(callback.rawBody.toString());
  const [area, what, legId, tryNo] = path.split('/').slice(accountId === null ? 1 : 3);
  switch (`${area}/${what}`) {
    case 'voice/answer': {
      const call = voice.parseAnswer(body);
      return voice.renderPlan(
        legId === undefined
          ? await answerCall(deps, token(voice), call)
          : await answerDialledLeg(deps, token(voice), legId, call),
      );
    }
    case 'voice/digits':
      return voice.renderPlan(
        await submitPin(deps, token(voice), { legId: legId ?? '', tryNo: Number(tryNo) }, voice.parseInput(body)),
      );
    case 'voice/events':
      return applyLegEvent(deps, { via: 'callback', token: token(voice) }, voice.parseEvent(body), legId);
    case 'video/events':
      return applyMediaEvent(deps, { via: 'callback', token: token(media) }, media.parseCallback(body));
    default:
      throw new Error(`There is no webhook at ${path}`);
  }
}
