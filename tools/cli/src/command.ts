import { randomUUID } from 'node:crypto';
import type { Partyline } from '@partyline/sdk';
import { Option, type Command } from 'commander';
import { CommandFailedError, EXIT, exitCodeOf, UsageError } from './exit-codes.ts';
import {
  flagOfField,
  listFieldOptions,
  parseLimit,
  readFields,
  type FieldOption,
  type FieldSource,
  type OperationId,
} from './fields.ts';
import type { Io } from './io.ts';
import { describeError, formatError, formatErrorAsJson, type DescribedError } from './error-text.ts';
import { createClientFactory } from './open-client.ts';
import { openOutput, type Output } from './output.ts';
import { readOperatorSettings, readTenantSettings } from './settings.ts';

export interface CommandContext {
  readonly io: Io;
  readonly out: Output;
  /** Opens the API with the tenant's key. Throws a UsageError without one. */
  readonly client: () => Partyline;
  /** Opens the operator API with the operator's key. Throws a UsageError without one. */
  readonly operator: () => Partyline['operator'];
  /** Words an error as this command prints it. */
  readonly describe: (error: unknown) => DescribedError;
  /** The fields that the options set, as the operation takes them. */
  readonly fields: <T>() => NonNullable<T>;
  /** Reads a paged list with these fields as its query, up to `--limit`. */
  readonly pages: <T>(list: (query: never) => AsyncIterable<T>) => Promise<T[]>;
}

/** Commander's flags (`--limit <n>`), each with its help text and, where needed, a parser. */
export type OptionSpecs = Readonly<
  Record<string, string | readonly [description: string, parse: (text: string) => unknown]>
>;

export interface CommandSpec {
  /** Name and arguments: `create <name>`. */
  readonly usage: string;
  readonly description: string;
  /** The operations of the API that the command calls. */
  readonly operations?: readonly OperationId[];
  /** Options for the fields of an operation. */
  readonly fields?: FieldSource;
  /** What sets the other fields of the operation: `<amount>`, `--file`. */
  readonly inputs?: Readonly<Record<string, string>>;
  readonly options?: OptionSpecs;
  /** Command lines without `partyline`. */
  readonly examples: readonly string[];
  readonly run: (
    context: CommandContext,
    args: readonly string[],
    options: Readonly<Record<string, never>>,
  ) => Promise<void> | void;
}

/** A program and what is known about its commands. */
export interface ProgramContext {
  readonly io: Io;
  /** The first command that calls an operation: `rooms list`. */
  readonly commandByOperation: Map<OperationId, string>;
  /** What a command was made from. */
  readonly specByCommand: Map<Command, CommandSpec>;
}

/** Adds a command to the program or to a group, with the options that every command takes. */
export function addCommand(
  { io, commandByOperation, specByCommand }: ProgramContext,
  parent: Command,
  spec: CommandSpec,
): void {
  const { usage, description, operations = [], fields, options = {}, examples, run } = spec;
  const command = parent
    .command(usage)
    .description(description)
    .addOption(new Option('--json', 'print JSON'))
    .addOption(
      new Option('--idempotency-key <key>', 'perform the change once, even if repeated within 24 hours').hideHelp(),
    );
  specByCommand.set(command, spec);
  for (const operation of operations)
    if (!commandByOperation.has(operation)) commandByOperation.set(operation, pathOf(command));
  const fieldOptions = fields === undefined ? [] : listFieldOptions(fields);
  for (const { option } of fieldOptions) command.addOption(option);
  for (const [flags, option] of Object.entries(options)) {
    if (typeof option === 'string') command.option(flags, option);
    else command.option(flags, option[0], (text: string) => option[1](text));
  }
  command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ partyline ${example}`).join('\n')}`);
  command.action(async (...parameters: unknown[]) => {
    // Commander passes the arguments, then the options, then the command itself.
    const values = parameters.at(-2) as Record<string, never>;
    const { json = false, idempotencyKey = randomUUID() } = values as { json?: boolean; idempotencyKey?: string };
    const out = openOutput(io, json);
    const { open, mayHaveWritten } = createClientFactory(idempotencyKey);
    const describe = (error: unknown): DescribedError =>
      describeError(error, {
        commandOf: (operation) => commandByOperation.get(operation),
        inputOf: (name) => inputOfField(command, spec, fieldOptions, name),
      });
    try {
      assertArguments(command, parameters.slice(0, -2).flat());
      await run(
        {
          io,
          out,
          client: () => open(readTenantSettings(io)),
          operator: () => open(readOperatorSettings(io)).operator,
          describe,
          fields: <T>() => readFields(fieldOptions, values) as NonNullable<T>,
          pages: <T>(list: (query: never) => AsyncIterable<T>) => {
            const { limit = DEFAULT_LIMIT } = values as { limit?: number };
            const pageSize = Math.min(MAX_PAGE_SIZE, limit);
            return takeFirst(list({ limit: pageSize, ...readFields(fieldOptions, values) } as never), limit);
          },
        },
        parameters.slice(0, -2).flat() as string[],
        values,
      );
    } catch (error) {
      if (error instanceof CommandFailedError) throw error;
      const described = describe(error);
      if (json) io.err(formatErrorAsJson(error, described));
      else {
        io.err(formatError(described, io));
        if (exitCodeOf(error) === EXIT.indeterminate && mayHaveWritten())
          io.err(
            'The change may have been made. Repeat the command with ' +
              `--idempotency-key ${idempotencyKey}: it is then made once, and you get its result.`,
          );
      }
      throw new CommandFailedError(exitCodeOf(error));
    }
  });
}

/** An empty argument would name another object: a variable of the shell is not set. */
function assertArguments(command: Command, values: readonly unknown[]): void {
  const empty = command.registeredArguments.find((_, at) => values[at] === '');
  if (empty !== undefined)
    throw new UsageError(`<${empty.name()}> is empty.`, `Run partyline ${pathOf(command)} --help for examples.`);
}

/** What sets a field: an option, or as `inputs` says, or an argument of the same name. */
function inputOfField(
  command: Command,
  { inputs = {} }: CommandSpec,
  fieldOptions: readonly FieldOption[],
  name: string,
): string | undefined {
  const argument = command.registeredArguments.find((each) => each.name() === name);
  return flagOfField(fieldOptions, name) ?? inputs[name] ?? (argument === undefined ? undefined : `<${name}>`);
}

/** The words of a command after the program's name: `rooms create`. */
export const pathOf = (command: Command): string =>
  command.parent === null || command.parent.parent === null
    ? command.name()
    : `${pathOf(command.parent)} ${command.name()}`;

/** Adds a group of commands, such as `partyline rooms ...`, and returns it. */
export function addCommandGroup(
  context: ProgramContext,
  parent: Command,
  name: string,
  description: string,
  specs: readonly CommandSpec[],
): Command {
  const group = parent.command(name).description(description);
  for (const spec of specs) addCommand(context, group, spec);
  return group;
}

/** Removes the options that were not given. */
export const omitUndefined = <T extends object>(options: T): { [K in keyof T]?: NonNullable<T[K]> } =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };

/** Reads at most `limit` items of a paged list, and at least one. */
export async function takeFirst<T>(items: AsyncIterable<T>, limit: number): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) if (found.push(item) >= limit) break;
  return found;
}

const DEFAULT_LIMIT = 20;
const MAX_PAGE_SIZE = 100;
/** The option of every command that reads a paged list with `pages`. */
export const LIMIT_OPTION = {
  '-n, --limit <n>': [`print at most this many (default ${DEFAULT_LIMIT})`, parseLimit],
} as const satisfies OptionSpecs;
