import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ListHangUps, type HangUpPage, type SessionHangUps } from '@partyline/contracts/hang-up';
import { sessionOfLeg } from '@partyline/store/events';
import { listHangUps, listSessionHangUps } from '@partyline/store/hang-ups';
import { Tenant } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { noSuchPage, noSuchSession, query, sessionId } from '../input/parse.ts';
import { showHangUp } from './show.ts';

@Controller('v1')
export class HangUpsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get('hang-ups')
  async list(@Tenant() tenantId: string, @Query(query(ListHangUps)) { state, limit, after }: ListHangUps): Promise<HangUpPage> {
    if (after !== undefined && (await sessionOfLeg(this.deps.store, tenantId, after)) === null) throw noSuchPage();
    // One more than is shown tells whether there is a next page.
    const lines = await listHangUps(this.deps.store, tenantId, { state, limit: limit + 1, ...(after === undefined ? {} : { after }) });
    const shown = lines.slice(0, limit);
    return { hangUps: shown.map(showHangUp), next: lines.length > limit ? (shown.at(-1)?.id ?? null) : null };
  }

  @Get('sessions/:sessionId/hang-ups')
  async ofSession(@Tenant() tenantId: string, @Param('sessionId', sessionId) id: string): Promise<SessionHangUps> {
    const lines = await listSessionHangUps(this.deps.store, tenantId, id);
    if (lines === null) throw noSuchSession();
    return { hangUps: lines.map(showHangUp) };
  }
}
