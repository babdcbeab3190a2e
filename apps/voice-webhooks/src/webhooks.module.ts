import { Module, type DynamicModule } from '@nestjs/common';
import { DEPS, type WebhookDeps } from './deps.ts';
import { VideoController } from './video.controller.ts';
import { VoiceController } from './voice.controller.ts';

@Module({})
class WebhooksModule {}

/** The app's one module: its controllers and what they are given. */
export const webhooksModule = (deps: WebhookDeps): DynamicModule => ({
  module: WebhooksModule,
  controllers: [VoiceController, VideoController],
  providers: [{ provide: DEPS, useValue: deps }],
});
