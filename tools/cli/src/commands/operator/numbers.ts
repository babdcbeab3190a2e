import type { CreateNumberData, UpdateNumberData } from '@partyline/sdk/types';
import { LIMIT_OPTION, type CommandSpec } from '../../command.ts';

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
  'providerAccountId',
  'slowUntil',
];

export const numbers: readonly CommandSpec[] = [
  {
    usage: 'list',
    description: 'List all numbers and the tenants that they are dedicated to.',
    operations: ['listAllNumbers'],
    fields: { operation: 'listAllNumbers', from: 'query' },
    options: LIMIT_OPTION,
    examples: ['operator numbers list --limit 100'],
    async run({ out, operator, pages }) {
      out.table(await pages(operator().numbers), COLUMNS, 'No numbers.');
    },
  },
  {
    usage: 'add <number>',
    description: 'Add a number that is connected to this platform.',
    operations: ['createNumber'],
    fields: { operation: 'createNumber', omit: ['number'] },
    examples: [
      'operator numbers add +18005550100 --country US --toll-free yes',
      'operator numbers add +12025550155 --provider-account platform-sip',
    ],
    async run({ out, operator, fields }, [number = '']) {
      out.object(await operator().createNumber({ number, ...fields<Omit<CreateNumberData['body'], 'number'>>() }));
    },
  },
  {
    usage: 'change <number>',
    description: 'Change a number. Options that you omit stay unchanged.',
    operations: ['updateNumber'],
    fields: { operation: 'updateNumber' },
    examples: [
      'operator numbers change +18005550100 --max-unadmitted 50',
      'operator numbers change +18005550100 --tenant none',
    ],
    async run({ out, operator, fields }, [number = '']) {
      out.object(await operator().updateNumber(number, fields<UpdateNumberData['body']>()));
    },
  },
  {
    usage: 'remove <number>',
    description: 'Remove a number. Callers then hear that it is not in service.',
    operations: ['deleteNumber'],
    examples: ['operator numbers remove +18005550100'],
    async run({ out, operator }, [number = '']) {
      out.object(await operator().deleteNumber(number));
    },
  },
];
