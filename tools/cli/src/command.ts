import { randomUUID } from 'node:crypto';
import { Partyline } from '@partyline/sdk';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import type { Io } from './io.ts';
import { openOutput, type Output } from './output.ts';
import { readOperatorSettings, readSettings, type Settings } from './settings.ts';

/** What an action is given. */
export interface Context {
  readonly io: Io;
  readonly out: Output;
  /** The API, as whoever is logged in. */
  readonly client: () => Partyline;
  /** The same with an operator's key. */
  readonly operator: () => Partyline['operator'];
}

/** An option, as commander writes one: `--limit <n>`. */
export type Options = Readonly<Record<string, string | readonly [says: string, parse: (text: string) => unknown]>>;

export interface Leaf {
  /** Name and arguments: `create <name>`. */
  readonly usage: string;
  readonly says: string;
  readonly options?: Options;
  /** Without the program's name; each is run by a test or stands in docs/cli.md. */
  readonly examples: readonly string[];
  readonly run: (
    context: Context,
    args: readonly string[],
    options: Readonly<Record<string, never>>,
  ) => Promise<void> | void;
}

/** Adds a command that does something to one that groups them. */
export function addLeaf(io: Io, group: Command, { usage, says, options = {}, examples, run }: Leaf): void {
  const command = group
    .command(usage)
    .description(says)
    .addOption(new Option('--json', 'print JSON'))
    .addOption(
      new Option(
        '--idempotency-key <key>',
        'a change under this key is done once, however often it is sent within a day',
      ).hideHelp(),
    );
  for (const [flags, option] of Object.entries(options)) {
    if (typeof option === 'string') command.option(flags, option);
    else command.option(flags, option[0], (text: string) => option[1](text));
  }
  command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ partyline ${example}`).join('\n')}`);
  command.action(async (...given: unknown[]) => {
    // Commander gives the arguments, then the options, then the command itself.
    const chosen = given.at(-2) as Record<string, never>;
    const { json = false, idempotencyKey = randomUUID() } = chosen as { json?: boolean; idempotencyKey?: string };
    const out = openOutput(io, json);
    const clientOf = openClients(idempotencyKey);
    try {
      await run(
        {
          io,
          out,
          client: () => clientOf(readSettings(io)),
          operator: () => clientOf(readOperatorSettings(io)).operator,
        },
        given.slice(0, -2).flat() as string[],
        chosen,
      );
    } catch (error) {
      if (exitCodeOf(error) === EXIT.indeterminate && !json)
        io.err(
          `If it was to change something: the same command with --idempotency-key ${idempotencyKey} does it once, and says what became of it.`,
        );
      throw error;
    }
  });
}

/** Adds a group of commands, `partyline rooms …`, to the program or to another group. */
export function addGroup(io: Io, parent: Command, name: string, says: string, leaves: readonly Leaf[]): Command {
  const group = parent.command(name).description(says);
  for (const leaf of leaves) addLeaf(io, group, leaf);
  return group;
}

/** Clients whose changes are sent under one key: the first as it is, further ones of the same command numbered, so that the command can be repeated as a whole. */
function openClients(idempotencyKey: string): (settings: Settings) => Partyline {
  let sent = 0;
  const newIdempotencyKey = (): string => ((sent += 1) === 1 ? idempotencyKey : `${idempotencyKey}-${sent}`);
  return ({ url, key }) => new Partyline({ baseUrl: url, apiKey: key, newIdempotencyKey });
}

export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}

/** What can be taken away is, by `none`: to the API null, which commander would take for nothing. */
export const numberOrNone = (text: string): number | 'none' => (text === 'none' ? text : wholeNumber(text));
export const orNull = <T>(value: T | 'none'): T | null => (value === 'none' ? null : value);

export function yesOrNo(text: string): boolean {
  if (text !== 'yes' && text !== 'no') throw new InvalidArgumentError('Say yes or no.');
  return text === 'yes';
}

/** The first so many of a list that is given page by page. */
export async function first<T>(items: AsyncIterable<T>, most: number): Promise<T[]> {
  const taken: T[] = [];
  if (most === 0) return taken;
  for await (const item of items) if (taken.push(item) >= most) break;
  return taken;
}

/** How many of a list are shown, and how large a page is asked for. */
export const LIMIT = {
  '-n, --limit <n>': ['how many to show at most (default 20)', wholeNumber],
} as const satisfies Options;
export const shown = ({ limit = 20 }: { limit?: number }): { most: number; page: number } => ({
  most: limit,
  page: Math.min(100, Math.max(1, limit)),
});
