import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { checkCurrency } from '@partyline/conference/billing/check-currency';
import { createKey } from '@partyline/conference/keys/create-key';
import { createTenant } from '@partyline/conference/tenants/create-tenant';
import { deleteTenant } from '@partyline/conference/tenants/delete-tenant';
import { noSuchTenant } from '@partyline/conference/errors';
import { suspendTenant } from '@partyline/conference/tenants/suspend-tenant';
import type { CreatedKey } from '@partyline/contracts/keys/key';
import {
  CreateTenant,
  CreateTenantKey,
  ListTenants,
  UpdateTenant,
  type CreatedTenant,
  type DeletedTenant,
  type Tenant,
  type TenantPage,
} from '@partyline/contracts/tenants/tenant';
import { listTenants, readTenant, resumeTenant, updateTenant } from '@partyline/store/tenants/tenants';
import { ChangeRecorder, type RecordChange } from '../audit/record-change.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { toPage } from '../input/page.ts';
import { body, idPipe, noSuchPage, optionalBody, query } from '../input/parse.ts';
import { showKey } from '../keys/show.ts';
import { showTenant, tenantSettings } from './show.ts';

const tenantId = idPipe(noSuchTenant);

@Controller('v1/operator/tenants')
export class TenantsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post()
  async create(
    @Body(body(CreateTenant)) wanted: CreateTenant,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<CreatedTenant> {
    const { tenant, key } = await createTenant(this.deps, {
      settings: { ...tenantSettings(wanted), name: wanted.name },
      env: this.deps.keyEnv,
    });
    recordChange({ after: { ...wanted, keyId: key.id }, tenants: [tenant.id] });
    return { tenant: showTenant(tenant), key: key.key };
  }

  @Get()
  async list(@Query(query(ListTenants)) { state, limit, after }: ListTenants): Promise<TenantPage> {
    if (after !== undefined && (await readTenant(this.deps.store, after)) === null) throw noSuchPage();
    const rows = await listTenants(this.deps.store, {
      state,
      limit: limit + 1,
      ...(after === undefined ? {} : { after }),
    });
    const { shown, next } = toPage(rows, limit, ({ id }) => id);
    return { tenants: shown.map(showTenant), next };
  }

  @Get(':tenantId')
  async get(@Param('tenantId', tenantId) id: string): Promise<Tenant> {
    const row = await readTenant(this.deps.store, id);
    if (row === null) throw noSuchTenant();
    return showTenant(row);
  }

  @Patch(':tenantId')
  async update(
    @Param('tenantId', tenantId) id: string,
    @Body(body(UpdateTenant)) wanted: UpdateTenant,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<Tenant> {
    if (wanted.currency !== undefined) await checkCurrency(this.deps, wanted.currency);
    const updated = await updateTenant(this.deps.store, id, tenantSettings(wanted));
    if (updated === null) throw noSuchTenant();
    recordChange({ before: updated.before, after: updated.after });
    return showTenant(updated.tenant);
  }

  @Post(':tenantId/keys')
  async createKey(
    @Param('tenantId', tenantId) id: string,
    @Body(optionalBody(CreateTenantKey)) wanted: CreateTenantKey,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<CreatedKey> {
    const { row, key } = await createKey(
      this.deps,
      id,
      { scopes: ['admin'], env: this.deps.keyEnv, expiresAt: null },
      { ...wanted, expiresAt: null },
    );
    recordChange({ after: { keyId: row.id, scopes: row.scopes } });
    return { apiKey: showKey(row), key };
  }

  @Post(':tenantId/suspend')
  @HttpCode(200)
  async suspend(
    @Param('tenantId', tenantId) id: string,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<Tenant> {
    const tenant = await suspendTenant(this.deps, id);
    recordChange({ after: { suspendedAt: tenant.suspended_at } });
    return showTenant(tenant);
  }

  @Post(':tenantId/resume')
  @HttpCode(200)
  async resume(@Param('tenantId', tenantId) id: string, @ChangeRecorder() recordChange: RecordChange): Promise<Tenant> {
    const tenant = await resumeTenant(this.deps.store, id);
    if (tenant === null) throw noSuchTenant();
    recordChange({ after: { suspendedAt: null } });
    return showTenant(tenant);
  }

  @Delete(':tenantId')
  async delete(@Param('tenantId', tenantId) id: string): Promise<DeletedTenant> {
    await deleteTenant(this.deps, id);
    return { id };
  }
}
