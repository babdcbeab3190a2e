import { Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { endSession } from '@partyline/conference/sessions/end-session';
import { MAX_SESSION_ITEMS } from '@partyline/contracts/fields';
import {
  ListSessions,
  type EndedSession,
  type Session,
  type SessionCallers,
  type SessionEvent,
  type SessionEvents,
  type SessionLegs,
  type SessionPage,
} from '@partyline/contracts/sessions/session';
import { isE164 } from '@partyline/domain/phone';
import { eventId, listSessionEvents } from '@partyline/store/events/outbox';
import { listSessions, readSession } from '@partyline/store/sessions/sessions';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { toPage } from '../input/page.ts';
import { toDates, noSuchPage, noSuchSession, query, sessionIdPipe } from '../input/parse.ts';
import { showLeg, showSession } from '../rooms/show.ts';

@Controller('v1/sessions')
export class SessionsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get()
  async list(
    @TenantId() tenantId: string,
    @Query(query(ListSessions)) { limit, after, createdAfter, createdBefore, ...wanted }: ListSessions,
  ): Promise<SessionPage> {
    const rows = await listSessions(this.deps.store, tenantId, {
      ...wanted,
      ...toDates({ createdAfter, createdBefore }),
      limit: limit + 1,
      after,
    });
    if (rows === null) throw noSuchPage();
    const { shown, next } = toPage(rows, limit, ({ id }) => id);
    return { sessions: shown.map(showSession), next };
  }

  @Get(':sessionId')
  async get(@TenantId() tenantId: string, @Param('sessionId', sessionIdPipe) id: string): Promise<Session> {
    return showSession(await this.#read(tenantId, id, 0));
  }

  @Get(':sessionId/legs')
  async legs(@TenantId() tenantId: string, @Param('sessionId', sessionIdPipe) id: string): Promise<SessionLegs> {
    const { legs } = await this.#read(tenantId, id, MAX_SESSION_ITEMS + 1);
    return { legs: legs.slice(0, MAX_SESSION_ITEMS).map(showLeg), complete: legs.length <= MAX_SESSION_ITEMS };
  }

  @Get(':sessionId/callers')
  async callers(@TenantId() tenantId: string, @Param('sessionId', sessionIdPipe) id: string): Promise<SessionCallers> {
    const { legs } = await this.#read(tenantId, id, MAX_SESSION_ITEMS + 1);
    const callers = legs
      .slice(0, MAX_SESSION_ITEMS)
      .flatMap(({ id: legId, kind, participant_id: participantId, remote, created_at }) =>
        (kind === 'inbound' || kind === 'outbound') && remote !== null && isE164(remote)
          ? [{ legId, participantId, kind, number: remote, createdAt: created_at.toISOString() } as const]
          : [],
      );
    return { callers, complete: legs.length <= MAX_SESSION_ITEMS };
  }

  @Post(':sessionId/end')
  @HttpCode(202)
  async end(@TenantId() tenantId: string, @Param('sessionId', sessionIdPipe) id: string): Promise<EndedSession> {
    const ending = await endSession(this.deps, tenantId, id, 'ended-by-tenant');
    if (ending === null) throw noSuchSession();
    return { state: ending.state, decided: ending.decided };
  }

  @Get(':sessionId/events')
  async events(@TenantId() tenantId: string, @Param('sessionId', sessionIdPipe) id: string): Promise<SessionEvents> {
    const rows = await listSessionEvents(this.deps.store, tenantId, id, MAX_SESSION_ITEMS + 1);
    if (rows === null) throw noSuchSession();
    const events = rows.slice(0, MAX_SESSION_ITEMS).map((row) => ({
      id: eventId(row),
      seq: row.seq,
      type: row.type,
      at: row.created_at.toISOString(),
      data: row.data as SessionEvent['data'],
    }));
    return { events, complete: rows.length <= MAX_SESSION_ITEMS };
  }

  async #read(tenantId: string, id: string, legs: number) {
    const session = await readSession(this.deps.store, tenantId, id, legs);
    if (session === null) throw noSuchSession();
    return session;
  }
}
