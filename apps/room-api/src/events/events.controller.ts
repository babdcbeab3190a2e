import { Readable } from 'node:stream';
import { Controller, Get, Inject, Param, Query, Req, Res, StreamableFile } from '@nestjs/common';
import { tellEvent } from '@partyline/conference/endpoints/deliver-events';
import { ListEvents, type EventPage, type Timeline, type TimelineItem } from '@partyline/contracts/events/events';
import { VerdictError } from '@partyline/domain/verdict';
import { findEvent } from '@partyline/store/events/outbox';
import { readTimeline } from '@partyline/store/sessions/timeline';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Tenant } from '../auth/key.guard.ts';
import { isLetIn } from '../auth/let-in.ts';
import { operationOf } from '../auth/operation-of.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { noSuchPage, noSuchSession, query, sessionId } from '../input/parse.ts';
import { wants } from '../input/wants.ts';
import { START } from './feed.ts';

const STREAM = 'text/event-stream';
const MOST_ITEMS = 5_000;

const noSuchEvent = (): VerdictError =>
  new VerdictError('client', 'invalid-query', 'There is no such event.', {
    field: '/Last-Event-ID',
    fix: 'Give the id of an event of yours, or `start` for the oldest that is kept, or leave the header out to begin with what comes next.',
  });
const eventGone = (field: string): VerdictError =>
  new VerdictError(
    'client',
    'event-expired',
    'Events are kept for 30 days, and this one is older: some after it may be gone.',
    {
      field,
      fix: 'Leave it out: a page then begins with the oldest event that is kept, a stream with what comes next.',
    },
  );

@Controller('v1')
export class EventsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get('events')
  async list(
    @Tenant() tenantId: string,
    @Query(query(ListEvents)) { types = [], limit, after }: ListEvents,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<EventPage | StreamableFile> {
    const { accept, 'last-event-id': last } = request.headers;
    const streams = wants(accept, STREAM);
    const resume = streams && typeof last === 'string' && last !== '' ? last : undefined;
    const named = resume ?? after;
    const place =
      named === undefined
        ? null
        : resume === START
          ? { id: '0', old: false }
          : await findEvent(this.deps.store, tenantId, named);
    if (named !== undefined && place === null) throw resume === undefined ? noSuchPage() : noSuchEvent();
    if (place !== null && (place.old || place.id === null))
      throw eventGone(resume === undefined ? '/after' : '/Last-Event-ID');
    const from = place?.id ?? null;
    const wanted = { after: from === null ? null : BigInt(from), types };
    if (streams) return this.#follow(tenantId, wanted, request, reply);
    const { rows, more } = await this.deps.feed.read(tenantId, { ...wanted, limit });
    const events = rows.map(tellEvent);
    return { events, next: more ? (events.at(-1)?.id ?? null) : null };
  }

  @Get('sessions/:sessionId/timeline')
  async timeline(@Tenant() tenantId: string, @Param('sessionId', sessionId) id: string): Promise<Timeline> {
    const found = await readTimeline(this.deps.store, tenantId, id, MOST_ITEMS + 1);
    if (found === null) throw noSuchSession();
    const items = found.items.slice(0, MOST_ITEMS).map(({ at, source, what, leg_id, detail }): TimelineItem => ({
      at: at.toISOString(),
      source,
      what,
      legId: leg_id,
      detail,
    }));
    return { items, complete: found.items.length <= MOST_ITEMS, eventsGone: found.eventsGone };
  }

  async #follow(
    tenantId: string,
    wanted: { after: bigint | null; types: readonly string[] },
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<StreamableFile> {
    const gone = new AbortController();
    reply.raw.on('close', () => gone.abort());
    const told = await this.deps.feed.follow(tenantId, wanted, gone.signal, () =>
      isLetIn(this.deps, request.headers.authorization, operationOf(request)),
    );
    // Nobody between us and the client is to keep it back, and no other request is to get it.
    void reply.headers({ 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' });
    return new StreamableFile(Readable.from(told, { objectMode: false }), { type: STREAM });
  }
}
