/** Video sessions and their connections. Every change sends a monitoring callback (contract §6). */
import { sendVideoEvent } from '../webhooks/video-hook.ts';
import type { VideoConnection, VideoSession, World } from '../world.ts';
import type { SessionView, VideoConnectionView } from '../views.ts';

type LeaveReason = 'clientDisconnected' | 'forceDisconnected' | 'networkDisconnected';

/** Creates a session id for the SDK: field 1 of the decoded text is the key (contract §1). */
export function createSessionId(world: World, account: string): string {
  const text = `1~${account}~127.0.0.1~${world.clock.now()}~${world.newId()}~`;
  return `1_${Buffer.from(text).toString('base64').replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
}

export const listLiveConnections = (session: VideoSession): VideoConnection[] =>
  [...session.connections.values()].filter((connection) => connection.endedAt === undefined);

const buildConnectionBody = (connection: VideoConnection): object => ({
  id: connection.id,
  createdAt: connection.createdAt,
  data: connection.data,
});

const buildStreamBody = (connection: VideoConnection): object => ({
  id: connection.stream?.id,
  connection: buildConnectionBody(connection),
  createdAt: connection.stream?.createdAt,
  name: connection.stream?.name ?? '',
  // "absent for audio-only" (contract §6)
  ...(connection.kind === 'webrtc' ? { videoType: 'camera' } : {}),
});

/** Opens a connection, with a stream when `publish` is set. */
export function openConnection(
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
  if (world.config.behaviour.sessionLifecycleEvents && listLiveConnections(session).length === 0)
    sendVideoEvent(world, session, 'session-callback', 'sessionCreated', {});
  session.connections.set(connection.id, connection);
  sendVideoEvent(world, session, 'session-callback', 'connectionCreated', {
    connection: buildConnectionBody(connection),
  });
  if (input.publish) {
    connection.stream = {
      id: world.newId(),
      name: input.name ?? '',
      createdAt: now,
      muted: false,
      layoutClassList: [],
    };
    session.publishedAt ??= now;
    sendVideoEvent(world, session, 'session-callback', 'streamCreated', { stream: buildStreamBody(connection) });
  }
  world.changes.notify();
  return connection;
}

/** Closes a connection once. It does not end the connection's SIP call: use `disconnectSip`. */
export function closeConnection(
  world: World,
  session: VideoSession,
  connection: VideoConnection,
  reason: LeaveReason,
): boolean {
  if (connection.endedAt !== undefined) return false;
  connection.endedAt = world.clock.now();
  connection.endReason = reason;
  if (connection.stream !== undefined)
    sendVideoEvent(world, session, 'session-callback', 'streamDestroyed', {
      reason,
      stream: buildStreamBody(connection),
    });
  sendVideoEvent(world, session, 'session-callback', 'connectionDestroyed', {
    reason,
    connection: buildConnectionBody(connection),
  });
  if (world.config.behaviour.sessionLifecycleEvents && listLiveConnections(session).length === 0)
    sendVideoEvent(world, session, 'session-callback', 'sessionDestroyed', {});
  world.changes.notify();
  return true;
}

/** Returns a connection as the control API shows it. */
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
  connections: listLiveConnections(session).map(viewConnection),
});
