/** Finds what a video path names, for the caller that may see it. */
import { videoAccount } from '../credentials/rest-auth.ts';
import { videoError } from '../http/answer.ts';
import type { Call } from '../http/rest.ts';
import { wallNow } from '../time/clock.ts';
import { credentialNow, type VideoConnection, type VideoSession, type World } from '../world.ts';

/** The caller's account, when it may act on the key in the path. */
export const accountOf = (world: World, call: Call): string =>
  videoAccount(world.config, call.headers, credentialNow(world, wallNow()), call.params.key);

/** The session in the path; 404 when the account has no such session. */
export function sessionOf(world: World, call: Call, id = call.params.session ?? ''): VideoSession {
  const account = accountOf(world, call);
  const session = world.sessions.get(id);
  if (session === undefined || session.account !== account) throw videoError(404, 'Session not found');
  return session;
}

/** The live connection in the path; 404 otherwise. */
export function connectionOf(world: World, call: Call): { session: VideoSession; connection: VideoConnection } {
  const session = sessionOf(world, call);
  const connection = session.connections.get(call.params.connection ?? '');
  if (connection === undefined || connection.endedAt !== undefined)
    throw videoError(404, 'Session or Connection not found');
  return { session, connection };
}
