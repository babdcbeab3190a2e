import { readFileSync } from 'node:fs';
import type { Partyline } from '@partyline/sdk';
import type { ChangeProviderAccountData } from '@partyline/sdk/types';
import { omitUndefined, type CommandContext, type CommandSpec } from '../command.ts';
import { UsageError } from '../exit-codes.ts';
import { parseDuration } from '../fields.ts';

const COLUMNS = [
  'id',
  'label',
  'voice.kind',
  'voice.applicationId',
  'voice.region',
  'video.kind',
  'version',
  'verifiedAt',
  'numbers',
];
const DETAIL_FIELDS = [
  'id',
  'label',
  'voice',
  'video',
  'version',
  'verifiedAt',
  'oldSecretsUntil',
  'addresses',
  'numbers',
];
/** Fields whose values are in the file. */
const FILE_INPUTS = { voice: '--file', video: '--file', callbackSecret: '--file' } as const;
const FILE_OPTION = { '--file <file>': 'the credentials as JSON (docs/accounts.md); - reads standard input' } as const;

/** Credentials are never arguments, which the shell's history and the process list would show. */
async function readCredentials({ io }: Pick<CommandContext, 'io'>, file: string | undefined): Promise<object> {
  if (file === undefined)
    throw new UsageError('The credentials are missing.', 'Use --file account.json, or --file - for standard input.');
  let text: string;
  try {
    text = file === '-' ? await io.readInput() : readFileSync(file, 'utf8');
  } catch {
    throw new UsageError(`${file} cannot be read.`, 'Use the path of a JSON file.');
  }
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  } catch {
    // The parser's message could quote a secret from the file.
  }
  throw new UsageError(
    `${file === '-' ? 'Standard input' : file} is not a JSON object.`,
    'See docs/accounts.md for an example.',
  );
}

type Accounts = Partyline['providerAccounts'];

export const accounts: readonly CommandSpec[] = [
  {
    usage: 'list',
    description: 'List your own provider accounts.',
    operations: ['listProviderAccounts'],
    examples: ['accounts list'],
    async run({ out, client }) {
      out.table(
        (await client().providerAccounts.list()).accounts,
        COLUMNS,
        "No accounts. Your rooms use the platform's account.",
      );
    },
  },
  {
    usage: 'show <account>',
    description: 'Print an account, with what to configure at the provider or the SIP trunk.',
    operations: ['getProviderAccount'],
    examples: ['accounts show acct_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [accountId = '']) {
      out.object(await client().providerAccounts.get(accountId), DETAIL_FIELDS);
    },
  },
  {
    usage: 'update <account>',
    description: 'Change the label of an account.',
    operations: ['changeProviderAccount'],
    fields: { operation: 'changeProviderAccount' },
    examples: ['accounts update acct_3q2-7wAAQkV1bWJlclBhcn --label "Sales"'],
    async run({ out, client, fields }, [accountId = '']) {
      out.object(
        await client().providerAccounts.change(accountId, fields<ChangeProviderAccountData['body']>()),
        DETAIL_FIELDS,
      );
    },
  },
  {
    usage: 'create',
    description:
      'Store the credentials of your own account after a test at the provider. ' +
      'Then configure the printed addresses at the provider, or the printed SIP address at your trunk.',
    options: FILE_OPTION,
    operations: ['createProviderAccount'],
    inputs: { label: '--file', ...FILE_INPUTS },
    examples: ['accounts create --file account.json'],
    async run(context, _args, { file }: { file?: string }) {
      const body = (await readCredentials(context, file)) as Parameters<Accounts['create']>[0];
      context.out.object(await context.client().providerAccounts.create(body), DETAIL_FIELDS);
    },
  },
  {
    usage: 'rotate <account>',
    description: 'Replace the credentials. Webhooks signed with the old secrets are accepted for 24 hours.',
    options: {
      ...FILE_OPTION,
      '--overlap <duration>': ['accept the old secrets for this long instead, such as 1h', parseDuration],
    },
    operations: ['rotateProviderAccount'],
    inputs: { ...FILE_INPUTS, overlapSeconds: '--overlap' },
    examples: ['accounts rotate acct_3q2-7wAAQkV1bWJlclBhcn --file new.json'],
    async run(context, [accountId = ''], { file, overlap }: { file?: string; overlap?: number }) {
      const body = {
        ...(await readCredentials(context, file)),
        ...omitUndefined({ overlapSeconds: overlap }),
      } as Parameters<Accounts['rotate']>[1];
      context.out.object(await context.client().providerAccounts.rotate(accountId, body), DETAIL_FIELDS);
    },
  },
  {
    usage: 'verify <account>',
    description: 'Test the credentials at the provider.',
    operations: ['verifyProviderAccount'],
    examples: ['accounts verify acct_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [accountId = '']) {
      out.object(await client().providerAccounts.verify(accountId), DETAIL_FIELDS);
    },
  },
  {
    usage: 'delete <account>',
    description: 'Delete an account and its credentials. Rejected while it has numbers or live calls.',
    operations: ['deleteProviderAccount'],
    examples: ['accounts delete acct_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [accountId = '']) {
      out.object(await client().providerAccounts.delete(accountId));
    },
  },
];
