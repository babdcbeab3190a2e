/** Control routes: browsers join and leave; the media of a SIP leg stops and resumes. */
import { z } from 'zod';
import { checkClientToken } from '../credentials/client-token.ts';
import { wallNow } from '../time/clock.ts';
import { openConnection, closeConnection, listLiveConnections, viewConnection } from '../video/sessions.ts';
import { setMediaFlowing } from '../video/sip-call.ts';
import { getCredentialTimeMs, type VideoConnection, type VideoSession, type World } from '../world.ts';
import { longPoll, ControlError, type ControlContext } from './long-poll.ts';

const joinBody = z.object({
  sessionId: z.string(),
  token: z.string(),
  publish: z.boolean().default(true),
  name: z.string().optional(),
});
const leaveQuery = z.looseObject({
  reason: z.enum(['clientDisconnected', 'networkDisconnected']).default('clientDisconnected'),
});

function findLiveConnection(
  world: World,
  params: unknown,
  kind: 'webrtc' | 'sip',
): { session: VideoSession; connection: VideoConnection } {
  const { id } = params as { id: string };
  for (const session of world.sessions.values()) {
    const connection = session.connections.get(id);
    if (connection?.kind === kind && connection.endedAt === undefined) return { session, connection };
  }
  throw new ControlError(404, `No live ${kind} connection has the id ${id}.`);
}

function joinSession(world: World, input: z.output<typeof joinBody>): VideoConnection {
  const session = world.sessions.get(input.sessionId);
  if (session === undefined) throw new ControlError(404, `No session has the id ${input.sessionId}.`);
  const verdict = checkClientToken(world.config, input.token, getCredentialTimeMs(world, wallNow()));
  if (!verdict.ok) throw new ControlError(403, `The token was rejected: ${verdict.reason}.`);
  const { token } = verdict;
  if (token.sessionId !== session.id || token.account !== session.account)
    throw new ControlError(403, 'The token was rejected: it is for another session.');
  const publish = input.publish && token.role !== 'subscriber';
  return openConnection(world, session, { kind: 'webrtc', data: token.data, publish, name: input.name });
}

/** Adds the control routes of browsers and SIP media. */
export function addVideoControlRoutes({ app, world }: ControlContext): void {
  app.post('/emulator/webrtc', (request) => viewConnection(joinSession(world(), joinBody.parse(request.body ?? {}))));
  app.get('/emulator/webrtc', () =>
    [...world().sessions.values()]
      .flatMap(listLiveConnections)
      .filter((one) => one.kind === 'webrtc')
      .map(viewConnection),
  );
  app.get('/emulator/webrtc/:id/await', (request) => {
    const { id } = request.params as { id: string };
    const connection = [...world().sessions.values()].flatMap((session) => session.connections.get(id) ?? [])[0];
    if (connection === undefined) throw new ControlError(404, `No connection has the id ${id}.`);
    return longPoll(world(), request, () =>
      connection.endedAt === undefined ? undefined : viewConnection(connection),
    );
  });
  app.delete('/emulator/webrtc/:id', (request, reply) => {
    const { session, connection } = findLiveConnection(world(), request.params, 'webrtc');
    closeConnection(world(), session, connection, leaveQuery.parse(request.query).reason);
    return reply.code(204).send();
  });
  app.put('/emulator/sip/:id/media', (request, reply) => {
    const { flowing } = z.object({ flowing: z.boolean() }).parse(request.body ?? {});
    const { session, connection } = findLiveConnection(world(), request.params, 'sip');
    setMediaFlowing(world(), session, connection, flowing);
    return reply.code(204).send();
  });
}
