import type { Partyline } from '@partyline/sdk';
import { PartylineError } from '@partyline/sdk/error';
import type { Settings } from '../settings.ts';
import { takeFirst, type CommandContext } from '../command.ts';
import type { DescribedError } from '../error-text.ts';
import type { Finding, ReportFinding } from './finding.ts';

const MAX_UNCONFIRMED_SECONDS = 60;
const MAX_HANG_UPS_READ = 1_000;
const MAX_IDS_SHOWN = 3;
const MAX_NUMBERS_SHOWN = 5;

type Result<T> = { readonly value: T } | { readonly error: PartylineError };
const toResult = async <T>(request: Promise<T>): Promise<Result<T>> =>
  request.then(
    (value) => ({ value }),
    (error: unknown) => {
      if (error instanceof PartylineError) return { error };
      throw error;
    },
  );

export interface CheckDeps {
  readonly client: Partyline;
  readonly describe: CommandContext['describe'];
  readonly report: ReportFinding;
}

/** Checks the key and its scopes, the numbers, the provider, the hang-ups and the endpoints. */
export async function checkAccount(deps: CheckDeps, { key }: Settings): Promise<void> {
  if (!(await checkKey(deps, key))) return;
  await checkNumbers(deps);
  await checkProvider(deps);
  await checkHangUps(deps);
  await checkEndpoints(deps);
}

/** One request per scope. Write scopes get an invalid body, so that nothing is created. */
const scopeProbes = (client: Partyline): readonly (readonly [scope: string, probe: () => Promise<unknown>])[] => [
  ['rooms:read', () => client.rooms.list({ limit: 1 }).page()],
  ['rooms:write', () => client.rooms.create({ name: '' })],
  ['calls:write', () => client.participants.dial('room_none', { phone: '' })],
  ['callers:read', () => client.sessions.callers('ses_none')],
  ['events:read', () => client.events.list({ limit: 1 }).page()],
  ['keys:write', () => client.keys.list({ limit: 1 }).page()],
  ['admin', () => client.account.audit({ limit: 1 }).page()],
];

/** Returns false when the key is not valid and the other checks cannot be made. */
async function checkKey({ client, describe, report }: CheckDeps, key: string): Promise<boolean> {
  if (!/^pl_[a-z]+_[A-Za-z0-9]+_[\w-]{43}$/.test(key))
    report({
      check: 'key',
      state: 'warn',
      message: 'The key does not have the form of an API key.',
      fix: 'Check that the key is complete: pl_<env>_<id>_<secret>.',
    });
  const scopes: string[] = [];
  for (const [scope, probe] of scopeProbes(client)) {
    const result = await toResult(probe());
    if ('error' in result && (result.error.status === 401 || result.error.reason === 'no-answer')) {
      report({ check: 'key', ...toFault(describe(result.error)) });
      return false;
    }
    if ('value' in result || result.error.status !== 403) scopes.push(scope);
    else if (result.error.reason === 'tenant-suspended')
      report({ check: 'tenant', ...toFault(describe(result.error)) });
  }
  if (scopes.length === 0)
    report({
      check: 'key',
      state: 'fail',
      message: 'The key is valid, but has none of the scopes that doctor checks.',
      fix: 'Create a key with the scopes that you need.',
    });
  else report({ check: 'key', state: 'ok', message: `valid for ${scopes.join(', ')}` });
  return true;
}

const toFault = ({ message, fix }: DescribedError): Pick<Finding, 'state' | 'message' | 'fix'> => ({
  state: 'fail',
  message,
  ...(fix !== undefined && { fix }),
});

/** A missing scope makes a check `unknown`; any other error fails it. */
function reportError(check: string, error: PartylineError, { describe, report }: CheckDeps): void {
  const described = describe(error);
  if (error.status === 403)
    report({ check, state: 'unknown', message: `The key lacks the scope for this check: ${described.message}` });
  else report({ check, ...toFault({ ...described, message: `${described.message} (${error.reason})` }) });
}

