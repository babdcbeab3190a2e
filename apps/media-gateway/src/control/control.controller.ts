import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, type RawBodyRequest } from '@nestjs/common';
import { VerdictError } from '@partyline/domain/verdict';
import {
  accountTag,
  conferenceId,
  createCallRequest,
  deadlineRequest,
  digitsRequest,
  muteRequest,
  partId,
  planReply,
  sayRequest,
  type callList,
  type CallView,
  type connectionList,
  type createdCall,
} from '@partyline/provider-janus/wire';
import type { FastifyRequest } from 'fastify';
import type { output, ZodType } from 'zod';
import { callNotFound, type Call, type CallControls } from '../calls/call.ts';
import type { homeState } from '../gateways/messages.ts';
import { CONTROL_DEPS, type ControlDeps } from './control-deps.ts';

/**
 * The control requests of Partyline (libs/providers/janus/src/wire.ts): calls and browsers. Each is
 * signed; nothing else may reach this port.
 */
@Controller('v1')
export class ControlController {
  constructor(@Inject(CONTROL_DEPS) private readonly deps: ControlDeps) {}

  @Post('calls')
  @HttpCode(201)
  createCall(@Req() request: RawBodyRequest<FastifyRequest>, @Body() body: unknown): output<typeof createdCall> {
    this.deps.verify(request);
    const wanted = parse(createCallRequest, body);
    for (const name of ['answerUrl', 'eventUrl'] as const)
      if (!this.deps.isWebhookUrl(wanted[name]))
        throw badRequest(`/${name}`, 'must be below the webhook URL of this deployment');
    return { callId: this.deps.placeCall(wanted).facts.callId };
  }

  @Get('calls')
  listCalls(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Query('account') account: unknown,
  ): output<typeof callList> {
    this.deps.verify(request);
    const tag = parse(accountTag, account, '/account');
    return { calls: this.deps.calls.listLive(tag).map((call) => call.view()) };
  }

  @Get('calls/:callId')
  getCall(@Req() request: RawBodyRequest<FastifyRequest>, @Param('callId') callId: string): CallView {
    this.deps.verify(request);
    const view = this.deps.calls.find(callId);
    if (view === undefined) throw callNotFound();
    return view;
  }

  @Post('calls/:callId/hang-up')
  @HttpCode(202)
  async hangUp(@Req() request: RawBodyRequest<FastifyRequest>, @Param('callId') callId: string): Promise<void> {
    this.deps.verify(request);
    await this.controlsOf(callId).hangUp();
  }

  @Post('calls/:callId/mute')
  @HttpCode(202)
  async mute(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('callId') callId: string,
    @Body() body: unknown,
  ): Promise<void> {
    this.deps.verify(request);
    await this.controlsOf(callId).mute(parse(muteRequest, body).muted);
  }

  @Post('calls/:callId/digits')
  @HttpCode(202)
  sendDigits(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('callId') callId: string,
    @Body() body: unknown,
  ): void {
    this.deps.verify(request);
    this.controlsOf(callId).sendDigits(parse(digitsRequest, body).digits);
  }

  /** Answers when the text is accepted, before it is spoken. */
  @Post('calls/:callId/say')
  @HttpCode(202)
  say(@Req() request: RawBodyRequest<FastifyRequest>, @Param('callId') callId: string, @Body() body: unknown): void {
    this.deps.verify(request);
    const { text, language } = parse(sayRequest, body);
    this.controlsOf(callId)
      .say(text, language)
      .catch((error: unknown) => this.deps.onError(error, callId));
  }

  @Post('calls/:callId/deadline')
  @HttpCode(202)
  setDeadline(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('callId') callId: string,
    @Body() body: unknown,
  ): void {
    this.deps.verify(request);
    this.controlsOf(callId).setDeadline(parse(deadlineRequest, body).seconds);
  }

  /** Replaces the plan of a call. Answers when the call has stopped following the old one. */
  @Post('calls/:callId/transfer')
  @HttpCode(202)
  transfer(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('callId') callId: string,
    @Body() body: unknown,
  ): void {
    this.deps.verify(request);
    const plan = parse(planReply, body);
    for (const [index, step] of plan.steps.entries()) {
      const url = step.do === 'join' ? step.eventUrl : step.do === 'ask-digits' ? step.replyUrl : undefined;
      if (url !== undefined && !this.deps.isWebhookUrl(url))
        throw badRequest(`/steps/${index}`, 'must have a URL below the webhook URL of this deployment');
    }
    this.controlsOf(callId).transfer(plan);
  }

  /** Another gateway asks where a conference is. */
  @Get('conferences/:conference/home')
  getHome(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('conference') conference: string,
  ): output<typeof homeState> {
    this.deps.verify(request);
    return this.deps.stateOf(parse(conferenceId, conference, '/conference'));
  }

  @Get('conferences/:conference/connections')
  listConnections(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('conference') conference: string,
  ): output<typeof connectionList> {
    this.deps.verify(request);
    return { connections: [...this.deps.browsers.list(parse(conferenceId, conference, '/conference'))] };
  }

  @Post('conferences/:conference/connections/:connectionId/disconnect')
  @HttpCode(202)
  async disconnect(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('conference') conference: string,
    @Param('connectionId') connectionId: string,
  ): Promise<void> {
    this.deps.verify(request);
    const isFound = await this.deps.browsers.disconnect(conference, parse(partId, connectionId, '/connectionId'));
    if (!isFound) throw connectionNotFound();
  }

  @Post('conferences/:conference/connections/:connectionId/mute')
  @HttpCode(202)
  async muteConnection(
    @Req() request: RawBodyRequest<FastifyRequest>,
    @Param('conference') conference: string,
    @Param('connectionId') connectionId: string,
    @Body() body: unknown,
  ): Promise<void> {
    this.deps.verify(request);
    const { muted } = parse(muteRequest, body);
    if (!(await this.deps.browsers.mute(conference, parse(partId, connectionId, '/connectionId'), muted)))
      throw connectionNotFound();
  }

  private controlsOf(callId: string): CallControls {
    const call: Call | undefined = this.deps.calls.findLive(callId);
    if (call?.controls === undefined) throw callNotFound();
    return call.controls;
  }
}

const badRequest = (field: string, problem: string): VerdictError =>
  new VerdictError('client', 'bad-control-request', `The request is invalid: ${field} ${problem}.`, { field });

const connectionNotFound = (): VerdictError =>
  new VerdictError('client', 'connection-not-found', 'There is no such connection here.');

function parse<Value>(schema: ZodType<Value>, value: unknown, at = ''): Value {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw badRequest(`${at}/${(issue?.path ?? []).map(String).join('/')}`, issue?.message ?? 'is invalid');
}
