import { first, LIMIT, orNull, shown, wholeNumber, yesOrNo, type Leaf, type Options } from '../../command.ts';
import { defined } from '../rooms.ts';

const COLUMNS = [
  'number',
  'kind',
  'tenantId',
  'country',
  'language',
  'tollFree',
  'guarded',
  'maxUnadmitted',
  'slowUntil',
];

const SETTINGS = {
  '--country <country>': 'the country that it is in, such as US; none: not said',
  '--language <language>': 'the language it answers in, such as en-US',
  '--toll-free <yes-or-no>': ['whether the caller pays nothing', yesOrNo],
  '--tenant <tenant>': 'the one tenant who may use it; none: all share it',
  '--max-unadmitted <n>': ['how many callers may be asked for a PIN at once', wholeNumber],
  '--guarded <yes-or-no>': [
    'whether callers are held back until their PIN was right; no only where nobody unknown can call',
    yesOrNo,
  ],
} as const satisfies Options;

interface Settings {
  country?: string;
  language?: string;
  tollFree?: boolean;
  tenant?: string;
  maxUnadmitted?: number;
  guarded?: boolean;
}
const settingsIn = ({ country, language, tollFree, tenant, maxUnadmitted, guarded }: Settings) =>
  defined({ country: orNull(country), language, tollFree, tenantId: orNull(tenant), maxUnadmitted, guarded });

export const numbers: readonly Leaf[] = [
  {
    usage: 'list',
    says: 'List the platform’s numbers, and whose they are.',
    options: { ...LIMIT, '--tenant <tenant>': 'only those of this tenant alone' },
    examples: ['operator numbers list --limit 100'],
    async run({ out, operator }, _args, options: { limit?: number; tenant?: string }) {
      const { most, page } = shown(options);
      out.table(
        await first(operator().numbers({ limit: page, ...defined({ tenantId: options.tenant }) }), most),
        COLUMNS,
        'No numbers.',
      );
    },
  },
  {
    usage: 'add <number>',
    says: 'Add a number that leads to this platform.',
    options: SETTINGS,
    examples: ['operator numbers add +18005550100 --country US --toll-free yes'],
    async run({ out, operator }, [number = ''], options: Settings) {
      out.thing(await operator().createNumber({ number, ...settingsIn(options) }));
    },
  },
  {
    usage: 'change <number>',
    says: 'Change what is said of a number, whose it is, or how its callers are guarded; what is left out stays.',
    options: SETTINGS,
    examples: [
      'operator numbers change +18005550100 --max-unadmitted 50',
      'operator numbers change +18005550100 --tenant none',
    ],
    async run({ out, operator }, [number = ''], options: Settings) {
      out.thing(await operator().updateNumber(number, settingsIn(options)));
    },
  },
  {
    usage: 'remove <number>',
    says: 'Take a number away: who dials it hears that it is not in service.',
    examples: ['operator numbers remove +18005550100'],
    async run({ out, operator }, [number = '']) {
      out.thing(await operator().deleteNumber(number));
    },
  },
];
