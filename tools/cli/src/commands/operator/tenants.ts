import type { CreateTenantData, CreateTenantKeyData, UpdateTenantData } from '@partyline/sdk/types';
import { LIMIT_OPTION, type CommandSpec } from '../../command.ts';

const COLUMNS = ['id', 'name', 'state', 'homeCountry', 'currency', 'createdAt'];

export const tenants: readonly CommandSpec[] = [
  {
    usage: 'list',
    description: 'List tenants, newest first.',
    operations: ['listTenants'],
    fields: { operation: 'listTenants', from: 'query' },
    options: LIMIT_OPTION,
    examples: ['operator tenants list --state suspended'],
    async run({ out, operator, pages }) {
      out.table(await pages(operator().tenants), COLUMNS, 'No tenants.');
    },
  },
  {
    usage: 'create <name>',
    description: 'Create a tenant and print its first key. The key cannot be read again.',
    operations: ['createTenant'],
    fields: { operation: 'createTenant', omit: ['name'] },
    examples: ['operator tenants create Acme --home-country DE --max-spend-per-month 500'],
    async run({ out, operator, fields }, [name = '']) {
      out.object(await operator().createTenant({ name, ...fields<Omit<CreateTenantData['body'], 'name'>>() }), [
        'tenant.id',
        'tenant.name',
        'tenant.homeCountry',
        'key',
      ]);
    },
  },
  {
    usage: 'show <tenant>',
    description: 'Print the state, the settings and the limits of a tenant.',
    operations: ['getTenant'],
    examples: ['operator tenants show ten_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, operator }, [tenantId = '']) {
      out.object(await operator().tenant(tenantId));
    },
  },
  {
    usage: 'change <tenant>',
    description: 'Change a tenant. Options that you omit stay unchanged.',
    operations: ['updateTenant'],
    fields: { operation: 'updateTenant' },
    examples: [
      'operator tenants change ten_3q2-7wAAQkV1bWJlclBhcn --allowed-countries AT,CH --fraud-concurrent 100:300',
    ],
    async run({ out, operator, fields }, [tenantId = '']) {
      out.object(await operator().updateTenant(tenantId, fields<UpdateTenantData['body']>()));
    },
  },
  {
    usage: 'key <tenant>',
    description: 'Create a key for a tenant that lost its own, and print it once.',
    operations: ['createTenantKey'],
    fields: { operation: 'createTenantKey' },
    examples: ['operator tenants key ten_3q2-7wAAQkV1bWJlclBhcn --label Recovery'],
    async run({ out, operator, fields }, [tenantId = '']) {
      out.object(await operator().createTenantKey(tenantId, fields<CreateTenantKeyData['body']>()), [
        'apiKey.id',
        'apiKey.label',
        'apiKey.scopes',
        'key',
      ]);
    },
  },
  {
    usage: 'suspend <tenant>',
    description: 'Suspend a tenant: end its sessions and reject its requests and callers.',
    operations: ['suspendTenant'],
    examples: ['operator tenants suspend ten_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, operator }, [tenantId = '']) {
      out.object(await operator().suspendTenant(tenantId), ['id', 'name', 'state', 'suspendedAt']);
    },
  },
  {
    usage: 'resume <tenant>',
    description: 'Resume a suspended tenant. Ended sessions stay ended.',
    operations: ['resumeTenant'],
    examples: ['operator tenants resume ten_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, operator }, [tenantId = '']) {
      out.object(await operator().resumeTenant(tenantId), ['id', 'name', 'state']);
    },
  },
  {
    usage: 'delete <tenant>',
    description: 'Delete a suspended tenant and all its data permanently.',
    operations: ['deleteTenant'],
    examples: ['operator tenants delete ten_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, operator }, [tenantId = '']) {
      out.object(await operator().deleteTenant(tenantId));
    },
  },
];
