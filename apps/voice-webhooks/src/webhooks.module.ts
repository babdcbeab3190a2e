import { Module, type DynamicModule } from '@nestjs/common';
import type { Deps } from '@partyline/conference/deps';
import type { PinVault } from '@partyline/conference/pin-vault';
import { VideoController } from './video.controller.ts';
import { VoiceController } from './voice.controller.ts';

/** What the webhooks' use-cases are given. */
export type WebhookDeps = Pick<Deps, 'store' | 'jobs' | 'media' | 'voice' | 'clock' | 'ids' | 'webhooks' | 'report'> & { readonly pins: Pick<PinVault, 'lookup'> };

export const DEPS = Symbol('webhook dependencies');

@Module({})
class WebhooksModule {}

/** The app's one module: its controllers and what they are given. */
export const webhooksModule = (deps: WebhookDeps): DynamicModule => ({
  module: WebhooksModule,
  controllers: [VoiceController, VideoController],
  providers: [{ provide: DEPS, useValue: deps }],
});
