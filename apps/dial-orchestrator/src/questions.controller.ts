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

interface QuestionDeps {
  readonly provider: AskProvider;
  /** Under which questions are claimed: Redis hands each to every replica, and one is to answer. */
  readonly redis: Redis;
  readonly prefix: string;
  readonly onError: (error: unknown, tenantId: string | undefined) => void;
}

/** Answers the questions of other services (conference/ask-provider). A class made for one prefix, since a decorator's pattern is fixed. */
export function questionsController({ provider, redis, prefix, onError }: QuestionDeps): Type {
  async function answer(question: Question, asked: Asked): Promise<Answered | Observable<never>> {
    const claim = `${prefix}:question:${asked.id}`;
    const failed = (error: unknown): void => onError(error, (asked.input as { tenantId?: string }).tenantId);
    const claimed = await redis.set(claim, UNANSWERED, 'PX', claimedForMs(question), 'NX');
    if (claimed !== 'OK') return DONE_ONCE.has(question) ? answerAgain(claim) : NEVER;
    const answered = await answerQuestion(provider, question, asked, failed);
    if (DONE_ONCE.has(question)) {
      // What was not done may be asked for again, though not before every replica has heard of this time.
      const keptMs =
        answered.ok || answered.error.outcome === 'indeterminate' ? claimedForMs(question) : ANSWER_WITHIN_MS;
      await redis.set(claim, JSON.stringify(answered), 'PX', keptMs).catch(failed);
    }
    return answered;
  }

  /** Whoever did it may be at it still, or have died over it: then nobody knows, and nobody does it again. */
  async function answerAgain(claim: string): Promise<Answered | Observable<never>> {
    const kept = await redis.get(claim);
    return kept === null || kept === UNANSWERED ? NEVER : (JSON.parse(kept) as Answered);
  }

  @Controller()
  class QuestionsController {}
  // One method for each question of the list, so that none can be forgotten here.
  for (const question of QUESTIONS) {
    const handler: PropertyDescriptor = { value: (asked: Asked) => answer(question, asked), configurable: true };
    Object.defineProperty(QuestionsController.prototype, question, handler);
    Payload()(QuestionsController.prototype, question, 0);
    MessagePattern(questionPattern(question, prefix))(QuestionsController.prototype, question, handler);
  }
  return QuestionsController;
}
