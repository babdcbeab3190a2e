import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { noSuchSipAccount } from '@partyline/conference/errors';
import {
  createSipAccount,
  type SipAccountWithPassword as Created,
} from '@partyline/conference/sip-accounts/create-sip-account';
import { rotateSipAccount } from '@partyline/conference/sip-accounts/rotate-sip-account';
import {
  CreateSipAccount,
  type DeletedSipAccount,
  type SipAccount,
  type SipAccounts,
  type SipAccountWithPassword,
} from '@partyline/contracts/sip-accounts/sip-account';
import {
  deleteSipAccount,
  listSipAccountsOfTenant,
  type SipAccountRow,
} from '@partyline/store/sip-accounts/sip-accounts';
import { ChangeRecorder, type RecordChange } from '../audit/record-change.ts';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { body, idPipe } from '../input/parse.ts';
import { requireSipServers } from './require-sip-servers.ts';

const sipAccountId = idPipe(noSuchSipAccount);

/** The logins of tenants' SIP phones. */
@Controller('v1/sip-accounts')
export class SipAccountsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post()
  async create(
    @TenantId() tenantId: string,
    @Body(body(CreateSipAccount)) wanted: CreateSipAccount,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<SipAccountWithPassword> {
    const server = requireSipServers(this.deps);
    const created = await createSipAccount(this.deps, tenantId, wanted);
    recordChange({ after: { id: created.row.id, label: created.row.label } });
    return showWithPassword(created, server);
  }

  @Get()
  async list(@TenantId() tenantId: string): Promise<SipAccounts> {
    const { sipAddress } = this.deps.connectionDetails;
    const rows = await listSipAccountsOfTenant(this.deps.store, tenantId);
    return { sipAccounts: rows.map((row) => show(row, sipAddress)) };
  }

  @Post(':sipAccountId/rotate')
  @HttpCode(200)
  async rotate(
    @TenantId() tenantId: string,
    @Param('sipAccountId', sipAccountId) id: string,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<SipAccountWithPassword> {
    const server = requireSipServers(this.deps);
    const rotated = await rotateSipAccount(this.deps, tenantId, id);
    recordChange({ after: { version: rotated.row.version } });
    return showWithPassword(rotated, server);
  }

  @Delete(':sipAccountId')
  async remove(
    @TenantId() tenantId: string,
    @Param('sipAccountId', sipAccountId) id: string,
  ): Promise<DeletedSipAccount> {
    if (!(await deleteSipAccount(this.deps.store, tenantId, id))) throw noSuchSipAccount();
    return { id };
  }
}

const show = (row: SipAccountRow, server: string | null): SipAccount => ({
  id: row.id,
  label: row.label,
  username: row.id,
  server,
  version: row.version,
  createdAt: row.created_at.toISOString(),
});

const showWithPassword = ({ row, password }: Created, server: string): SipAccountWithPassword => ({
  sipAccount: show(row, server),
  password,
});
