import { Controller, type Type } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { AskProvider } from '@partyline/conference/ask-provider';
import { ANSWER_WITHIN_MS, answerQuestion, questionPattern, QUESTIONS, type Answered, type Asked, type Question } from '@partyline/conference/questions';
import type { Redis } from 'ioredis';
import { NEVER, type Observable } from 'rxjs';

export interface QuestionDeps {
  readonly provider: AskProvider;
  /** Under which questions are claimed: Redis hands each to every replica, and one is to answer. */
  readonly redis: Redis;
  readonly prefix: string;
  readonly onError: (error: unknown) => void;
}

/** Answers the questions of other services (conference/ask-provider). A class made for one prefix, since a decorator's pattern is fixed. */
export function questionsController({ provider, redis, prefix, onError }: QuestionDeps): Type {
  async function answer(question: Question, asked: Asked): Promise<Answered | Observable<never>> {
    const claimed = await redis.set(`${prefix}:question:${asked.id}`, '1', 'PX', 4 * ANSWER_WITHIN_MS, 'NX');
    return claimed === 'OK' ? answerQuestion(provider, question, asked, onError) : NEVER;
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
