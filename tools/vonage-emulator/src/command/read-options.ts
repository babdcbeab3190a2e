/** Reads the options of the command: flags, environment and configuration file. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { configSchema, type EmulatorConfig } from '../config.ts';

/** The input of the command is wrong. The message is one line with the option and the fix. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Environment = Readonly<Record<string, string | undefined>>;

export interface CommandOptions {
  readonly isHelp: boolean;
  /** True when the emulator exits with its stdin. */
  readonly isFromStdin: boolean;
  readonly config: EmulatorConfig;
}

const MAX_PORT = 65_535;
const FLAGS = {
  config: { type: 'string' },
  host: { type: 'string' },
  port: { type: 'string' },
  clock: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

const toLine = (error: unknown): string => (error as Error).message.replaceAll(/\s+/g, ' ');

function readFlags(argv: readonly string[]): ReturnType<typeof parseArgs<{ options: typeof FLAGS }>>['values'] {
  try {
    return parseArgs({ args: [...argv], options: FLAGS }).values;
  } catch (error) {
    // Only the first sentence of Node is about the input.
    throw new UsageError(`${toLine(error).split('. ')[0]}. --help lists the options.`);
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const problem = isMissing ? 'does not exist' : `cannot be read (${toLine(error)})`;
    throw new UsageError(`The configuration file ${file} ${problem}. Correct --config or VONAGE_EMULATOR_CONFIG.`);
  }
}

function parseConfig(text: string, from: string): object {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`The configuration in ${from} is not JSON: ${toLine(error)}. Correct it.`);
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw new UsageError(`The configuration in ${from} must be a JSON object, for example {"port":4100}.`);
  return config;
}

/** A setting with the name of the flag or variable that it comes from. */
function* findSettings(flags: { host?: string; port?: string; clock?: string }, env: Environment) {
  for (const name of ['host', 'port', 'clock'] as const) {
    const variable = `VONAGE_EMULATOR_${name.toUpperCase()}`;
    if (flags[name] !== undefined) yield { name, from: `--${name}`, text: flags[name] };
    else if (env[variable] !== undefined) yield { name, from: variable, text: env[variable] };
  }
}

function readSetting({ name, from, text }: { name: 'host' | 'port' | 'clock'; from: string; text: string }) {
  if (name === 'port' && !(/^\d{1,5}$/.test(text) && Number(text) <= MAX_PORT))
    throw new UsageError(`${from} must be a whole number from 0 to ${MAX_PORT}, not "${text}".`);
  if (name === 'clock' && text !== 'real' && text !== 'virtual')
    throw new UsageError(`${from} must be real or virtual, not "${text}".`);
  return [name, name === 'port' ? Number(text) : text] as const;
}

/**
 * Reads the options. Flags override the environment, and both override the file.
 * @param readStdin reads the configuration for `--config -`
 * @throws UsageError for wrong input
 */
export async function readOptions(
  argv: readonly string[],
  env: Environment,
  readStdin: () => Promise<string>,
): Promise<CommandOptions> {
  const { config: file = env['VONAGE_EMULATOR_CONFIG'], help = false, ...flags } = readFlags(argv);
  if (help) return { isHelp: true, isFromStdin: false, config: configSchema.parse({}) };
  const isFromStdin = file === '-';
  const settings = [...findSettings(flags, env)].map(readSetting);
  const from = isFromStdin ? 'stdin' : (file ?? 'the options');
  const text = isFromStdin ? await readStdin() : file === undefined ? '{}' : readText(file);
  const config = configSchema.safeParse({ ...parseConfig(text, from), ...Object.fromEntries(settings) });
  if (config.success) return { isHelp: false, isFromStdin, config: config.data };
  const problems = config.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new UsageError(`The configuration in ${from} is invalid: ${problems.join('; ')}. Correct it.`);
}

/** The line for an error of the server's start, such as a taken port. */
export function describeStartError(error: unknown, { host, port }: { host: string; port: number }): string {
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    ? `Port ${port} of ${host} is in use. Stop the program that uses it, or select another with --port.`
    : `The emulator cannot listen on ${host}, port ${port} (${toLine(error)}). Correct --host or --port.`;
}
