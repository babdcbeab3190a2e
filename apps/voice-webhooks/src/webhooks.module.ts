import { Module, type DynamicModule } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { AnswerInTime } from './answer-in-time.ts';
import { WEBHOOK_DEPS, type WebhookDeps } from './deps.ts';
import { VideoController } from './video.controller.ts';
import { VoiceController } from './voice.controller.ts';

@Module({})
class WebhooksModule {}

/** Half a second before the provider gives up. */
const ANSWER_WITHIN_MS = 4_500;

/**
 * Makes the app's only module: the controllers and their dependencies.
 * @param answerWithinMs the time after which a webhook is answered 503 (AnswerInTime)
 */
export const createWebhooksModule = (deps: WebhookDeps, answerWithinMs = ANSWER_WITHIN_MS): DynamicModule => ({
  module: WebhooksModule,
  controllers: [VoiceController, VideoController],
  providers: [
    { provide: WEBHOOK_DEPS, useValue: deps },
    { provide: APP_INTERCEPTOR, useValue: new AnswerInTime(answerWithinMs) },
  ],
});
