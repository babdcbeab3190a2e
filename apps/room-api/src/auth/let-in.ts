import type { Operation } from '@partyline/contracts/operation';
import { VerdictError } from '@partyline/domain/verdict';
import { authenticate } from '@partyline/store/keys/authenticate';
import type { ApiDeps } from '../deps.ts';
import type { Caller } from './caller.ts';
import { findOperator, isOperatorKey } from './operator-key.ts';

const HOW = 'Send the header Authorization: Bearer pl_<env>_<id>_<secret>.';

const REFUSALS = {
  'missing-key': ['The request has no API key.', HOW],
  'unknown-key': ['This API key is not known.', `Check that it is whole and was not revoked. ${HOW}`],
  'expired-key': ['This API key has expired.', 'Use a newer key.'],
} as const;

type Deps = Pick<ApiDeps, 'store' | 'operators' | 'keyEnv'>;

/**
 * Whose key the header has, when it may do what the operation needs. Throws 401 and 403. A key that does not exist costs the same look-up as one that
 * does, and an operator's key that does not exist the same comparisons.
 */
export async function letIn(deps: Deps, authorization: string | undefined, operation: Operation): Promise<Caller> {
  const [, key] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
  const who = await find(deps, key ?? '');
  if ('refused' in who) {
    const reason = key === undefined ? 'missing-key' : who.refused;
    const [message, fix] = REFUSALS[reason];
    throw new VerdictError('client', reason, message, { fix });
  }
  assertMay(who, operation);
  return who;
}

/** Whether the header would be let in now as well. Throws when that cannot be found out. */
export async function isLetIn(...given: Parameters<typeof letIn>): Promise<boolean> {
  try {
    await letIn(...given);
    return true;
  } catch (error) {
    if (error instanceof VerdictError) return false;
    throw error;
  }
}

async function find(
  deps: Deps,
  key: string,
): Promise<(Caller & { suspended: boolean }) | { refused: 'unknown-key' | 'expired-key' }> {
  if (isOperatorKey(key)) {
    const id = findOperator(deps.operators, key);
    return id === null ? { refused: 'unknown-key' } : { kind: 'operator', id, suspended: false };
  }
  const who = await authenticate(deps.store, key, deps.keyEnv);
  return 'refused' in who ? who : { kind: 'key', id: who.keyId, ...who };
}

/** Operators do what is theirs and nothing of a tenant's; a tenant's keys the other way round. */
function assertMay(who: Caller & { suspended: boolean }, { scope, whileSuspended }: Operation): void {
  if (who.kind === 'operator') {
    if (scope !== 'operator')
      throw new VerdictError(
        'client',
        'scope-missing',
        'An operator’s key belongs to no tenant, and may not do this.',
        { fix: 'Use a key of the tenant’s.' },
      );
    return;
  }
  if (!who.scopes.includes(scope) && (scope === 'operator' || !who.scopes.includes('admin'))) {
    throw new VerdictError('client', 'scope-missing', `This API key may not do this: it needs the scope ${scope}.`, {
      fix: 'Use a key that has it, or have one made.',
    });
  }
  if (who.suspended && whileSuspended !== true) {
    throw new VerdictError(
      'client',
      'tenant-suspended',
      'Your account is suspended: only its hang-ups, its usage and its audit log can be read.',
      { fix: 'Ask the operator why.' },
    );
  }
}
