import type { Partyline } from '@partyline/sdk';
import { PartylineError } from '@partyline/sdk/error';
import type { Settings } from '../settings.ts';
import { first } from '../command.ts';
import type { Found } from './finding.ts';

const LATE_S = 60;

/** What a question came to: an answer, or why there was none. */
type Asked<T> = { readonly answer: T } | { readonly error: PartylineError };
const asked = async <T>(question: Promise<T>): Promise<Asked<T>> =>
  question.then(
    (answer) => ({ answer }),
    (error: unknown) => {
      if (error instanceof PartylineError) return { error };
      throw error;
    },
  );

/** Is the key good and for what; are there numbers; does the provider answer; is anything up that should not be. */
export async function accountChecks(client: Partyline, { key }: Settings, found: Found): Promise<void> {
  if (!(await checkKey(client, key, found))) return;
  await checkNumbers(client, found);
  await checkProvider(client, found);
  await checkHangUps(client, found);
  await checkEndpoints(client, found);
}

/** Each scope by a question that it opens; those that write by a body that is refused once the key is let in, so nothing is made. */
const PROBES = (client: Partyline): readonly (readonly [string, () => Promise<unknown>])[] => [
  ['rooms:read', () => client.rooms.list({ limit: 1 }).page()],
  ['rooms:write', () => client.rooms.create({ name: '' })],
  ['calls:write', () => client.participants.dial('room_none', { phone: '' })],
  ['events:read', () => client.events.list({ limit: 1 }).page()],
  ['keys:write', () => client.keys.list({ limit: 1 }).page()],
];

async function checkKey(client: Partyline, key: string, found: Found): Promise<boolean> {
  if (!/^pl_[a-z]+_[A-Za-z0-9]+_[\w-]{43}$/.test(key))
    found({
      what: 'key',
      state: 'warn',
      says: 'The key does not look like one.',
      next: 'A key is pl_<env>_<id>_<secret>; check that it is whole.',
    });
  const scopes: string[] = [];
  for (const [scope, ask] of PROBES(client)) {
    const result = await asked(ask());
    if ('error' in result && result.error.status === 401) {
      found({
        what: 'key',
        state: 'fail',
        says: result.error.message,
        next: result.error.fix ?? 'Log in with another key.',
      });
      return false;
    }
    if ('error' in result && result.error.reason === 'no-answer') {
      found({ what: 'key', state: 'fail', says: result.error.message, next: 'Run doctor again.' });
      return false;
    }
    if ('answer' in result || result.error.status !== 403) scopes.push(scope);
    else if (result.error.reason === 'tenant-suspended')
      found({
        what: 'tenant',
        state: 'fail',
        says: result.error.message,
        next: result.error.fix ?? 'Ask the operator why.',
      });
  }
  if (scopes.length === 0)
    found({
      what: 'key',
      state: 'fail',
      says: 'The key is good and may do nothing that this looks at.',
      next: 'Have a key made with the scopes that you need.',
    });
  else found({ what: 'key', state: 'ok', says: `good, for ${scopes.join(', ')}` });
  return true;
}

/** A check that the key may not make says so, and is no fault. */
function notAllowed(what: string, { status, message, reason, fix }: PartylineError, found: Found): void {
  if (status === 403) found({ what, state: 'unknown', says: `This key may not look: ${message}` });
  else found({ what, state: 'fail', says: `${message} (${reason})`, ...(fix !== undefined && { next: fix }) });
}

async function checkNumbers(client: Partyline, found: Found): Promise<void> {
  const result = await asked(client.numbers.list());
  if ('error' in result) return notAllowed('numbers', result.error, found);
  const { numbers } = result.answer;
  if (numbers.length === 0)
    return found({
      what: 'numbers',
      state: 'fail',
      says: 'There is no number that callers could dial.',
      next: 'An operator must add one.',
    });
  return found({
    what: 'numbers',
    state: 'ok',
    says: numbers
      .map(({ number }) => number)
      .slice(0, 5)
      .join(', '),
  });
}

async function checkProvider(client: Partyline, found: Found): Promise<void> {
  const rooms = await asked(first(client.rooms.list({ state: 'active', limit: 1 }), 1));
  if ('error' in rooms) return notAllowed('provider', rooms.error, found);
  const [room] = rooms.answer;
  if (room === undefined)
    return found({
      what: 'provider',
      state: 'unknown',
      says: 'There is no room to ask it about; create one and run doctor again.',
    });
  const result = await asked(client.rooms.observe(room.id));
  if ('answer' in result)
    return found({
      what: 'provider',
      state: 'ok',
      says: `answers; ${result.answer.legs.length} connections of ${room.id} are known`,
    });
  const { status, reason } = result.error;
  if (status === 503)
    return found({
      what: 'provider',
      state: 'fail',
      says: `It cannot be asked: ${reason}.`,
      next: 'Check that dial-orchestrator runs and that Redis is up.',
    });
  return found({
    what: 'provider',
    state: 'fail',
    says: `It refuses or is silent: ${reason}.`,
    next: 'Check the vendor’s status page, and the account’s credentials and limits.',
  });
}

async function checkHangUps(client: Partyline, found: Found): Promise<void> {
  const result = await asked(first(client.hangUps.list({ state: 'unconfirmed', limit: 100 }), 1_000));
  if ('error' in result) return notAllowed('hang-ups', result.error, found);
  const late = result.answer.filter(({ owedAt }) => Date.now() - Date.parse(owedAt) > LATE_S * 1_000);
  if (late.length > 0)
    return found({
      what: 'hang-ups',
      state: 'fail',
      says: `${late.length} connections should have been down for more than ${LATE_S} s and are not seen closed: ${late
        .slice(0, 3)
        .map(({ legId }) => legId)
        .join(', ')}.`,
      next: 'docs/operators.md, When a hang-up is not confirmed: money is being spent.',
    });
  return found({
    what: 'hang-ups',
    state: 'ok',
    says:
      result.answer.length === 0
        ? 'everything that was owed one is confirmed down'
        : `${result.answer.length} under way`,
  });
}

async function checkEndpoints(client: Partyline, found: Found): Promise<void> {
  const result = await asked(client.endpoints.list());
  if ('error' in result) return notAllowed('endpoints', result.error, found);
  const { endpoints } = result.answer;
  const bad = endpoints.filter(
    ({ disabledReason, failures }) => failures > 0 || disabledReason === 'gone' || disabledReason === 'failing',
  );
  if (bad.length > 0)
    return found({
      what: 'endpoints',
      state: 'warn',
      says: `${bad.length} of ${endpoints.length} do not take what is sent: ${bad.map(({ url }) => url).join(', ')}.`,
      next: `partyline endpoints deliveries ${bad[0]!.id} says why.`,
    });
  return found({
    what: 'endpoints',
    state: 'ok',
    says: endpoints.length === 0 ? 'none; events are only to be read' : `${endpoints.length}, all well`,
  });
}
