import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { MOST_OF_SESSION } from '@partyline/contracts/fields';
import { ListHangUps, type HangUpPage, type SessionHangUps } from '@partyline/contracts/hang-ups/hang-up';
import { listHangUps, listSessionHangUps } from '@partyline/store/hang-ups/hang-ups';
import { sessionOfLeg } from '@partyline/store/sessions/sessions';
import { Tenant } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { pageOf } from '../input/page.ts';
import { noSuchPage, noSuchSession, query, sessionId } from '../input/parse.ts';
import { showHangUp } from './show.ts';

@Controller('v1')
export class HangUpsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get('hang-ups')
  async list(
    @Tenant() tenantId: string,
    @Query(query(ListHangUps)) { state, limit, after }: ListHangUps,
  ): Promise<HangUpPage> {
    if (after !== undefined && (await sessionOfLeg(this.deps.store, tenantId, after)) === null) throw noSuchPage();
    const lines = await listHangUps(this.deps.store, tenantId, {
      state,
      limit: limit + 1,
      ...(after === undefined ? {} : { after }),
    });
    const { shown, next } = pageOf(lines, limit, ({ id }) => id);
    return { hangUps: shown.map(showHangUp), next };
  }

  @Get('sessions/:sessionId/hang-ups')
  async ofSession(@Tenant() tenantId: string, @Param('sessionId', sessionId) id: string): Promise<SessionHangUps> {
    const lines = await listSessionHangUps(this.deps.store, tenantId, id, MOST_OF_SESSION + 1);
    if (lines === null) throw noSuchSession();
    return { hangUps: lines.slice(0, MOST_OF_SESSION).map(showHangUp), complete: lines.length <= MOST_OF_SESSION };
  }
}
