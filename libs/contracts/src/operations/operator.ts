import { AuditPage, ListAuditOfAll } from '../audit.ts';
import { CreatedKey } from '../key.ts';
import { PlatformLimits, UpdatePlatformLimits } from '../limits.ts';
import { badBody, badQuery, type Operation } from '../operation.ts';
import { ListRates, RatePage, Rates, UpdateRates } from '../rate.ts';
import { CreatedTenant, CreateTenant, CreateTenantKey, DeletedTenant, ListTenants, Tenant, TenantPage, UpdateTenant } from '../tenant.ts';
import { NDJSON } from './audit.ts';

const badCurrency = { ...badBody, 422: `${badBody[422]} \`currency-without-rates\`: there is no price in that currency for all that is charged.` };
const noTenant = { 404: '`tenant-not-found`: there is no such tenant.' };

export const OPERATOR_OPERATIONS: readonly Operation[] = [
  {
    id: 'createTenant', method: 'post', path: '/v1/operator/tenants', tag: 'operator', scope: 'operator', summary: 'Create a tenant', description: 'Makes a tenant with its first API key, and shows that, once.',
    body: CreateTenant, reply: { status: 201, schema: CreatedTenant }, problems: badCurrency,
  },
  {
    id: 'listTenants', method: 'get', path: '/v1/operator/tenants', tag: 'operator', scope: 'operator', summary: 'List tenants', description: 'All tenants, newest first, a page at a time.',
    query: ListTenants, reply: { status: 200, schema: TenantPage }, problems: badQuery,
  },
  { id: 'getTenant', method: 'get', path: '/v1/operator/tenants/{tenantId}', tag: 'operator', scope: 'operator', summary: 'Look at a tenant', description: 'One tenant.', reply: { status: 200, schema: Tenant }, problems: noTenant },
  {
    id: 'updateTenant', method: 'patch', path: '/v1/operator/tenants/{tenantId}', tag: 'operator', scope: 'operator', summary: 'Change a tenant', description: 'Changes its name or its settings; what is left out stays as it is.',
    body: UpdateTenant, reply: { status: 200, schema: Tenant }, problems: { ...noTenant, ...badCurrency },
  },
  {
    id: 'createTenantKey', method: 'post', path: '/v1/operator/tenants/{tenantId}/keys', tag: 'operator', scope: 'operator', summary: 'Give a tenant a key',
    description: 'Makes an API key for a tenant that has lost its own, and shows it, once.', body: CreateTenantKey, reply: { status: 201, schema: CreatedKey }, problems: { ...noTenant, 409: '`too-many-keys`: it has 50 live keys already.', ...badBody },
  },
  {
    id: 'suspendTenant', method: 'post', path: '/v1/operator/tenants/{tenantId}/suspend', tag: 'operator', scope: 'operator', ends: true, summary: 'Suspend a tenant',
    description: 'From now on its keys are refused (but for reading the proof of its hang-ups, its usage and its audit log), its PINs let nobody in, and all its sessions are ended. Again: ends what is left. Takes no body.',
    reply: { status: 200, schema: Tenant }, problems: noTenant,
  },
  {
    id: 'resumeTenant', method: 'post', path: '/v1/operator/tenants/{tenantId}/resume', tag: 'operator', scope: 'operator', summary: 'Let a suspended tenant go on',
    description: 'Its keys and PINs are good again; sessions that were ended stay so. Takes no body.', reply: { status: 200, schema: Tenant }, problems: noTenant,
  },
  {
    id: 'deleteTenant', method: 'delete', path: '/v1/operator/tenants/{tenantId}', tag: 'operator', scope: 'operator', summary: 'Delete a tenant',
    description: 'Deletes a suspended tenant with all that is its own, for good: rooms, PINs, keys, sessions and their events. Its audit log and what it used are kept. Dedicated numbers must be taken from it first. Again: the same answer.',
    reply: { status: 200, schema: DeletedTenant }, problems: { 409: '`tenant-not-suspended`: it is not suspended. `tenant-has-numbers`: it has numbers of its own. `tenant-has-legs`: one of its connections is not yet seen closed.' },
  },
  {
    id: 'listAuditOfAll', method: 'get', path: '/v1/operator/audit', tag: 'operator', scope: 'operator', summary: 'See who changed what, of all tenants',
    description: 'Every change that was asked for with any key, operators’ too, newest first, a page at a time; asked with `accept: application/x-ndjson`, all that the filters let through, an entry a line.',
    query: ListAuditOfAll, reply: { status: 200, schema: AuditPage, also: [NDJSON] }, problems: badQuery,
  },
  {
    id: 'getPlatformLimits', method: 'get', path: '/v1/operator/limits', tag: 'operator', scope: 'operator', summary: 'See the platform’s limits',
    description: 'The limits of every tenant that has none of its own.', reply: { status: 200, schema: PlatformLimits }, problems: {},
  },
  {
    id: 'updatePlatformLimits', method: 'patch', path: '/v1/operator/limits', tag: 'operator', scope: 'operator', summary: 'Change the platform’s limits',
    description: 'Changes the limits of every tenant that has none of its own, at once; what is left out stays as it is.', body: UpdatePlatformLimits, reply: { status: 200, schema: PlatformLimits }, problems: badBody,
  },
  {
    id: 'listRates', method: 'get', path: '/v1/operator/rates', tag: 'operator', scope: 'operator', summary: 'List rates',
    description: 'The price list: what a minute is taken to cost until the provider has said, a page at a time.', query: ListRates, reply: { status: 200, schema: RatePage }, problems: badQuery,
  },
  {
    id: 'updateRates', method: 'patch', path: '/v1/operator/rates', tag: 'operator', scope: 'operator', summary: 'Change rates',
    description: 'Sets lines of the price list or takes them out, at most 500 at a time, all of them or none; what is up is counted by them at once.', body: UpdateRates, reply: { status: 200, schema: Rates }, problems: badCurrency,
  },
];
