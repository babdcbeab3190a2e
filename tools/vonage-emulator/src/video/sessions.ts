/** Video sessions and who is connected to them. Every change is told to the monitoring callbacks (contract §6). */
import { notifyVideo } from '../webhooks/video-hook.ts';
import type { VideoConnection, VideoSession, World } from '../world.ts';
import type { SessionView, VideoConnectionView } from '../views.ts';

type LeaveReason = 'clientDisconnected' | 'forceDisconnected' | 'networkDisconnected';

/** A session id as the SDK decodes it: field 1 of the tilde-separated text is the project key (contract §1). */
export function newSessionId(world: World, account: string): string {
  const text = `1~${account}~127.0.0.1~${world.clock.now()}~${world.newId()}~`;
  return `1_${Buffer.from(text).toString('base64').replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
}

/** The connections that are still there. */
export const liveConnections = (session: VideoSession): VideoConnection[] =>
  [...session.connections.values()].filter((connection) => connection.endedAt === undefined);

const connectionBody = (connection: VideoConnection): object => ({
  id: connection.id,
  createdAt: connection.createdAt,
  data: connection.data,
});

const streamBody = (connection: VideoConnection): object => ({
  id: connection.stream?.id,
  connection: connectionBody(connection),
  createdAt: connection.stream?.createdAt,
  name: connection.stream?.name ?? '',
  // "absent for audio-only" (contract §6)
  ...(connection.kind === 'webrtc' ? { videoType: 'camera' } : {}),
});

/** Connects, and publishes a stream when asked to. */
export function connect(
  world: World,
  session: VideoSession,
  input: { kind: 'webrtc' | 'sip'; data: string; publish: boolean; name?: string },
): VideoConnection {
  const now = world.clock.now();
  const connection: VideoConnection = {
    id: world.newId(),
    kind: input.kind,
    sessionId: session.id,
    data: input.data,
    createdAt: now,
  };
  if (world.config.behaviour.sessionLifecycleEvents && liveConnections(session).length === 0)
    notifyVideo(world, session, 'session-callback', 'sessionCreated', {});
  session.connections.set(connection.id, connection);
  notifyVideo(world, session, 'session-callback', 'connectionCreated', { connection: connectionBody(connection) });
  if (input.publish) {
    connection.stream = {
      id: world.newId(),
      name: input.name ?? '',
      createdAt: now,
      muted: false,
      layoutClassList: [],
    };
    session.publishedAt ??= now;
    notifyVideo(world, session, 'session-callback', 'streamCreated', { stream: streamBody(connection) });
  }
  world.board.changed();
  return connection;
}

/** Ends a connection once. What hangs on it (a SIP call) is the caller's to end. */
export function disconnect(
  world: World,
  session: VideoSession,
  connection: VideoConnection,
  reason: LeaveReason,
): boolean {
  if (connection.endedAt !== undefined) return false;
  connection.endedAt = world.clock.now();
  connection.endReason = reason;
  if (connection.stream !== undefined)
    notifyVideo(world, session, 'session-callback', 'streamDestroyed', { reason, stream: streamBody(connection) });
  notifyVideo(world, session, 'session-callback', 'connectionDestroyed', {
    reason,
    connection: connectionBody(connection),
  });
  if (world.config.behaviour.sessionLifecycleEvents && liveConnections(session).length === 0)
    notifyVideo(world, session, 'session-callback', 'sessionDestroyed', {});
  world.board.changed();
  return true;
}

/** A connection as the control API shows it. */
export function viewConnection(connection: VideoConnection): VideoConnectionView {
  const { sip, stream } = connection;
  return {
    connectionId: connection.id,
    streamId: stream?.id,
    kind: connection.kind,
    sessionId: connection.sessionId,
    data: connection.data,
    createdAt: connection.createdAt,
    endedAt: connection.endedAt,
    endReason: connection.endReason,
    muted: stream?.muted ?? false,
    ...(sip === undefined
      ? {}
      : { sipCall: { id: sip.id, state: sip.state, callId: sip.leg?.uuid, to: sip.to, headers: sip.headers } }),
  };
}

export const viewSession = (session: VideoSession): SessionView => ({
  sessionId: session.id,
  account: session.account,
  routed: session.routed,
  createdAt: session.createdAt,
  connections: liveConnections(session).map(viewConnection),
});
