import { Readable } from 'node:stream';
import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res, StreamableFile } from '@nestjs/common';
import { toPublicEvent } from '@partyline/conference/endpoints/deliver-events';
import { noSuchRoom } from '@partyline/conference/errors';
import {
  CreateStreamToken,
  ListEvents,
  type EventPage,
  type StreamToken,
  type Timeline,
  type TimelineItem,
} from '@partyline/contracts/events/events';
import { VerdictError } from '@partyline/domain/verdict';
import { findEventPosition } from '@partyline/store/events/outbox';
import { readExpiry } from '@partyline/store/keys/authenticate';
import { hasRoom } from '@partyline/store/rooms/rooms';
import { readTimeline } from '@partyline/store/sessions/timeline';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CallerId, type AuthenticatedRequest, type Caller } from '../auth/caller.ts';
import { authorizationOf, TenantId } from '../auth/key.guard.ts';
import { writeStreamToken } from '../auth/stream-token.ts';
import { isAuthenticated } from '../auth/authenticate-request.ts';
import { operationOf } from '../auth/operation-of.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { noSuchSession, optionalBody, query, sessionIdPipe } from '../input/parse.ts';
import { accepts } from '../input/accepts.ts';
import { START_OF_EVENTS } from './feed.ts';

const EVENT_STREAM = 'text/event-stream';
const MAX_TIMELINE_ITEMS = 5_000;

const noSuchEvent = (field: '/Last-Event-ID' | '/after'): VerdictError =>
  new VerdictError('client', 'invalid-query', 'The event does not exist.', {
    field,
    fix:
      field === '/after'
        ? 'Send the id of one of your events. Without it, a page starts with the oldest event and a stream now.'
        : 'Send the id of one of your events, or `start` for the oldest event, or omit the header to start now.',
  });
const eventExpired = (field: string): VerdictError =>
  new VerdictError('client', 'event-expired', 'The event is older than 30 days. Events are retained for 30 days.', {
    field,
    fix: 'Omit it: a page then starts with the oldest event, a stream with the next one.',
  });

/**
 * Applies the limits of a stream token to what a request selects. Throws 422 for another room or
 * types.
 */
function selectGranted(
  caller: Caller | undefined,
  { types, roomId }: { types: readonly string[]; roomId: string | null },
): { types: readonly string[]; roomId: string | null } {
  const grant = caller?.kind === 'key' ? caller.stream : null;
  if (grant === null) return { types, roomId };
  const isGranted = (type: string): boolean => grant.types.length === 0 || grant.types.includes(type);
  if (grant.roomId !== null && roomId !== null && roomId !== grant.roomId) throw notGranted('/roomId');
  if (!types.every(isGranted)) throw notGranted('/types');
  return { types: types.length === 0 ? grant.types : types, roomId: grant.roomId ?? roomId };
}

const notGranted = (field: string): VerdictError =>
  new VerdictError('client', 'invalid-query', 'The stream token does not allow this.', {
    field,
    fix: 'Leave it out, or create a token that allows it.',
  });

@Controller('v1')
export class EventsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get('events')
  async list(
    @TenantId() tenantId: string,
    @Query(query(ListEvents)) { types = [], roomId, limit, after }: ListEvents,
    @Req() request: AuthenticatedRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<EventPage | StreamableFile> {
    const { accept, 'last-event-id': last } = request.headers;
    const isStream = accepts(accept, EVENT_STREAM);
    const resume = isStream && typeof last === 'string' && last !== '' ? last : undefined;
    const named = resume ?? after;
    const position =
      named === undefined
        ? null
        : resume === START_OF_EVENTS
          ? { id: '0', old: false }
          : await findEventPosition(this.deps.store, tenantId, named);
    const field = resume === undefined ? '/after' : '/Last-Event-ID';
    if (named !== undefined && position === null) throw noSuchEvent(field);
    if (position !== null && (position.old || position.id === null)) throw eventExpired(field);
    const from = position?.id ?? null;
    const selection = selectGranted(request.caller, { types, roomId: roomId ?? null });
    const wanted = { after: from === null ? null : BigInt(from), ...selection };
    if (isStream) return this.#stream(tenantId, wanted, request, reply);
    const { rows, more } = await this.deps.feed.read(tenantId, { ...wanted, limit });
    const events = rows.map(toPublicEvent);
    return { events, next: more ? (events.at(-1)?.id ?? null) : null };
  }

  @Post('events/stream-tokens')
  async createStreamToken(
    @TenantId() tenantId: string,
    @CallerId() keyId: string,
    @Body(optionalBody(CreateStreamToken)) { roomId: givenRoom, types, expiresInSeconds }: CreateStreamToken,
  ): Promise<StreamToken> {
    const roomId = givenRoom ?? null;
    if (roomId !== null && !(await hasRoom(this.deps.store, tenantId, roomId))) throw noSuchRoom();
    const expiresAt = (await readExpiry(this.deps.store, tenantId, expiresInSeconds)).toISOString();
    return { token: writeStreamToken(this.deps.requests, { tenantId, keyId, roomId, types, expiresAt }), expiresAt };
  }

  @Get('sessions/:sessionId/timeline')
  async timeline(@TenantId() tenantId: string, @Param('sessionId', sessionIdPipe) id: string): Promise<Timeline> {
    const found = await readTimeline(this.deps.store, tenantId, id, MAX_TIMELINE_ITEMS + 1);
    if (found === null) throw noSuchSession();
    const items = found.items
      .slice(0, MAX_TIMELINE_ITEMS)
      .map(({ at, source, what, leg_id, detail }): TimelineItem => ({
        at: at.toISOString(),
        source,
        what,
        legId: leg_id,
        detail,
      }));
    return { items, complete: found.items.length <= MAX_TIMELINE_ITEMS, eventsGone: found.eventsGone };
  }

  async #stream(
    tenantId: string,
    wanted: Parameters<ApiDeps['feed']['openStream']>[1],
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<StreamableFile> {
    const disconnected = new AbortController();
    reply.raw.on('close', () => disconnected.abort());
    const stream = await this.deps.feed.openStream(tenantId, wanted, disconnected.signal, () =>
      isAuthenticated(this.deps, authorizationOf(request), operationOf(request), true),
    );
    // Proxies must neither cache nor buffer a stream.
    void reply.headers({ 'cache-control': 'no-store, no-transform', 'x-accel-buffering': 'no' });
    return new StreamableFile(Readable.from(stream, { objectMode: false }), { type: EVENT_STREAM });
  }
}
