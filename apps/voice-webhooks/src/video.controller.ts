import { Body, Controller, HttpCode, Inject, Post, Req, type RawBodyRequest } from '@nestjs/common';
import { applySessionEvent } from '@partyline/conference/apply-session-event';
import type { FastifyRequest } from 'fastify';
import { verify } from './verify.ts';
import { DEPS, type WebhookDeps } from './deps.ts';

/** The video vendor's session- and SIP-monitoring callbacks; one address for both. */
@Controller('v1/video')
export class VideoController {
  private readonly deps: WebhookDeps;
  constructor(@Inject(DEPS) deps: WebhookDeps) {
    this.deps = deps;
  }

  @Post('events')
  @HttpCode(200)
  async event(@Req() request: RawBodyRequest<FastifyRequest>, @Body() body: unknown): Promise<{ result: string }> {
    const { media } = this.deps;
    const token = verify(this.deps, media, request);
    return { result: await applySessionEvent(this.deps, { via: 'callback', token }, media.parseCallback(body)) };
  }
}