async function checkNumbers(deps: CheckDeps): Promise<void> {
  const { client, report } = deps;
  const result = await toResult(client.numbers.list());
  if ('error' in result) return reportError('numbers', result.error, deps);
  const { numbers } = result.value;
  if (numbers.length === 0)
    return report({
      check: 'numbers',
      state: 'fail',
      message: 'The tenant has no dial-in number.',
      fix: 'Ask the operator to add one.',
    });
  return report({
    check: 'numbers',
    state: 'ok',
    message: numbers
      .map(({ number }) => number)
      .slice(0, MAX_NUMBERS_SHOWN)
      .join(', '),
  });
}

async function checkProvider(deps: CheckDeps): Promise<void> {
  const { client, report } = deps;
  const rooms = await toResult(takeFirst(client.rooms.list({ state: 'active', limit: 1 }), 1));
  if ('error' in rooms) return reportError('provider', rooms.error, deps);
  const [room] = rooms.value;
  if (room === undefined)
    return report({
      check: 'provider',
      state: 'unknown',
      message: 'The tenant has no active room to look up. Create one and run doctor again.',
    });
  const result = await toResult(client.rooms.observe(room.id));
  if ('value' in result)
    return report({
      check: 'provider',
      state: 'ok',
      message: `responds; live connections of ${room.id}: ${result.value.legs.length}`,
    });
  const { status, reason } = result.error;
  if (status === 503)
    return report({
      check: 'provider',
      state: 'fail',
      message: `The provider cannot be reached: ${reason}.`,
      fix: 'Check that dial-orchestrator and Redis run.',
    });
  return report({
    check: 'provider',
    state: 'fail',
    message: `The provider rejects the request or does not respond: ${reason}.`,
    fix: "Check the provider's status page, and the credentials and limits of the account.",
  });
}

async function checkHangUps(deps: CheckDeps): Promise<void> {
  const { client, report } = deps;
  const result = await toResult(
    takeFirst(client.hangUps.list({ state: 'unconfirmed', limit: 100 }), MAX_HANG_UPS_READ),
  );
  if ('error' in result) return reportError('hang-ups', result.error, deps);
  const late = result.value.filter(
    ({ requestedAt }) => Date.now() - Date.parse(requestedAt) > MAX_UNCONFIRMED_SECONDS * 1_000,
  );
  if (late.length > 0) {
    const ids = late.slice(0, MAX_IDS_SHOWN).map(({ legId }) => legId);
    return report({
      check: 'hang-ups',
      state: 'fail',
      message: `Hang-ups unconfirmed after ${MAX_UNCONFIRMED_SECONDS} s: ${late.length}, such as ${ids.join(', ')}.`,
      fix: 'The connections may still cost money: see "When a hang-up is not confirmed" in docs/operators.md.',
    });
  }
  return report({
    check: 'hang-ups',
    state: 'ok',
    message: result.value.length === 0 ? 'all are confirmed' : `${result.value.length} in progress`,
  });
}

async function checkEndpoints(deps: CheckDeps): Promise<void> {
  const { client, report } = deps;
  const result = await toResult(client.endpoints.list());
  if ('error' in result) return reportError('endpoints', result.error, deps);
  const { endpoints } = result.value;
  const failing = endpoints.filter(
    ({ disabledReason, failures }) => failures > 0 || disabledReason === 'gone' || disabledReason === 'failing',
  );
  if (failing.length > 0)
    return report({
      check: 'endpoints',
      state: 'warn',
      message:
        `${failing.length} of ${endpoints.length} endpoints reject deliveries: ` +
        `${failing.map(({ url }) => url).join(', ')}.`,
      fix: `Run partyline endpoints deliveries ${failing[0]!.id} to see the errors.`,
    });
  return report({
    check: 'endpoints',
    state: 'ok',
    message: endpoints.length === 0 ? 'none' : `${endpoints.length} without failures`,
  });
}
