import { Body, Controller, Get, HttpCode, Inject, Param, Post, Req, type RawBodyRequest } from '@nestjs/common';
import { takeDigits } from '@partyline/conference/callers/submit-pin';
import { answerCall, answerRung } from '@partyline/conference/callers/answer-call';
import { applyLegEvent } from '@partyline/conference/legs/apply-leg-event';
import { VerdictError } from '@partyline/domain/verdict';
import type { FastifyRequest } from 'fastify';
import { ourAccountId, ourLegId } from './address.ts';
import { verify } from './verify.ts';
import { DEPS, type WebhookDeps } from './deps.ts';

/** The voice carrier's webhooks: verify, parse, decide, and answer with what the call is to do next. Each account has addresses of its own: conference/webhook-urls. */
@Controller(['v1/voice', 'v1/accounts/:accountId/voice'])
export class VoiceController {
  /** For answers and digits. */
  private readonly onTheLine: WebhookDeps;

  constructor(@Inject(DEPS) private readonly deps: WebhookDeps) {
    this.onTheLine = { ...deps, store: deps.callers };
  }

  /** A call reached one of our numbers. */
  @Post('answer')
  @HttpCode(200)
  async answer(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('accountId', ourAccountId) accountId: string | null,
    @Body() body: unknown,
  ): Promise<unknown> {
    const { provider: voice, token } = await verify(this.deps, 'voice', accountId, request);
    return voice.instructions(await answerCall(this.onTheLine, token, voice.parseAnswer(body)));
  }

  /** Somebody whom we rang picked up. */
  @Post('answer/:legId')
  @HttpCode(200)
  async answerRung(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('accountId', ourAccountId) accountId: string | null,
    @Param('legId', ourLegId) legId: string,
    @Body() body: unknown,
  ): Promise<unknown> {
    const { provider: voice, token } = await verify(this.deps, 'voice', accountId, request);
    return voice.instructions(await answerRung(this.onTheLine, token, legId, voice.parseAnswer(body)));
  }

  /** A caller keyed digits, or let the time run out. `tryNo` says which prompt this answers. */
  @Post('digits/:legId/:tryNo')
  @HttpCode(200)
  async digits(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('accountId', ourAccountId) accountId: string | null,
    @Param('legId', ourLegId) legId: string,
    @Param('tryNo') tryNo: string,
    @Body() body: unknown,
  ): Promise<unknown> {
    const { provider: voice, token } = await verify(this.deps, 'voice', accountId, request);
    if (!/^[1-9]$/.test(tryNo)) throw new VerdictError('client', 'route-not-found', 'There is no such try.');
    return voice.instructions(
      await takeDigits(this.onTheLine, token, { legId, tryNo: Number(tryNo) }, voice.parseInput(body)),
    );
  }

  /** Something happened to a call: at the application's address, or at a leg's own. */
  @Post(['events', 'events/:legId'])
  @HttpCode(200)
  async event(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('accountId', ourAccountId) accountId: string | null,
    @Param('legId', ourLegId) legId: string | undefined,
    @Body() body: unknown,
  ): Promise<{ result: string }> {
    const { provider: voice, token } = await verify(this.deps, 'voice', accountId, request);
    return { result: await applyLegEvent(this.deps, { via: 'callback', token }, voice.parseEvent(body), legId) };
  }

  /** The vendor's default is GET, whose query no signature covers: refused, with the setting to change. */
  @Get(['answer', 'answer/:legId', 'events', 'events/:legId'])
  notSigned(): never {
    throw new VerdictError(
      'client',
      'method-not-allowed',
      'Webhooks are taken by POST only: the signature does not cover a query.',
      { fix: 'Set answer_method and event_method of the application to POST.' },
    );
  }
}
