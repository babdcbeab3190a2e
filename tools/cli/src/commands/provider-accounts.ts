import { readFileSync } from 'node:fs';
import type { Partyline } from '@partyline/sdk';
import { wholeNumber, type Context, type Leaf } from '../command.ts';
import { UsageError } from '../exit-codes.ts';
import { defined } from './rooms.ts';

const COLUMNS = ['id', 'label', 'voice.applicationId', 'video.kind', 'version', 'verifiedAt', 'numbers'];
const SHOWN = ['id', 'label', 'voice', 'video', 'version', 'verifiedAt', 'oldSecretsUntil', 'addresses', 'numbers'];
const FILE = { '--file <file>': 'JSON, as the API takes it; - reads standard input' } as const;

/** Credentials come from a file: the command line stands in the shell's history and in the list of processes. */
async function readBody({ io }: Pick<Context, 'io'>, file: string | undefined): Promise<object> {
  if (file === undefined)
    throw new UsageError(
      'The credentials are missing.',
      'Give them in a file: --file account.json, or --file - for standard input.',
    );
  let text: string;
  try {
    text = file === '-' ? await io.readInput() : readFileSync(file, 'utf8');
  } catch {
    throw new UsageError(`${file} cannot be read.`, 'Give the path of a file with JSON.');
  }
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  } catch {
    // What it says could hold a part of the file.
  }
  throw new UsageError(`${file === '-' ? 'Standard input' : file} is no JSON object.`, 'docs/accounts.md shows one.');
}

type Accounts = Partyline['providerAccounts'];

export const accounts: readonly Leaf[] = [
  {
    usage: 'list',
    says: 'List your own accounts at the provider.',
    examples: ['accounts list'],
    async run({ out, client }) {
      out.table(
        (await client().providerAccounts.list()).accounts,
        COLUMNS,
        'None: your rooms live in the platform’s account.',
      );
    },
  },
  {
    usage: 'create',
    says: 'Keep the credentials of your own account, once the provider has taken them; then set its addresses at the vendor.',
    options: FILE,
    examples: ['accounts create --file account.json'],
    async run(context, _args, { file }: { file?: string }) {
      const body = (await readBody(context, file)) as Parameters<Accounts['create']>[0];
      context.out.thing(await context.client().providerAccounts.create(body), SHOWN);
    },
  },
  {
    usage: 'rotate <account>',
    says: 'Replace its credentials; webhooks signed with the old secrets are taken for a day more.',
    options: { ...FILE, '--overlap <seconds>': ['for so long instead', wholeNumber] },
    examples: ['accounts rotate acct_3q2-7wAAQkV1bWJlclBhcn --file new.json'],
    async run(context, [accountId = ''], { file, overlap }: { file?: string; overlap?: number }) {
      const body = { ...(await readBody(context, file)), ...defined({ overlapSeconds: overlap }) } as Parameters<
        Accounts['rotate']
      >[1];
      context.out.thing(await context.client().providerAccounts.rotate(accountId, body), SHOWN);
    },
  },
  {
    usage: 'verify <account>',
    says: 'Ask the provider whether it still takes the credentials.',
    examples: ['accounts verify acct_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [accountId = '']) {
      out.thing(await client().providerAccounts.verify(accountId), SHOWN);
    },
  },
  {
    usage: 'delete <account>',
    says: 'Wipe its credentials; not while numbers lead to it or calls of it are up.',
    examples: ['accounts delete acct_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [accountId = '']) {
      out.thing(await client().providerAccounts.delete(accountId));
    },
  },
];
