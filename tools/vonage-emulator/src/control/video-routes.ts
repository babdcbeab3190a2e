/** Browsers join and leave; the media of a SIP leg stops and flows. */
import { z } from 'zod';
import { checkClientToken } from '../credentials/client-token.ts';
import { wallNow } from '../time/clock.ts';
import { connect, disconnect, liveConnections, viewConnection } from '../video/sessions.ts';
import { setMedia } from '../video/sip-call.ts';
import { credentialNow, type VideoConnection, type VideoSession, type World } from '../world.ts';
import { awaited, Refused, type Control } from './await.ts';

const joinBody = z.object({
  sessionId: z.string(),
  token: z.string(),
  publish: z.boolean().default(true),
  name: z.string().optional(),
});
const leaveQuery = z.looseObject({
  reason: z.enum(['clientDisconnected', 'networkDisconnected']).default('clientDisconnected'),
});

function liveConnection(
  world: World,
  params: unknown,
  kind: 'webrtc' | 'sip',
): { session: VideoSession; connection: VideoConnection } {
  const { id } = params as { id: string };
  for (const session of world.sessions.values()) {
    const connection = session.connections.get(id);
    if (connection?.kind === kind && connection.endedAt === undefined) return { session, connection };
  }
  throw new Refused(404, `no live ${kind} connection ${id}`);
}

function join(world: World, input: z.output<typeof joinBody>): VideoConnection {
  const session = world.sessions.get(input.sessionId);
  if (session === undefined) throw new Refused(404, 'no such session');
  const verdict = checkClientToken(world.config, input.token, credentialNow(world, wallNow()));
  if (!verdict.ok) throw new Refused(403, `token refused: ${verdict.why}`);
  const { token } = verdict;
  if (token.sessionId !== session.id || token.account !== session.account)
    throw new Refused(403, 'token refused: it is for another session');
  const publish = input.publish && token.role !== 'subscriber';
  return connect(world, session, { kind: 'webrtc', data: token.data, publish, name: input.name });
}

/** Adds the routes of browsers and SIP media. */
export function addVideoControl({ app, world }: Control): void {
  app.post('/emulator/webrtc', (request) => viewConnection(join(world(), joinBody.parse(request.body ?? {}))));
  app.get('/emulator/webrtc', () =>
    [...world().sessions.values()]
      .flatMap(liveConnections)
      .filter((one) => one.kind === 'webrtc')
      .map(viewConnection),
  );
  app.get('/emulator/webrtc/:id/await', (request) => {
    const { id } = request.params as { id: string };
    const connection = [...world().sessions.values()].flatMap((session) => session.connections.get(id) ?? [])[0];
    if (connection === undefined) throw new Refused(404, `no connection ${id}`);
    return awaited(world(), request, () => (connection.endedAt === undefined ? undefined : viewConnection(connection)));
  });
  app.delete('/emulator/webrtc/:id', (request, reply) => {
    const { session, connection } = liveConnection(world(), request.params, 'webrtc');
    disconnect(world(), session, connection, leaveQuery.parse(request.query).reason);
    return reply.code(204).send();
  });
  app.put('/emulator/sip/:id/media', (request, reply) => {
    const { flowing } = z.object({ flowing: z.boolean() }).parse(request.body ?? {});
    const { session, connection } = liveConnection(world(), request.params, 'sip');
    setMedia(world(), session, connection, flowing);
    return reply.code(204).send();
  });
}
