import { callWith, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import {
  createNumber,
  createTenant,
  createTenantKey,
  deleteNumber,
  deleteTenant,
  getPlatformLimits,
  getTenant,
  listAllNumbers,
  listAuditOfAll,
  listRates,
  listTenants,
  resumeTenant,
  suspendTenant,
  updateNumber,
  updatePlatformLimits,
  updateRates,
  updateTenant,
} from '../generated/sdk.gen.ts';
import type {
  AuditEntry,
  AuditPage,
  CreatedKey,
  CreatedTenant,
  CreateNumberData,
  CreateTenantData,
  CreateTenantKeyData,
  DeletedNumber,
  DeletedTenant,
  ListAllNumbersData,
  ListAuditOfAllData,
  ListRatesData,
  ListTenantsData,
  NumberPage,
  OperatorNumber,
  PlatformLimits,
  Rate,
  RatePage,
  Rates,
  Tenant,
  TenantPage,
  UpdateNumberData,
  UpdatePlatformLimitsData,
  UpdateRatesData,
  UpdateTenantData,
} from '../generated/types.gen.ts';
import { listing, type Listing } from '../listing.ts';

/** For who runs the platform: only an operator's key opens these. */
export const operator = (client: Client) => ({
  createTenant: (tenant: CreateTenantData['body'], options?: CallOptions): Promise<CreatedTenant> =>
    createTenant({ ...callWith(client, options), body: tenant }),
  tenants: (query: NonNullable<ListTenantsData['query']> = {}, options?: CallOptions): Listing<TenantPage, Tenant> =>
    listing(
      query,
      (asked) => listTenants({ ...callWith(client, options), query: asked }),
      (page) => page.tenants,
    ),
  tenant: (tenantId: string, options?: CallOptions): Promise<Tenant> =>
    getTenant({ ...callWith(client, options), path: { tenantId } }),
  updateTenant: (tenantId: string, change: UpdateTenantData['body'], options?: CallOptions): Promise<Tenant> =>
    updateTenant({ ...callWith(client, options), path: { tenantId }, body: change }),
  /** Ends its sessions, and lets it start nothing. */
  suspendTenant: (tenantId: string, options?: CallOptions): Promise<Tenant> =>
    suspendTenant({ ...callWith(client, options), path: { tenantId } }),
  resumeTenant: (tenantId: string, options?: CallOptions): Promise<Tenant> =>
    resumeTenant({ ...callWith(client, options), path: { tenantId } }),
  deleteTenant: (tenantId: string, options?: CallOptions): Promise<DeletedTenant> =>
    deleteTenant({ ...callWith(client, options), path: { tenantId } }),
  createTenantKey: (tenantId: string, key: CreateTenantKeyData['body'], options?: CallOptions): Promise<CreatedKey> =>
    createTenantKey({ ...callWith(client, options), path: { tenantId }, body: key }),
  createNumber: (number: CreateNumberData['body'], options?: CallOptions): Promise<OperatorNumber> =>
    createNumber({ ...callWith(client, options), body: number }),
  numbers: (
    query: NonNullable<ListAllNumbersData['query']> = {},
    options?: CallOptions,
  ): Listing<NumberPage, OperatorNumber> =>
    listing(
      query,
      (asked) => listAllNumbers({ ...callWith(client, options), query: asked }),
      (page) => page.numbers,
    ),
  updateNumber: (number: string, change: UpdateNumberData['body'], options?: CallOptions): Promise<OperatorNumber> =>
    updateNumber({ ...callWith(client, options), path: { number }, body: change }),
  deleteNumber: (number: string, options?: CallOptions): Promise<DeletedNumber> =>
    deleteNumber({ ...callWith(client, options), path: { number } }),
  /** What every tenant may use that has no limit of its own. */
  limits: (options?: CallOptions): Promise<PlatformLimits> => getPlatformLimits({ ...callWith(client, options) }),
  updateLimits: (change: UpdatePlatformLimitsData['body'], options?: CallOptions): Promise<PlatformLimits> =>
    updatePlatformLimits({ ...callWith(client, options), body: change }),
  /** What a minute is taken to cost until the provider has said. */
  rates: (query: NonNullable<ListRatesData['query']> = {}, options?: CallOptions): Listing<RatePage, Rate> =>
    listing(
      query,
      (asked) => listRates({ ...callWith(client, options), query: asked }),
      (page) => page.rates,
    ),
  updateRates: (change: UpdateRatesData['body'], options?: CallOptions): Promise<Rates> =>
    updateRates({ ...callWith(client, options), body: change }),
  audit: (
    query: NonNullable<ListAuditOfAllData['query']> = {},
    options?: CallOptions,
  ): Listing<AuditPage, AuditEntry> =>
    listing(
      query,
      (asked) => listAuditOfAll({ ...callWith(client, options), query: asked }),
      (page) => page.entries,
    ),
});
