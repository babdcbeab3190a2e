import { Body, Controller, HttpCode, Inject, Param, Post, Req, type RawBodyRequest } from '@nestjs/common';
import { applyMediaEvent } from '@partyline/conference/legs/apply-media-event';
import type { FastifyRequest } from 'fastify';
import { parseAccountId } from './path-parameters.ts';
import { verifyWebhook } from './verify-webhook.ts';
import { WEBHOOK_DEPS, type WebhookDeps } from './deps.ts';

/** The media provider's session and SIP monitoring callbacks. Both use one URL per account. */
@Controller(['v1/video', 'v1/accounts/:accountId/video'])
export class VideoController {
  constructor(@Inject(WEBHOOK_DEPS) private readonly deps: WebhookDeps) {}

  @Post('events')
  @HttpCode(200)
  async event(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('accountId', parseAccountId) accountId: string | null,
    @Body() body: unknown,
  ): Promise<{ result: string }> {
    const { provider, token } = await verifyWebhook(this.deps, 'media', accountId, request);
    return { result: await applyMediaEvent(this.deps, { via: 'callback', token }, provider.parseCallback(body)) };
  }
}
