import {
  LIMIT_OPTION,
  noneToNull,
  omitUndefined,
  pageOptions,
  parseInteger,
  parseYesNo,
  takeFirst,
  type CommandSpec,
  type OptionSpecs,
} from '../../command.ts';

const COLUMNS = [
  'number',
  'kind',
  'tenantId',
  'country',
  'language',
  'tollFree',
  'guarded',
  'maxUnadmitted',
  'maxPerCallerId',
  'slowUntil',
];

const NUMBER_OPTIONS = {
  '--country <country>': 'country of the number, such as US; none: unknown',
  '--language <language>': 'language of the prompts, such as en-US',
  '--toll-free <yes-or-no>': ['whether calls are free for the caller', parseYesNo],
  '--tenant <tenant>': 'tenant that the number is dedicated to; none: shared by all',
  '--max-unadmitted <n>': ['maximum number of callers who have not keyed a correct PIN yet', parseInteger],
  '--max-per-caller-id <n>': ['maximum number of them with the same caller id', parseInteger],
  '--guarded <yes-or-no>': [
    'whether callers without a correct PIN are counted and limited; no only if unknown callers cannot call',
    parseYesNo,
  ],
} as const satisfies OptionSpecs;

interface NumberOptions {
  country?: string;
  language?: string;
  tollFree?: boolean;
  tenant?: string;
  maxUnadmitted?: number;
  maxPerCallerId?: number;
  guarded?: boolean;
}
const toNumberChange = ({
  country,
  language,
  tollFree,
  tenant,
  maxUnadmitted,
  maxPerCallerId,
  guarded,
}: NumberOptions) =>
  omitUndefined({
    country: noneToNull(country),
    language,
    tollFree,
    tenantId: noneToNull(tenant),
    maxUnadmitted,
    maxPerCallerId,
    guarded,
  });

export const numbers: readonly CommandSpec[] = [
  {
    usage: 'list',
    description: 'List all numbers and the tenants that they are dedicated to.',
    options: { ...LIMIT_OPTION, '--tenant <tenant>': 'only numbers dedicated to this tenant' },
    examples: ['operator numbers list --limit 100'],
    async run({ out, operator }, _args, options: { limit?: number; tenant?: string }) {
      const { limit, pageSize } = pageOptions(options);
      out.table(
        await takeFirst(operator().numbers({ limit: pageSize, ...omitUndefined({ tenantId: options.tenant }) }), limit),
        COLUMNS,
        'No numbers.',
      );
    },
  },
  {
    usage: 'add <number>',
    description: 'Add a number that is connected to this platform.',
    options: NUMBER_OPTIONS,
    examples: ['operator numbers add +18005550100 --country US --toll-free yes'],
    async run({ out, operator }, [number = ''], options: NumberOptions) {
      out.object(await operator().createNumber({ number, ...toNumberChange(options) }));
    },
  },
  {
    usage: 'change <number>',
    description: 'Change a number. Options that you omit stay unchanged.',
    options: NUMBER_OPTIONS,
    examples: [
      'operator numbers change +18005550100 --max-unadmitted 50',
      'operator numbers change +18005550100 --tenant none',
    ],
    async run({ out, operator }, [number = ''], options: NumberOptions) {
      out.object(await operator().updateNumber(number, toNumberChange(options)));
    },
  },
  {
    usage: 'remove <number>',
    description: 'Remove a number. Callers then hear that it is not in service.',
    examples: ['operator numbers remove +18005550100'],
    async run({ out, operator }, [number = '']) {
      out.object(await operator().deleteNumber(number));
    },
  },
];
