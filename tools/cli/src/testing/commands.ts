import type { Command } from 'commander';
import type { CommandSpec, ProgramContext } from '../command.ts';
import { buildProgram } from '../program.ts';

/** A command without subcommands. */
interface ListedCommand {
  /** Its words: `rooms create`. */
  readonly path: string;
  readonly command: Command;
  /** Undefined for `completion`, which needs none. */
  readonly spec: CommandSpec | undefined;
}

/** Builds the program with streams that lead nowhere. */
export const buildSilentProgram = (): ProgramContext & { readonly program: Command } =>
  buildProgram({
    env: {},
    home: '/',
    out: () => undefined,
    err: () => undefined,
    readInput: async () => '',
    hasColour: false,
    hasErrorColour: false,
    now: () => 0,
    interrupted: new AbortController().signal,
  });

/** Lists the commands of the program that have no subcommands. */
export function listCommands(): ListedCommand[] {
  const { program, specByCommand } = buildSilentProgram();
  const walk = (command: Command, path: string): ListedCommand[] =>
    command.commands.length === 0
      ? [{ path, command, spec: specByCommand.get(command) }]
      : command.commands.flatMap((each) => walk(each, `${path} ${each.name()}`.trim()));
  return walk(program, '');
}
