import { Controller, Get, Headers, Inject, Query, type StreamableFile } from '@nestjs/common';
import { ListAudit, ListAuditOfAll, type AuditPage } from '@partyline/contracts/audit/audit';
import { Tenant } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { query } from '../input/parse.ts';
import { readLog } from './read-log.ts';

@Controller('v1')
export class AuditController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get('audit')
  async own(
    @Tenant() tenantId: string,
    @Query(query(ListAudit)) wanted: ListAudit,
    @Headers('accept') accept?: string,
  ): Promise<AuditPage | StreamableFile> {
    return readLog(this.deps.store, tenantId, wanted, accept);
  }

  @Get('operator/audit')
  async ofAll(
    @Query(query(ListAuditOfAll)) wanted: ListAuditOfAll,
    @Headers('accept') accept?: string,
  ): Promise<AuditPage | StreamableFile> {
    return readLog(this.deps.store, null, wanted, accept);
  }
}
