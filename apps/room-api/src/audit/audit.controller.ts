import { Controller, Get, Headers, Inject, Query, type StreamableFile } from '@nestjs/common';
import { ListAudit, ListAuditOfAll, type AuditPage } from '@partyline/contracts/audit/audit';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { query } from '../input/parse.ts';
import { readAuditLog } from './read-log.ts';

@Controller('v1')
export class AuditController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get('audit')
  async listOwn(
    @TenantId() tenantId: string,
    @Query(query(ListAudit)) wanted: ListAudit,
    @Headers('accept') accept?: string,
  ): Promise<AuditPage | StreamableFile> {
    return readAuditLog(this.deps.store, tenantId, wanted, accept);
  }

  @Get('operator/audit')
  async listAll(
    @Query(query(ListAuditOfAll)) wanted: ListAuditOfAll,
    @Headers('accept') accept?: string,
  ): Promise<AuditPage | StreamableFile> {
    return readAuditLog(this.deps.store, null, wanted, accept);
  }
}
