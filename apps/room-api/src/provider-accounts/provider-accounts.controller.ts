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
import { Change, type NoteChange } from '../audit/note-change.ts';
import { Tenant } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { body, idOr } from '../input/parse.ts';
import { showAccount } from './show.ts';

const accountId = idOr(noSuchAccount);

/** Tenants' own accounts at the provider. What is noted of a change names no credential, only that there are others. */
@Controller('v1/provider-accounts')
export class ProviderAccountsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post()
  async create(
    @Tenant() tenantId: string,
    @Body(body(CreateProviderAccount)) wanted: CreateProviderAccount,
    @Change() note: NoteChange,
  ): Promise<ProviderAccount> {
    const row = await createAccount(this.deps, tenantId, wanted);
    note({
      after: { id: row.id, label: row.label, voice: row.voice_kind, video: row.media_kind, version: row.version },
    });
    return this.#show(row);
  }

  @Get()
  async list(@Tenant() tenantId: string): Promise<ProviderAccounts> {
    return { accounts: (await listAccounts(this.deps.store, tenantId)).map((row) => this.#show(row)) };
  }

  @Get(':accountId')
  async get(@Tenant() tenantId: string, @Param('accountId', accountId) id: string): Promise<ProviderAccount> {
    return this.#show(await readAccount(this.deps.store, tenantId, id));
  }

  @Patch(':accountId')
  async change(
    @Tenant() tenantId: string,
    @Param('accountId', accountId) id: string,
    @Body(body(ChangeProviderAccount)) { label }: ChangeProviderAccount,
    @Change() note: NoteChange,
  ): Promise<ProviderAccount> {
    const row = await setAccountLabel(this.deps.store, tenantId, id, label);
    note({ after: { label } });
    return this.#show(row);
  }

  @Post(':accountId/rotate')
  @HttpCode(200)
  async rotate(
    @Tenant() tenantId: string,
    @Param('accountId', accountId) id: string,
    @Body(body(RotateProviderAccount)) { overlapSeconds, ...wanted }: RotateProviderAccount,
    @Change() note: NoteChange,
  ): Promise<ProviderAccount> {
    const row = await rotateAccount(this.deps, tenantId, id, wanted, overlapSeconds);
    note({ after: { version: row.version, oldSecretsUntil: row.old_until } });
    return this.#show(row);
  }

  @Post(':accountId/verify')
  @HttpCode(200)
  async verify(@Tenant() tenantId: string, @Param('accountId', accountId) id: string): Promise<ProviderAccount> {
    return this.#show(await verifyAccount(this.deps, tenantId, id));
  }

  @Delete(':accountId')
  async remove(@Tenant() tenantId: string, @Param('accountId', accountId) id: string): Promise<DeletedProviderAccount> {
    await deleteAccount(this.deps, tenantId, id);
    return { id };
  }

  #show(row: AccountRow | null): ProviderAccount {
    if (row === null) throw noSuchAccount();
    return showAccount(row, this.deps.accountAddresses(row.id));
  }
}
