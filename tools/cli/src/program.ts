import { SDK_VERSION } from '@partyline/sdk/version';
import { Argument, Command, CommanderError } from 'commander';
import { addGroup, addLeaf } from './command.ts';
import { audit, keys, limits, numbers } from './commands/account.ts';
import { doctor, FaultFound } from './commands/doctor.ts';
import { emulator } from './commands/emulator.ts';
import { endpoints } from './commands/endpoints.ts';
import { login, logout, whoami } from './commands/login.ts';
import { numbers as operatorNumbers } from './commands/operator/numbers.ts';
import { audit as auditOfAll, limits as platformLimits, rates } from './commands/operator/platform.ts';
import { tenants } from './commands/operator/tenants.ts';
import { calls, participants } from './commands/participants.ts';
import { pins } from './commands/pins.ts';
import { accounts } from './commands/provider-accounts.ts';
import { rooms } from './commands/rooms.ts';
import { hangUps, sessions } from './commands/sessions.ts';
import { tail } from './commands/tail.ts';
import { usage } from './commands/usage.ts';
import { completionFor, SHELLS, type Shell } from './completion.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import type { Io } from './io.ts';
import { describeError, errorAsJson } from './output.ts';

const ABOUT = `
Exit codes: 0 done; 1 our or the provider's fault, or doctor found one; 2 wrong usage or input; 3 the key is not taken or may not; 4 not found, or in conflict
with how things stand; 5 no answer, so it may have been done; 6 too many requests, try later.

Every command takes --json, and one that changes something --idempotency-key <key>: sent again under the same key within a day, it is done once.

PARTYLINE_URL, PARTYLINE_KEY and PARTYLINE_OPERATOR_KEY win over what login has stored. docs/cli.md has a page on all of it.`;

/** Every command, as one tree: what is run, what --help shows, and what the shells complete. */
export function buildProgram(io: Io): Command {
  const program = new Command('partyline')
    .description('Partyline from the command line: rooms, calls, live events, the hang-up ledger.')
    .version(SDK_VERSION)
    .addHelpText('after', ABOUT);
  for (const leaf of [login, logout, whoami]) addLeaf(io, program, leaf);
  addGroup(io, program, 'rooms', 'Create, look at and end rooms.', rooms);
  addGroup(io, program, 'calls', 'Ring people, and see connections.', calls);
  addGroup(io, program, 'participants', 'See who is there, mute them, send them out.', participants);
  addGroup(io, program, 'pins', 'PINs of people’s own, and new ones for a room.', pins);
  addGroup(io, program, 'sessions', 'Meetings, and what happened in them.', sessions);
  for (const leaf of [tail, hangUps]) addLeaf(io, program, leaf);
  addGroup(io, program, 'endpoints', 'Have events sent to you.', endpoints);
  addGroup(io, program, 'accounts', 'Your own accounts at the provider.', accounts);
  addGroup(io, program, 'usage', 'What was used, what it costs, and what is left.', usage);
  addGroup(io, program, 'keys', 'API keys.', keys);
  for (const leaf of [limits, numbers, audit, doctor, emulator]) addLeaf(io, program, leaf);
  const operator = addGroup(io, program, 'operator', 'For who runs the platform, with an operator’s key.', [
    auditOfAll,
  ]);
  addGroup(io, operator, 'tenants', 'Create, change, suspend and delete tenants.', tenants);
  addGroup(io, operator, 'numbers', 'The numbers that callers dial.', operatorNumbers);
  addGroup(io, operator, 'limits', 'What every tenant may use that has no limit of its own.', platformLimits);
  addGroup(io, operator, 'rates', 'What a minute is taken to cost.', rates);
  program
    .command('completion')
    .description('Print a script that completes commands in your shell.')
    .addArgument(new Argument('<shell>').choices([...SHELLS]))
    .addHelpText('after', '\nExamples:\n  $ partyline completion bash')
    .action((shell: Shell) => io.out(completionFor(shell, program)));
  return program;
}

/** Runs one command line, and gives its exit code. */
export async function run(io: Io, args: readonly string[]): Promise<number> {
  const program = buildProgram(io);
  const quiet = (command: Command): void => {
    command
      .exitOverride()
      .configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr: (text) => io.err(text.trimEnd()) })
      .showHelpAfterError(
        `(partyline ${command.name() === 'partyline' ? '' : `${pathOf(command)} `}--help shows how it is used)`,
      );
    for (const each of command.commands) quiet(each);
  };
  quiet(program);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof FaultFound) return error.exitCode;
    io.err(args.includes('--json') ? errorAsJson(error) : describeError(error));
    return exitCodeOf(error);
  }
}

const pathOf = (command: Command): string =>
  command.parent === null || command.parent.name() === 'partyline'
    ? command.name()
    : `${pathOf(command.parent)} ${command.name()}`;
