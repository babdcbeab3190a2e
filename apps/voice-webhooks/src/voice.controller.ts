import { Body, Controller, Get, HttpCode, Inject, Param, Post, Req, type RawBodyRequest } from '@nestjs/common';
import { submitPin } from '@partyline/conference/callers/submit-pin';
import { answerCall, answerDialledLeg } from '@partyline/conference/callers/answer-call';
import { sayAndHangUp } from '@partyline/conference/callers/call-steps';
import { applyLegEvent } from '@partyline/conference/legs/apply-leg-event';
import { getPrompt } from '@partyline/domain/prompts';
import { VerdictError } from '@partyline/domain/verdict';
import type { FastifyRequest } from 'fastify';
import { parseAccountId, parseLegId } from './path-parameters.ts';
import { verifyWebhook } from './verify-webhook.ts';
import { WEBHOOK_DEPS, type WebhookDeps } from './deps.ts';

/**
 * The voice provider's webhooks: verifies, parses, decides and answers with the call's next
 * instructions. Each account has its own URLs: conference/providers/webhook-urls.ts.
 */
@Controller(['v1/voice', 'v1/accounts/:accountId/voice'])
export class VoiceController {
  /** For `answer` and `digits`, which a caller waits for. */
  private readonly callerDeps: WebhookDeps;

  constructor(@Inject(WEBHOOK_DEPS) private readonly deps: WebhookDeps) {
    this.callerDeps = { ...deps, store: deps.callerStore };
  }

  /** An inbound call reached a dial-in number. */
  @Post('answer')
  @HttpCode(200)
  async answer(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('accountId', parseAccountId) accountId: string | null,
    @Body() body: unknown,
  ): Promise<unknown> {
    const { provider: voice, token } = await verifyWebhook(this.deps, 'voice', accountId, request);
    return voice.renderPlan(await answerCall(this.callerDeps, token, voice.parseAnswer(body)));
  }

  /** An outbound call was answered. */
  @Post('answer/:legId')
  @HttpCode(200)
  async answerDialOut(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('accountId', parseAccountId) accountId: string | null,
    @Param('legId', parseLegId) legId: string,
    @Body() body: unknown,
  ): Promise<unknown> {
    const { provider: voice, token } = await verifyWebhook(this.deps, 'voice', accountId, request);
    return voice.renderPlan(await answerDialledLeg(this.callerDeps, token, legId, voice.parseAnswer(body)));
  }

  /**
   * The provider got no usable answer to another webhook of a call. Uses no database, decides
   * nothing and tells nothing, so it is answered unverified while the rest fails.
   */
  @Post('fallback')
  @HttpCode(200)
  async fallback(): Promise<unknown> {
    const { voice } = await this.deps.providers(null);
    return voice.renderPlan(sayAndHangUp('en-US', getPrompt('en-US', 'unreachable')));
  }

  /** A caller keyed digits or the prompt timed out. `tryNo` is the number of the prompt. */
  @Post('digits/:legId/:tryNo')
  @HttpCode(200)
  async digits(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('accountId', parseAccountId) accountId: string | null,
    @Param('legId', parseLegId) legId: string,
    @Param('tryNo') tryNo: string,
    @Body() body: unknown,
  ): Promise<unknown> {
    const { provider: voice, token } = await verifyWebhook(this.deps, 'voice', accountId, request);
    if (!/^[1-9]$/.test(tryNo))
      throw new VerdictError('client', 'route-not-found', 'There is no prompt of this number.');
    return voice.renderPlan(
      await submitPin(this.callerDeps, token, { legId, tryNo: Number(tryNo) }, voice.parseInput(body)),
    );
  }

  /** An event of a call, at the application's URL or at the leg's own. */
  @Post(['events', 'events/:legId'])
  @HttpCode(200)
  async event(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('accountId', parseAccountId) accountId: string | null,
    @Param('legId', parseLegId) legId: string | undefined,
    @Body() body: unknown,
  ): Promise<{ result: string }> {
    const { provider: voice, token } = await verifyWebhook(this.deps, 'voice', accountId, request);
    return { result: await applyLegEvent(this.deps, { via: 'callback', token }, voice.parseEvent(body), legId) };
  }

  /** The provider's default method is GET, but the signature does not cover a query string. */
  @Get(['answer', 'answer/:legId', 'events', 'events/:legId'])
  rejectGet(): never {
    throw new VerdictError(
      'client',
      'method-not-allowed',
      'Webhooks must use POST: the signature does not cover a query string.',
      { fix: 'Set answer_method and event_method of the application to POST.' },
    );
  }
}
