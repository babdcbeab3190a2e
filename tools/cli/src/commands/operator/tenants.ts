import { InvalidArgumentError } from 'commander';
import {
  LIMIT_OPTION,
  noneToNull,
  omitUndefined,
  pageOptions,
  parseIntegerOrNone,
  takeFirst,
  type CommandSpec,
  type OptionSpecs,
} from '../../command.ts';
import { parseScopes } from '../account.ts';

const COLUMNS = ['id', 'name', 'state', 'homeCountry', 'currency', 'createdAt'];

const TENANT_OPTIONS = {
  '--home-country <country>': 'country that the tenant may dial, such as DE',
  '--countries <countries>': 'other countries that the tenant may dial, comma-separated; none: no others',
  '--currency <currency>': 'currency of its spend, such as EUR',
  '--max-rooms <n>': ["active rooms; none: the platform's limit (also for the next three)", parseIntegerOrNone],
  '--max-legs <n>': ['live connections', parseIntegerOrNone],
  '--max-dial-outs <n>': ['calls dialled out per minute', parseIntegerOrNone],
  '--max-requests <n>': ['API requests per minute', parseIntegerOrNone],
  '--max-minutes <n>': ['minutes per month; none: no limit', parseIntegerOrNone],
  '--max-spend <micro>': 'spend per month, in millionths of the currency unit; none: no limit',
  '--fraud <thresholds>': [
    "meter=warn:critical, comma-separated, such as concurrent=100:300; meter=none: the platform's thresholds",
    parseThresholds,
  ],
} as const satisfies OptionSpecs;

interface TenantOptions {
  homeCountry?: string;
  countries?: string;
  currency?: string;
  maxRooms?: number | 'none';
  maxLegs?: number | 'none';
  maxDialOuts?: number | 'none';
  maxRequests?: number | 'none';
  maxMinutes?: number | 'none';
  maxSpend?: string;
  fraud?: Thresholds;
}
type Thresholds = Record<string, { warn: number; critical: number } | null>;

/** Parses `concurrent=100:300,toOneNumber=none`. The API validates the names of the meters. */
function parseThresholds(text: string): Thresholds {
  return Object.fromEntries(
    text.split(',').map((entry) => {
      const [, meter = '', none, warn, critical] = /^(\w+)=(?:(none)|(\d+):(\d+))$/.exec(entry) ?? [];
      if (meter === '')
        throw new InvalidArgumentError('Use meter=warn:critical, such as concurrent=100:300, or meter=none.');
      return [meter, none === undefined ? { warn: Number(warn), critical: Number(critical) } : null];
    }),
  );
}

const toTenantChange = ({
  homeCountry,
  countries,
  currency,
  maxRooms,
  maxLegs,
  maxDialOuts,
  maxRequests,
  maxMinutes,
  maxSpend,
  fraud,
}: TenantOptions) => {
  const limits = omitUndefined({
    maxLiveRooms: noneToNull(maxRooms),
    maxLiveLegs: noneToNull(maxLegs),
    maxDialOutsPerMinute: noneToNull(maxDialOuts),
    maxRequestsPerMinute: noneToNull(maxRequests),
  });
  const allowedCountries = countries === 'none' ? [] : countries?.split(',');
  return omitUndefined({
    homeCountry,
    allowedCountries,
    currency,
    maxMinutesPerMonth: noneToNull(maxMinutes),
    maxSpendMicroPerMonth: noneToNull(maxSpend),
    fraudLimits: fraud,
    limits: Object.keys(limits).length === 0 ? undefined : limits,
  });
};

export const tenants: readonly CommandSpec[] = [
  {
    usage: 'list',
    description: 'List tenants, newest first.',
    options: { ...LIMIT_OPTION, '--state <state>': 'active, suspended or all (default all)' },
    examples: ['operator tenants list --state suspended'],
    async run({ out, operator }, _args, options: { limit?: number; state?: 'active' | 'suspended' | 'all' }) {
      const { limit, pageSize } = pageOptions(options);
      out.table(
        await takeFirst(operator().tenants({ limit: pageSize, ...omitUndefined({ state: options.state }) }), limit),
        COLUMNS,
        'No tenants.',
      );
    },
  },
  {
    usage: 'create <name>',
    description: 'Create a tenant and print its first key. The key cannot be read again.',
    options: TENANT_OPTIONS,
    examples: ['operator tenants create Acme --home-country DE --max-spend 500000000'],
    async run({ out, operator }, [name = ''], options: TenantOptions) {
      out.object(await operator().createTenant({ name, ...toTenantChange(options) }), [
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
    examples: ['operator tenants show ten_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, operator }, [tenantId = '']) {
      out.object(await operator().tenant(tenantId));
    },
  },
  {
    usage: 'change <tenant>',
    description: 'Change a tenant. Options that you omit stay unchanged.',
    options: { '--name <name>': 'new name', ...TENANT_OPTIONS },
    examples: ['operator tenants change ten_3q2-7wAAQkV1bWJlclBhcn --countries AT,CH --fraud concurrent=100:300'],
    async run({ out, operator }, [tenantId = ''], { name, ...options }: TenantOptions & { name?: string }) {
      out.object(await operator().updateTenant(tenantId, { ...omitUndefined({ name }), ...toTenantChange(options) }));
    },
  },
  {
    usage: 'key <tenant>',
    description: 'Create a key for a tenant that lost its own, and print it once.',
    options: { '--label <label>': 'label of the key', '--scopes <scopes>': 'comma-separated (default admin)' },
    examples: ['operator tenants key ten_3q2-7wAAQkV1bWJlclBhcn --label Recovery'],
    async run({ out, operator }, [tenantId = ''], { label, scopes }: { label?: string; scopes?: string }) {
      out.object(
        await operator().createTenantKey(
          tenantId,
          omitUndefined({ label, scopes: scopes === undefined ? undefined : parseScopes(scopes) }),
        ),
        ['apiKey.id', 'apiKey.label', 'apiKey.scopes', 'key'],
      );
    },
  },
  {
    usage: 'suspend <tenant>',
    description: 'Suspend a tenant: end its sessions and reject its requests and callers.',
    examples: ['operator tenants suspend ten_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, operator }, [tenantId = '']) {
      out.object(await operator().suspendTenant(tenantId), ['id', 'name', 'state', 'suspendedAt']);
    },
  },
  {
    usage: 'resume <tenant>',
    description: 'Resume a suspended tenant. Ended sessions stay ended.',
    examples: ['operator tenants resume ten_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, operator }, [tenantId = '']) {
      out.object(await operator().resumeTenant(tenantId), ['id', 'name', 'state']);
    },
  },
  {
    usage: 'delete <tenant>',
    description: 'Delete a suspended tenant and all its data permanently.',
    examples: ['operator tenants delete ten_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, operator }, [tenantId = '']) {
      out.object(await operator().deleteTenant(tenantId));
    },
  },
];
