import { InvalidArgumentError } from 'commander';
import { first, LIMIT, numberOrNone, orNull, shown, type Leaf, type Options } from '../../command.ts';
import { defined } from '../rooms.ts';
import { scopesIn } from '../account.ts';

const COLUMNS = ['id', 'name', 'state', 'homeCountry', 'currency', 'createdAt'];

const SETTINGS = {
  '--home-country <country>': 'whose numbers it may ring, such as DE',
  '--countries <countries>': 'which others it may ring, with commas between; none: no others',
  '--currency <currency>': 'in which its money is counted, such as EUR',
  '--max-rooms <n>': ['rooms that have not ended; none: the platform’s limit, as for the next three', numberOrNone],
  '--max-people <n>': ['people connected at once', numberOrNone],
  '--max-dial-outs <n>': ['people rung within a minute', numberOrNone],
  '--max-requests <n>': ['requests to the API in a minute', numberOrNone],
  '--max-minutes <n>': ['minutes in a month; none: no limit', numberOrNone],
  '--max-spend <micro>': 'money in a month, in millionths of the currency’s unit; none: no limit',
  '--fraud <thresholds>': [
    'meter=warn:critical, with commas between, such as concurrent=100:300; meter=none: the platform’s',
    thresholds,
  ],
} as const satisfies Options;

interface Settings {
  homeCountry?: string;
  countries?: string;
  currency?: string;
  maxRooms?: number | 'none';
  maxPeople?: number | 'none';
  maxDialOuts?: number | 'none';
  maxRequests?: number | 'none';
  maxMinutes?: number | 'none';
  maxSpend?: string;
  fraud?: Thresholds;
}
type Thresholds = Record<string, { warn: number; critical: number } | null>;

/** `concurrent=100:300,toOneNumber=none`; which meters there are the API says. */
function thresholds(text: string): Thresholds {
  return Object.fromEntries(
    text.split(',').map((entry) => {
      const [, meter = '', none, warn, critical] = /^(\w+)=(?:(none)|(\d+):(\d+))$/.exec(entry) ?? [];
      if (meter === '')
        throw new InvalidArgumentError('Write meter=warn:critical, such as concurrent=100:300, or meter=none.');
      return [meter, none === undefined ? { warn: Number(warn), critical: Number(critical) } : null];
    }),
  );
}

const settingsIn = ({
  homeCountry,
  countries,
  currency,
  maxRooms,
  maxPeople,
  maxDialOuts,
  maxRequests,
  maxMinutes,
  maxSpend,
  fraud,
}: Settings) => {
  const limits = defined({
    maxLiveRooms: orNull(maxRooms),
    maxLiveLegs: orNull(maxPeople),
    maxDialOutsPerMinute: orNull(maxDialOuts),
    maxRequestsPerMinute: orNull(maxRequests),
  });
  const allowedCountries = countries === 'none' ? [] : countries?.split(',');
  return defined({
    homeCountry,
    allowedCountries,
    currency,
    maxMinutesPerMonth: orNull(maxMinutes),
    maxSpendMicroPerMonth: orNull(maxSpend),
    fraudLimits: fraud,
    limits: Object.keys(limits).length === 0 ? undefined : limits,
  });
};

export const tenants: readonly Leaf[] = [
  {
    usage: 'list',
    says: 'List tenants, newest first.',
    options: { ...LIMIT, '--state <state>': 'active, suspended or all (default all)' },
    examples: ['operator tenants list --state suspended'],
    async run({ out, operator }, _args, options: { limit?: number; state?: 'active' | 'suspended' | 'all' }) {
      const { most, page } = shown(options);
      out.table(
        await first(operator().tenants({ limit: page, ...defined({ state: options.state }) }), most),
        COLUMNS,
        'No tenants.',
      );
    },
  },
  {
    usage: 'create <name>',
    says: 'Make a tenant, and show its first key this once.',
    options: SETTINGS,
    examples: ['operator tenants create Acme --home-country DE --max-spend 500000000'],
    async run({ out, operator }, [name = ''], options: Settings) {
      out.thing(await operator().createTenant({ name, ...settingsIn(options) }), [
        'tenant.id',
        'tenant.name',
        'tenant.homeCountry',
        'key',
      ]);
    },
  },
  {
    usage: 'show <tenant>',
    says: 'Look at a tenant: its state, its settings, its limits.',
    examples: ['operator tenants show ten_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, operator }, [tenantId = '']) {
      out.thing(await operator().tenant(tenantId));
    },
  },
  {
    usage: 'change <tenant>',
    says: 'Change a tenant; what is left out stays.',
    options: { '--name <name>': 'what it is called', ...SETTINGS },
    examples: ['operator tenants change ten_3q2-7wAAQkV1bWJlclBhcn --countries AT,CH --fraud concurrent=100:300'],
    async run({ out, operator }, [tenantId = ''], { name, ...options }: Settings & { name?: string }) {
      out.thing(await operator().updateTenant(tenantId, { ...defined({ name }), ...settingsIn(options) }));
    },
  },
  {
    usage: 'key <tenant>',
    says: 'Give a tenant a key, when it has lost its own, and show it this once.',
    options: { '--label <label>': 'what it is for', '--scopes <scopes>': 'with commas between (default admin)' },
    examples: ['operator tenants key ten_3q2-7wAAQkV1bWJlclBhcn --label Recovery'],
    async run({ out, operator }, [tenantId = ''], { label, scopes }: { label?: string; scopes?: string }) {
      out.thing(
        await operator().createTenantKey(
          tenantId,
          defined({ label, scopes: scopes === undefined ? undefined : scopesIn(scopes) }),
        ),
        ['apiKey.id', 'apiKey.label', 'apiKey.scopes', 'key'],
      );
    },
  },
  {
    usage: 'suspend <tenant>',
    says: 'Keep a tenant from everything, and end its sessions.',
    examples: ['operator tenants suspend ten_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, operator }, [tenantId = '']) {
      out.thing(await operator().suspendTenant(tenantId), ['id', 'name', 'state', 'suspendedAt']);
    },
  },
  {
    usage: 'resume <tenant>',
    says: 'Let a suspended tenant go on; sessions that were ended stay so.',
    examples: ['operator tenants resume ten_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, operator }, [tenantId = '']) {
      out.thing(await operator().resumeTenant(tenantId), ['id', 'name', 'state']);
    },
  },
  {
    usage: 'delete <tenant>',
    says: 'Delete a suspended tenant with all that is its own, for good.',
    examples: ['operator tenants delete ten_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, operator }, [tenantId = '']) {
      out.thing(await operator().deleteTenant(tenantId));
    },
  },
];
