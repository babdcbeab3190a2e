import { Readable } from 'node:stream';
import { Controller, Get, Inject, Param, Query, Req, Res, StreamableFile } from '@nestjs/common';
import { toPublicEvent } from '@partyline/conference/endpoints/deliver-events';
import { ListEvents, type EventPage, type Timeline, type TimelineItem } from '@partyline/contracts/events/events';
import { VerdictError } from '@partyline/domain/verdict';
import { findEventPosition } from '@partyline/store/events/outbox';
import { readTimeline } from '@partyline/store/sessions/timeline';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TenantId } from '../auth/key.guard.ts';
import { isAuthenticated } from '../auth/authenticate-request.ts';
import { operationOf } from '../auth/operation-of.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { noSuchPage, noSuchSession, query, sessionIdPipe } from '../input/parse.ts';
import { accepts } from '../input/accepts.ts';
import { START_OF_EVENTS } from './feed.ts';

const EVENT_STREAM = 'text/event-stream';
const MAX_TIMELINE_ITEMS = 5_000;

const noSuchEvent = (): VerdictError =>
  new VerdictError('client', 'invalid-query', 'The event does not exist.', {
    field: '/Last-Event-ID',
    fix: 'Send the id of one of your events, or `start` for the oldest event, or omit the header to start now.',
  });
const eventExpired = (field: string): VerdictError =>
  new VerdictError('client', 'event-expired', 'The event is older than 30 days. Events are retained for 30 days.', {
    field,
    fix: 'Omit it: a page then starts with the oldest event, a stream with the next one.',
  });

@Controller('v1')
export class EventsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get('events')
  async list(
    @TenantId() tenantId: string,
    @Query(query(ListEvents)) { types = [], limit, after }: ListEvents,
    @Req() request: FastifyRequest,
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
    if (named !== undefined && position === null) throw resume === undefined ? noSuchPage() : noSuchEvent();
    if (position !== null && (position.old || position.id === null))
      throw eventExpired(resume === undefined ? '/after' : '/Last-Event-ID');
    const from = position?.id ?? null;
    const wanted = { after: from === null ? null : BigInt(from), types };
    if (isStream) return this.#stream(tenantId, wanted, request, reply);
    const { rows, more } = await this.deps.feed.read(tenantId, { ...wanted, limit });
    const events = rows.map(toPublicEvent);
    return { events, next: more ? (events.at(-1)?.id ?? null) : null };
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
    wanted: { after: bigint | null; types: readonly string[] },
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<StreamableFile> {
    const disconnected = new AbortController();
    reply.raw.on('close', () => disconnected.abort());
    const stream = await this.deps.feed.openStream(tenantId, wanted, disconnected.signal, () =>
      isAuthenticated(this.deps, request.headers.authorization, operationOf(request)),
    );
    // Proxies must neither cache nor buffer a stream.
    void reply.headers({ 'cache-control': 'no-store, no-transform', 'x-accel-buffering': 'no' });
    return new StreamableFile(Readable.from(stream, { objectMode: false }), { type: EVENT_STREAM });
  }
}
