import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { MAX_SESSION_ITEMS } from '@partyline/contracts/fields';
import { ListHangUps, type HangUpPage, type SessionHangUps } from '@partyline/contracts/hang-ups/hang-up';
import { listHangUps, listSessionHangUps } from '@partyline/store/hang-ups/hang-ups';
import { findSessionOfLeg } from '@partyline/store/sessions/sessions';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { toPage } from '../input/page.ts';
import { noSuchPage, noSuchSession, query, sessionIdPipe } from '../input/parse.ts';
import { showHangUp } from './show.ts';

@Controller('v1')
export class HangUpsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get('hang-ups')
  async list(
    @TenantId() tenantId: string,
    @Query(query(ListHangUps)) { state, limit, after }: ListHangUps,
  ): Promise<HangUpPage> {
    if (after !== undefined && (await findSessionOfLeg(this.deps.store, tenantId, after)) === null) throw noSuchPage();
    const entries = await listHangUps(this.deps.store, tenantId, {
      state,
      limit: limit + 1,
      ...(after === undefined ? {} : { after }),
    });
    const { shown, next } = toPage(entries, limit, ({ id }) => id);
    return { hangUps: shown.map(showHangUp), next };
  }

  @Get('sessions/:sessionId/hang-ups')
  async ofSession(
    @TenantId() tenantId: string,
    @Param('sessionId', sessionIdPipe) id: string,
  ): Promise<SessionHangUps> {
    const entries = await listSessionHangUps(this.deps.store, tenantId, id, MAX_SESSION_ITEMS + 1);
    if (entries === null) throw noSuchSession();
    return {
      hangUps: entries.slice(0, MAX_SESSION_ITEMS).map(showHangUp),
      complete: entries.length <= MAX_SESSION_ITEMS,
    };
  }
}
