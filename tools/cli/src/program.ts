import { SDK_VERSION } from '@partyline/sdk/version';
import { Argument, Command, CommanderError } from 'commander';
import { addCommand, addCommandGroup, pathOf, type ProgramContext } from './command.ts';
import { audit, keys, limits, numbers } from './commands/account.ts';
import { doctor } from './commands/doctor.ts';
import { emulator } from './commands/emulator.ts';
import { endpoints } from './commands/endpoints.ts';
import { login, logout, whoami } from './commands/login.ts';
import { numbers as operatorNumbers } from './commands/operator/numbers.ts';
import { audit as platformAudit, limits as platformLimits, rates } from './commands/operator/platform.ts';
import { tenants } from './commands/operator/tenants.ts';
import { calls, participants } from './commands/participants.ts';
import { pins } from './commands/pins.ts';
import { accounts } from './commands/provider-accounts.ts';
import { rooms } from './commands/rooms.ts';
import { hangUps, sessions } from './commands/sessions.ts';
import { events, streamToken, tail } from './commands/events.ts';
import { sipAccounts } from './commands/sip-accounts.ts';
import { usage } from './commands/usage.ts';
import { completionFor, SHELLS, type Shell } from './completion.ts';
import { CommandFailedError, EXIT } from './exit-codes.ts';
import { replaceRequests } from './error-text.ts';
import type { OperationId } from './fields.ts';
import type { Io } from './io.ts';

const HELP_FOOTER = `
Exit codes:
  0  success
  1  server or provider error, or doctor found a fault
  2  wrong usage or input
  3  key rejected, or a scope is missing
  4  not found, or in conflict with the current state
  5  no response: a change may have been made
  6  rate limit exceeded: try again later

Every command takes --json. Every command that changes something takes --idempotency-key <key>: repeated with the
same key within 24 hours, the change is made once. NO_COLOR=1 turns colours off.

PARTYLINE_URL, PARTYLINE_KEY and PARTYLINE_OPERATOR_KEY take precedence over the stored login. See docs/cli.md.`;

/** Builds the tree of all commands, which parsing, help and completion share. */
export function buildProgram(io: Io): ProgramContext & { readonly program: Command } {
  const context: ProgramContext = { io, commandByOperation: new Map(), specByCommand: new Map() };
  const program = new Command('partyline')
    .description('The command line of Partyline: rooms, calls, live events, the hang-up ledger.')
    .version(SDK_VERSION)
    .addHelpText('after', HELP_FOOTER);
  for (const spec of [login, logout, whoami]) addCommand(context, program, spec);
  addCommandGroup(context, program, 'rooms', 'Create, change and end rooms.', rooms);
  addCommandGroup(context, program, 'calls', 'Dial out and list connections.', calls);
  addCommandGroup(context, program, 'participants', 'List, mute and remove participants.', participants);
  addCommandGroup(context, program, 'pins', 'Manage the PINs of a room.', pins);
  addCommandGroup(context, program, 'sessions', 'List and end sessions, and print their timelines.', sessions);
  for (const spec of [tail, events, streamToken, hangUps]) addCommand(context, program, spec);
  addCommandGroup(context, program, 'endpoints', 'Manage endpoints that receive events.', endpoints);
  addCommandGroup(context, program, 'accounts', 'Manage your own provider accounts.', accounts);
  addCommandGroup(context, program, 'sip-accounts', 'Manage the logins of your SIP phones.', sipAccounts);
  addCommandGroup(context, program, 'usage', 'Print usage, prices and spend limits.', usage);
  addCommandGroup(context, program, 'keys', 'Manage API keys.', keys);
  for (const spec of [limits, numbers, audit, doctor, emulator]) addCommand(context, program, spec);
  const operator = addCommandGroup(context, program, 'operator', 'Operate the platform; needs an operator key.', [
    platformAudit,
  ]);
  addCommandGroup(context, operator, 'tenants', 'Create, change, suspend and delete tenants.', tenants);
  addCommandGroup(context, operator, 'numbers', 'Manage dial-in numbers.', operatorNumbers);
  addCommandGroup(context, operator, 'limits', 'Manage the default limits of tenants.', platformLimits);
  addCommandGroup(context, operator, 'rates', 'Manage the estimated prices per minute.', rates);
  program
    .command('completion')
    .description('Print a script that completes commands in your shell.')
    .addArgument(new Argument('<shell>').choices([...SHELLS]))
    .addHelpText('after', '\nExamples:\n  $ partyline completion bash')
    .action((shell: Shell) => io.out(completionFor(shell, program)));
  useCommandNames(program, context);
  return { ...context, program };
}

/** The descriptions of the API name requests, and all commands are known only now. */
function useCommandNames(command: Command, context: ProgramContext): void {
  const commandOf = (operation: OperationId): string | undefined => context.commandByOperation.get(operation);
  for (const option of command.options) option.description = replaceRequests(option.description, { commandOf });
  for (const child of command.commands) useCommandNames(child, context);
}

/** Runs one command line and returns its exit code. */
export async function run(io: Io, args: readonly string[]): Promise<number> {
  const { program } = buildProgram(io);
  const redirectOutput = (command: Command): void => {
    command
      .exitOverride()
      .configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr: (text) => io.err(text.trimEnd()) })
      .showHelpAfterError(
        `(run partyline ${command.name() === 'partyline' ? '' : `${pathOf(command)} `}--help for help)`,
      );
    for (const child of command.commands) redirectOutput(child);
  };
  redirectOutput(program);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof CommandFailedError) return error.exitCode;
    throw error;
  }
}
