import { ConfigError, readConfig, variablesOf } from '@partyline/runtime/config';
import { NUMBERS_FORMAT, parseNumbers, type LinkedNumber } from './service-environment.ts';

/** A real Vonage account, as the variables of README, "With a real Vonage account", describe it. */
export interface RealAccount {
  /** The variables of the account, for the services. */
  readonly environment: Record<string, string>;
  /** The URL at which Vonage reaches voice-webhooks. */
  readonly publicWebhookUrl: string;
  /** The numbers that are linked to the application. */
  readonly numbers: readonly LinkedNumber[];
}

/**
 * Reads the account from the environment.
 * @throws ConfigError that lists every missing or malformed variable
 */
export function readRealAccount(env: NodeJS.ProcessEnv): RealAccount {
  const problems: string[] = [];
  let publicWebhookUrl = '';
  try {
    publicWebhookUrl = readConfig(env, ['webhooks', 'provider']).webhooks.PUBLIC_WEBHOOK_URL;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  let numbers: LinkedNumber[] = [];
  if (env.PARTYLINE_NUMBERS)
    try {
      numbers = parseNumbers(env.PARTYLINE_NUMBERS);
    } catch (error) {
      problems.push(`PARTYLINE_NUMBERS: ${(error as Error).message}`);
    }
  else problems.push(`PARTYLINE_NUMBERS: is not set. ${NUMBERS_FORMAT}`);
  if (problems.length > 0) throw new ConfigError(problems);
  const given = variablesOf('provider').flatMap((name) => (env[name] ? [[name, env[name]]] : []));
  return { environment: Object.fromEntries(given) as Record<string, string>, publicWebhookUrl, numbers };
}
