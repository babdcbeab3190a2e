import { toRequestOptions, type CallOptions } from '../call.ts';
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
import { createPagedList, type PagedList } from '../paged-list.ts';

/** The operations of the platform's operator; they need an operator's key. */
export const operator = (client: Client) => ({
  createTenant: (tenant: CreateTenantData['body'], options?: CallOptions): Promise<CreatedTenant> =>
    createTenant({ ...toRequestOptions(client, options), body: tenant }),
  tenants: (query: NonNullable<ListTenantsData['query']> = {}, options?: CallOptions): PagedList<TenantPage, Tenant> =>
    createPagedList(
      query,
      (pageQuery) => listTenants({ ...toRequestOptions(client, options), query: pageQuery }),
      (page) => page.tenants,
    ),
  tenant: (tenantId: string, options?: CallOptions): Promise<Tenant> =>
    getTenant({ ...toRequestOptions(client, options), path: { tenantId } }),
  updateTenant: (tenantId: string, change: UpdateTenantData['body'], options?: CallOptions): Promise<Tenant> =>
    updateTenant({ ...toRequestOptions(client, options), path: { tenantId }, body: change }),
  /** Ends the tenant's sessions and rejects its requests and callers. */
  suspendTenant: (tenantId: string, options?: CallOptions): Promise<Tenant> =>
    suspendTenant({ ...toRequestOptions(client, options), path: { tenantId } }),
  resumeTenant: (tenantId: string, options?: CallOptions): Promise<Tenant> =>
    resumeTenant({ ...toRequestOptions(client, options), path: { tenantId } }),
  deleteTenant: (tenantId: string, options?: CallOptions): Promise<DeletedTenant> =>
    deleteTenant({ ...toRequestOptions(client, options), path: { tenantId } }),
  createTenantKey: (tenantId: string, key: CreateTenantKeyData['body'], options?: CallOptions): Promise<CreatedKey> =>
    createTenantKey({ ...toRequestOptions(client, options), path: { tenantId }, body: key }),
  createNumber: (number: CreateNumberData['body'], options?: CallOptions): Promise<OperatorNumber> =>
    createNumber({ ...toRequestOptions(client, options), body: number }),
  numbers: (
    query: NonNullable<ListAllNumbersData['query']> = {},
    options?: CallOptions,
  ): PagedList<NumberPage, OperatorNumber> =>
    createPagedList(
      query,
      (pageQuery) => listAllNumbers({ ...toRequestOptions(client, options), query: pageQuery }),
      (page) => page.numbers,
    ),
  updateNumber: (number: string, change: UpdateNumberData['body'], options?: CallOptions): Promise<OperatorNumber> =>
    updateNumber({ ...toRequestOptions(client, options), path: { number }, body: change }),
  deleteNumber: (number: string, options?: CallOptions): Promise<DeletedNumber> =>
    deleteNumber({ ...toRequestOptions(client, options), path: { number } }),
  /** The limits of tenants without limits of their own. */
  limits: (options?: CallOptions): Promise<PlatformLimits> =>
    getPlatformLimits({ ...toRequestOptions(client, options) }),
  updateLimits: (change: UpdatePlatformLimitsData['body'], options?: CallOptions): Promise<PlatformLimits> =>
    updatePlatformLimits({ ...toRequestOptions(client, options), body: change }),
  /** The estimated prices per minute, until the provider reports the actual price. */
  rates: (query: NonNullable<ListRatesData['query']> = {}, options?: CallOptions): PagedList<RatePage, Rate> =>
    createPagedList(
      query,
      (pageQuery) => listRates({ ...toRequestOptions(client, options), query: pageQuery }),
      (page) => page.rates,
    ),
  updateRates: (change: UpdateRatesData['body'], options?: CallOptions): Promise<Rates> =>
    updateRates({ ...toRequestOptions(client, options), body: change }),
  audit: (
    query: NonNullable<ListAuditOfAllData['query']> = {},
    options?: CallOptions,
  ): PagedList<AuditPage, AuditEntry> =>
    createPagedList(
      query,
      (pageQuery) => listAuditOfAll({ ...toRequestOptions(client, options), query: pageQuery }),
      (page) => page.entries,
    ),
});
