import type { CreateSipAccountData } from '@partyline/sdk/types';
import type { CommandSpec } from '../command.ts';

const COLUMNS = ['id', 'label', 'server', 'version', 'createdAt'];
const LOGIN_FIELDS = ['sipAccount.id', 'sipAccount.label', 'sipAccount.username', 'sipAccount.server', 'password'];

export const sipAccounts: readonly CommandSpec[] = [
  {
    usage: 'list',
    description: 'List the logins of your SIP phones.',
    operations: ['listSipAccounts'],
    examples: ['sip-accounts list'],
    async run({ out, client }) {
      out.table((await client().sipAccounts.list()).sipAccounts, COLUMNS, 'No SIP accounts.');
    },
  },
  {
    usage: 'create',
    description: 'Create the login of a SIP phone and print its password. The password cannot be read again.',
    operations: ['createSipAccount'],
    fields: { operation: 'createSipAccount' },
    examples: ['sip-accounts create --label "Meeting room 3"'],
    async run({ out, client, fields }) {
      out.object(await client().sipAccounts.create(fields<CreateSipAccountData['body']>()), LOGIN_FIELDS);
    },
  },
  {
    usage: 'rotate <phone>',
    description: 'Replace the password of a SIP phone and print the new one. The old one is rejected within seconds.',
    operations: ['rotateSipAccount'],
    examples: ['sip-accounts rotate sip_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [sipAccountId = '']) {
      out.object(await client().sipAccounts.rotate(sipAccountId), LOGIN_FIELDS);
    },
  },
  {
    usage: 'delete <phone>',
    description: 'Delete the login of a SIP phone. A call of it that is up goes on.',
    operations: ['deleteSipAccount'],
    examples: ['sip-accounts delete sip_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [sipAccountId = '']) {
      out.object(await client().sipAccounts.delete(sipAccountId));
    },
  },
];
