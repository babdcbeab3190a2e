import { Controller, Get, Inject, Param } from '@nestjs/common';
import type { SessionEvent, SessionEvents } from '@partyline/contracts/session';
import { eventId } from '@partyline/store/outbox';
import { listSessionEvents } from '@partyline/store/rooms';
import { Tenant } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { noSuchSession, sessionId } from '../input/parse.ts';

@Controller('v1/sessions')
export class SessionsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get(':sessionId/events')
  async events(@Tenant() tenantId: string, @Param('sessionId', sessionId) id: string): Promise<SessionEvents> {
    const rows = await listSessionEvents(this.deps.store, tenantId, id);
    if (rows === null) throw noSuchSession();
    return { events: rows.map(({ seq, type, created_at, data }) => ({ id: eventId(id, seq), seq, type, at: created_at.toISOString(), data: data as SessionEvent['data'] })) };
  }
}
