import type { Operation } from '@partyline/contracts/operation';
import { VerdictError } from '@partyline/domain/verdict';
import { authenticate, authenticateForKey } from '@partyline/store/keys/authenticate';
import type { ApiDeps } from '../deps.ts';
import type { Caller } from './caller.ts';
import { findOperator, isOperatorKey } from './operator-key.ts';
import { isStreamToken, readStreamToken } from './stream-token.ts';

const SEND_KEY = 'Send the header Authorization: Bearer pl_<env>_<id>_<secret>.';

const MESSAGES = {
  'missing-key': ['The request has no API key.', SEND_KEY],
  'unknown-key': ['This API key is unknown or revoked.', `Check that the key is complete. ${SEND_KEY}`],
  'expired-key': ['This API key has expired.', 'Use a newer key.'],
} as const;
const NEW_TOKEN = 'Create one with POST /v1/events/stream-tokens, and use it only for GET /v1/events.';
const TOKEN_MESSAGES = {
  'unknown-key': ['This stream token is not valid here, or its API key was revoked.', NEW_TOKEN],
  'expired-key': ['This stream token, or its API key, has expired.', NEW_TOKEN],
} as const;

type Deps = Pick<ApiDeps, 'store' | 'operators' | 'keyEnv' | 'requests' | 'clock'>;

/**
 * Authenticates the key in the header and checks that it may call the operation. Throws 401 and
 * 403. Unknown keys cost the same look-ups and comparisons as known ones.
 * @param isOpen a stream that was opened with the key: it outlives its stream token, not its key
 */
export async function authenticateRequest(
  deps: Deps,
  authorization: string | undefined,
  operation: Operation,
  isOpen = false,
): Promise<Caller> {
  const [, key] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
  const caller =
    operation.streamToken === true && isStreamToken(key ?? '')
      ? await findStreamCaller(deps, key ?? '', isOpen)
      : await findCaller(deps, key ?? '');
  if ('rejected' in caller) {
    const reason = key === undefined ? 'missing-key' : caller.rejected;
    const [message, fix] =
      reason !== 'missing-key' && isStreamToken(key ?? '') ? TOKEN_MESSAGES[reason] : MESSAGES[reason];
    throw new VerdictError('client', reason, message, { fix });
  }
  assertAuthorized(caller, operation);
  return caller;
}

/** Whether `authenticateRequest` would still succeed. Throws if that cannot be determined. */
export async function isAuthenticated(...given: Parameters<typeof authenticateRequest>): Promise<boolean> {
  try {
    await authenticateRequest(...given);
    return true;
  } catch (error) {
    if (error instanceof VerdictError) return false;
    throw error;
  }
}

async function findCaller(
  deps: Deps,
  key: string,
): Promise<(Caller & { suspended: boolean }) | { rejected: 'unknown-key' | 'expired-key' }> {
  if (isOperatorKey(key)) {
    const found = findOperator(deps.operators, key, deps.clock.now());
    return 'rejected' in found ? found : { kind: 'operator', id: found.id, suspended: false };
  }
  const found = await authenticate(deps.store, key, deps.keyEnv);
  return 'rejected' in found ? found : { kind: 'key', id: found.keyId, stream: null, ...found };
}

/** A stream token counts as its key, with the one scope that it needs. */
async function findStreamCaller(
  deps: Deps,
  token: string,
  isOpen: boolean,
): Promise<(Caller & { suspended: boolean }) | { rejected: 'unknown-key' | 'expired-key' }> {
  const stream = readStreamToken(deps.requests, token);
  if (stream === null) return { rejected: 'unknown-key' };
  const { tenantId, keyId } = stream;
  const expiresAt = isOpen ? null : new Date(stream.expiresAt);
  const found = await authenticateForKey(deps.store, { tenantId, keyId, env: deps.keyEnv, expiresAt });
  if ('rejected' in found) return found;
  const scopes = found.scopes.filter((scope) => scope === 'events:read' || scope === 'admin');
  return { ...found, kind: 'key', id: keyId, stream, scopes: scopes.length > 0 ? ['events:read'] : [] };
}

/** An operator calls only operator operations, a tenant only its own. */
function assertAuthorized(caller: Caller & { suspended: boolean }, { scope, whileSuspended }: Operation): void {
  if (caller.kind === 'operator') {
    if (scope !== 'operator')
      throw new VerdictError('client', 'scope-missing', 'Operator keys cannot call operations of tenants.', {
        fix: 'Use an API key of the tenant.',
      });
    return;
  }
  if (!caller.scopes.includes(scope) && (scope === 'operator' || !caller.scopes.includes('admin'))) {
    throw new VerdictError('client', 'scope-missing', `This API key needs the scope ${scope}.`, {
      fix: 'Use a key that has the scope, or create one.',
    });
  }
  if (caller.suspended && whileSuspended !== true) {
    throw new VerdictError(
      'client',
      'tenant-suspended',
      'Your account is suspended. You can read only its hang-ups, its usage and its audit log.',
      { fix: 'Contact the operator.' },
    );
  }
}
