import { Body, Controller, HttpCode, Inject, Param, Post, Req, type RawBodyRequest } from '@nestjs/common';
import { applySessionEvent } from '@partyline/conference/legs/apply-media-event';
import type { FastifyRequest } from 'fastify';
import { ourAccountId } from './address.ts';
import { verify } from './verify.ts';
import { DEPS, type WebhookDeps } from './deps.ts';

/** A video vendor's session- and SIP-monitoring callbacks; one address for both, and one for each account. */
@Controller(['v1/video', 'v1/accounts/:accountId/video'])
export class VideoController {
  constructor(@Inject(DEPS) private readonly deps: WebhookDeps) {}

  @Post('events')
  @HttpCode(200)
  async event(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('accountId', ourAccountId) accountId: string | null,
    @Body() body: unknown,
  ): Promise<{ result: string }> {
    const { provider, token } = await verify(this.deps, 'media', accountId, request);
    return { result: await applySessionEvent(this.deps, { via: 'callback', token }, provider.parseCallback(body)) };
  }
}
