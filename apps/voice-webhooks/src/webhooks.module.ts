import { Module, type DynamicModule } from '@nestjs/common';
import { WEBHOOK_DEPS, type WebhookDeps } from './deps.ts';
import { VideoController } from './video.controller.ts';
import { VoiceController } from './voice.controller.ts';

@Module({})
class WebhooksModule {}

/** Makes the app's only module: the controllers and their dependencies. */
export const createWebhooksModule = (deps: WebhookDeps): DynamicModule => ({
  module: WebhooksModule,
  controllers: [VoiceController, VideoController],
  providers: [{ provide: WEBHOOK_DEPS, useValue: deps }],
});
