import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post } from '@nestjs/common';
import { createAccount } from '@partyline/conference/provider-accounts/create-account';
import { deleteAccount } from '@partyline/conference/provider-accounts/delete-account';
import { rotateAccount } from '@partyline/conference/provider-accounts/rotate-account';
import { verifyAccount } from '@partyline/conference/provider-accounts/verify-account';
import { noSuchAccount } from '@partyline/conference/errors';
import {
  ChangeProviderAccount,
  CreateProviderAccount,
  RotateProviderAccount,
  type DeletedProviderAccount,
  type ProviderAccount,
  type ProviderAccounts,
} from '@partyline/contracts/provider-accounts/provider-account';
import {
  setAccountLabel,
  listAccounts,
  readAccount,
  type AccountRow,
} from '@partyline/store/provider-accounts/provider-accounts';
import { ChangeRecorder, type RecordChange } from '../audit/record-change.ts';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { body, idPipe } from '../input/parse.ts';
import { requireSipServers } from '../sip-accounts/require-sip-servers.ts';
import { showAccount } from './show.ts';
import { toCredentials } from './to-credentials.ts';

const accountId = idPipe(noSuchAccount);

/** What the audit log stores of a SIP trunk: where its calls go, and from where it may call. */
const toAuditedTrunk = (row: AccountRow): object =>
  row.voice_kind !== 'sip'
    ? {}
    : { trunkHost: row.trunk_host, trunkTransport: row.trunk_transport, trunkAddresses: row.trunk_addresses };

/** Tenants' provider accounts. The audit log stores no credentials, only the version. */
@Controller('v1/provider-accounts')
export class ProviderAccountsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post()
  async create(
    @TenantId() tenantId: string,
    @Body(body(CreateProviderAccount)) wanted: CreateProviderAccount,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<ProviderAccount> {
    const { label, ...given } = wanted;
    if (given.voice.kind === 'sip') requireSipServers(this.deps);
    const row = await createAccount(this.deps, tenantId, { label, ...toCredentials(given) });
    recordChange({
      after: {
        id: row.id,
        label: row.label,
        voice: row.voice_kind,
        video: row.media_kind,
        version: row.version,
        ...toAuditedTrunk(row),
      },
    });
    return this.#show(row);
  }

  @Get()
  async list(@TenantId() tenantId: string): Promise<ProviderAccounts> {
    return { accounts: (await listAccounts(this.deps.store, tenantId)).map((row) => this.#show(row)) };
  }

  @Get(':accountId')
  async get(@TenantId() tenantId: string, @Param('accountId', accountId) id: string): Promise<ProviderAccount> {
    return this.#show(await readAccount(this.deps.store, tenantId, id));
  }

  @Patch(':accountId')
  async change(
    @TenantId() tenantId: string,
    @Param('accountId', accountId) id: string,
    @Body(body(ChangeProviderAccount)) { label }: ChangeProviderAccount,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<ProviderAccount> {
    const row = await setAccountLabel(this.deps.store, tenantId, id, label);
    recordChange({ after: { label } });
    return this.#show(row);
  }

  @Post(':accountId/rotate')
  @HttpCode(200)
  async rotate(
    @TenantId() tenantId: string,
    @Param('accountId', accountId) id: string,
    @Body(body(RotateProviderAccount)) { overlapSeconds, ...wanted }: RotateProviderAccount,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<ProviderAccount> {
    const row = await rotateAccount(this.deps, tenantId, id, wanted, overlapSeconds);
    recordChange({ after: { version: row.version, oldSecretsUntil: row.old_until, ...toAuditedTrunk(row) } });
    return this.#show(row);
  }

  @Post(':accountId/verify')
  @HttpCode(200)
  async verify(@TenantId() tenantId: string, @Param('accountId', accountId) id: string): Promise<ProviderAccount> {
    return this.#show(await verifyAccount(this.deps, tenantId, id));
  }

  @Delete(':accountId')
  async remove(
    @TenantId() tenantId: string,
    @Param('accountId', accountId) id: string,
  ): Promise<DeletedProviderAccount> {
    await deleteAccount(this.deps, tenantId, id);
    return { id };
  }

  #show(row: AccountRow | null): ProviderAccount {
    if (row === null) throw noSuchAccount();
    return showAccount(row, this.deps.connectionDetails);
  }
}
