import { Controller, type Type } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { AskProvider } from '@partyline/conference/provider-rpc/handlers';
import {
  ANSWER_WITHIN_MS,
  answerQuestion,
  claimedForMs,
  DONE_ONCE,
  questionPattern,
  QUESTIONS,
  type Answered,
  type Asked,
  type Question,
} from '@partyline/conference/providers/rpc-messages';
import type { Redis } from 'ioredis';
import { NEVER, type Observable } from 'rxjs';

const UNANSWERED = '';

interface ProviderRpcDeps {
  readonly provider: AskProvider;
  /** Holds the claims of requests: Redis delivers a request to every replica, and one must answer. */
  readonly redis: Redis;
  readonly prefix: string;
  readonly onError: (error: unknown, tenantId: string | undefined) => void;
}

/**
 * Makes the Nest controller that answers the provider RPC requests of other services
 * (conference/providers/rpc-messages.ts). The class is made per prefix, because a decorator's message
 * pattern is fixed.
 */
export function createProviderRpcController({ provider, redis, prefix, onError }: ProviderRpcDeps): Type {
  async function answer(question: Question, asked: Asked): Promise<Answered | Observable<never>> {
    const claim = `${prefix}:question:${asked.id}`;
    const failed = (error: unknown): void => onError(error, (asked.input as { tenantId?: string }).tenantId);
    const claimed = await redis.set(claim, UNANSWERED, 'PX', claimedForMs(question), 'NX');
    if (claimed !== 'OK') return DONE_ONCE.has(question) ? repeatAnswer(claim) : NEVER;
    const answered = await answerQuestion(provider, question, asked, failed);
    if (DONE_ONCE.has(question)) {
      // A failed request may be repeated, but only after every replica has received this one.
      const keptMs =
        answered.ok || answered.error.outcome === 'indeterminate' ? claimedForMs(question) : ANSWER_WITHIN_MS;
      await redis.set(claim, JSON.stringify(answered), 'PX', keptMs).catch(failed);
    }
    return answered;
  }

  /** Without a stored answer, the claiming replica is still working or died: the outcome is unknown. */
  async function repeatAnswer(claim: string): Promise<Answered | Observable<never>> {
    const kept = await redis.get(claim);
    return kept === null || kept === UNANSWERED ? NEVER : (JSON.parse(kept) as Answered);
  }

  @Controller()
  class ProviderRpcController {}
  // One method per request type, generated from the list, so that none can be missing.
  for (const question of QUESTIONS) {
    const handler: PropertyDescriptor = { value: (asked: Asked) => answer(question, asked), configurable: true };
    Object.defineProperty(ProviderRpcController.prototype, question, handler);
    Payload()(ProviderRpcController.prototype, question, 0);
    MessagePattern(questionPattern(question, prefix))(ProviderRpcController.prototype, question, handler);
  }
  return ProviderRpcController;
}
