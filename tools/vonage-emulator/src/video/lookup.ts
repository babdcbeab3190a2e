/** Authenticates video requests and finds the objects that their paths name. */
import { authenticateVideoRequest } from '../credentials/rest-auth.ts';
import { videoError } from '../http/answer.ts';
import type { RestRequest } from '../http/rest.ts';
import { wallNow } from '../time/clock.ts';
import { getCredentialTimeMs, type VideoConnection, type VideoSession, type World } from '../world.ts';

/**
 * Returns the project key or application id that may use the key in the path. Throws 401 or 403.
 */
export const authenticateAccount = (world: World, request: RestRequest): string =>
  authenticateVideoRequest(world.config, request.headers, getCredentialTimeMs(world, wallNow()), request.params.key);

/** Returns the session in the path. Throws 404 when the account has no such session. */
export function findSession(world: World, request: RestRequest, id = request.params.session ?? ''): VideoSession {
  const account = authenticateAccount(world, request);
  const session = world.sessions.get(id);
  if (session === undefined || session.account !== account) throw videoError(404, 'Session not found');
  return session;
}

/** Returns the live connection in the path. Throws 404 otherwise. */
export function findLiveConnection(
  world: World,
  request: RestRequest,
): { session: VideoSession; connection: VideoConnection } {
  const session = findSession(world, request);
  const connection = session.connections.get(request.params.connection ?? '');
  if (connection === undefined || connection.endedAt !== undefined)
    throw videoError(404, 'Session or Connection not found');
  return { session, connection };
}
