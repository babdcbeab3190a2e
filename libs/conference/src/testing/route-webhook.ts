import type { Callback } from '@partyline/provider-contract/callback';
import type { WebhookToken } from '@partyline/store/callers/webhook-tokens';
import { submitPin } from '../callers/submit-pin.ts';
import { answerCall, answerDialledLeg } from '../callers/answer-call.ts';
import { applyLegEvent } from '../legs/apply-leg-event.ts';
import { applyMediaEvent } from '../legs/apply-media-event.ts';
import type { World } from './test-harness.ts';

/** What voice-webhooks does with a request: verify, parse, the use-case, its answer. Throws what is not taken. */
export async function routeWebhook(world: World | undefined, path: string, callback: Callback): Promise<unknown> {
  if (world === undefined) throw new Error(`no webhook at ${path}`);
  const own = /^v1\/accounts\/([^/]+)\//.exec(path)?.[1] ?? null;
  const { voice, media } = own === null ? world : await world.providers(own);
  const token = (provider: Pick<typeof voice, 'verifyCallback'>): WebhookToken => {
    const verified = provider.verifyCallback(callback, world.clock.now());
    if (!verified.ok) throw new Error(`refused: ${verified.refused}`);
    return { ...verified, accountId: own };
  };
  const body: unknown = JSON.parse(callback.rawBody.toString());
  const [area, what, legId, tryNo] = path.split('/').slice(own === null ? 1 : 3);
  switch (`${area}/${what}`) {
    case 'voice/answer': {
      const call = voice.parseAnswer(body);
      return voice.renderPlan(
        legId === undefined
          ? await answerCall(world, token(voice), call)
          : await answerDialledLeg(world, token(voice), legId, call),
      );
    }
    case 'voice/digits':
      return voice.renderPlan(
        await submitPin(world, token(voice), { legId: legId ?? '', tryNo: Number(tryNo) }, voice.parseInput(body)),
      );
    case 'voice/events':
      return applyLegEvent(world, { via: 'callback', token: token(voice) }, voice.parseEvent(body), legId);
    case 'video/events':
      return applyMediaEvent(world, { via: 'callback', token: token(media) }, media.parseCallback(body));
    default:
      throw new Error(`no webhook at ${path}`);
  }
}
