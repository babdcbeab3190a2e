/**
 * OpenTok and unified Video REST: the same paths with two authentication schemes (contract §1, §2).
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { checkClientToken } from '../credentials/client-token.ts';
import { noContent, ok, videoError } from '../http/answer.ts';
import { exceedsRateLimit } from '../http/limits.ts';
import { addRoute, type RestRequest, type RestRoute } from '../http/rest.ts';
import { wallNow } from '../time/clock.ts';
import { getCredentialTimeMs, type VideoConnection, type World } from '../world.ts';
import { findApplicationId } from '../voice/receive-call.ts';
import { authenticateAccount, findLiveConnection, findSession } from './lookup.ts';
import { closeConnection, listLiveConnections, createSessionId } from './sessions.ts';
import { dialSip, disconnectSip, parseSipUri, sendDigits } from './sip-call.ts';
import { createStreamRoutes } from './stream-routes.ts';
import { createArchiveRoutes } from './archive-routes.ts';

const createBody = z.looseObject({
  archiveMode: z.string().default('manual'),
  'p2p.preference': z.string().default('enabled'),
});

const dialBody = z.looseObject({
  sessionId: z.string().min(1),
  token: z.string().min(1),
  sip: z.looseObject({
    uri: z.string().refine((uri) => parseSipUri(uri) !== undefined, 'not a SIP URI'),
    from: z.string().optional(),
    headers: z.record(z.string(), z.coerce.string()).default({}),
    auth: z.object({ username: z.string(), password: z.string() }).optional(),
  }),
});

function createSession(world: World, request: RestRequest): ReturnType<RestRoute['handle']> {
  const account = authenticateAccount(world, request);
  const body = createBody.parse(request.body ?? {});
  // `p2p.preference` may be invalid ("routed", contract §0.11): only "enabled" is relayed.
  const routed = body['p2p.preference'] !== 'enabled';
  if (!routed && body.archiveMode === 'always') throw videoError(400, 'archiveMode always needs a routed session');
  const id = createSessionId(world, account);
  const now = world.clock.now();
  world.sessions.set(id, {
    id,
    account,
    routed,
    archiveMode: body.archiveMode,
    createdAt: now,
    connections: new Map(),
    callbackQueue: Promise.resolve(),
  });
  return ok([
    {
      session_id: id,
      project_id: account,
      partner_id: account,
      create_dt: new Date(now).toUTCString(),
      media_server_url: '',
    },
  ]);
}

function dialSession(world: World, request: RestRequest): ReturnType<RestRoute['handle']> {
  authenticateAccount(world, request);
  const body = dialBody.parse(request.body ?? {});
  const session = findSession(world, request, body.sessionId);
  if (!session.routed) throw videoError(409, 'Only routed sessions are allowed to initiate SIP calls');
  const verdict = checkClientToken(world.config, body.token, getCredentialTimeMs(world, wallNow()));
  if (!verdict.ok) throw videoError(403, `Invalid token: ${verdict.reason}`);
  if (verdict.token.sessionId !== session.id || verdict.token.account !== session.account)
    throw videoError(400, 'The token is for another session');
  const address = parseSipUri(body.sip.uri);
  const applicationId = address === undefined ? undefined : findApplicationId(world, address.user);
  if (
    world.config.limits.sipDialCounts &&
    applicationId !== undefined &&
    exceedsRateLimit(world, applicationId, 'calls')
  )
    throw videoError(429, 'Too Many Requests');
  const connection = dialSip(world, session, { ...body.sip, data: verdict.token.data });
  return ok({ id: connection.sip?.id, connectionId: connection.id, streamId: connection.stream?.id });
}

function forceDisconnect(world: World, request: RestRequest): ReturnType<RestRoute['handle']> {
  const { session, connection } = findLiveConnection(world, request);
  if (connection.sip === undefined) closeConnection(world, session, connection, 'forceDisconnected');
  else disconnectSip(world, session, connection);
  return noContent;
}

const pageQuery = z.looseObject({
  offset: z.coerce.number().int().min(0).default(0),
  count: z.coerce.number().int().min(1).max(1000).default(1000),
});

function getConnectionState({ endedAt, stream, sip }: VideoConnection): string {
  if (endedAt !== undefined) return 'Disconnected';
  return stream === undefined || (sip !== undefined && sip.state !== 'ACTIVE') ? 'Connecting' : 'Connected';
}

/**
 * Lists the connections of a session, oldest first. A list has no connection data (contract §1).
 */
function listConnections(world: World, request: RestRequest): ReturnType<RestRoute['handle']> {
  const session = findSession(world, request);
  const { offset, count } = pageQuery.parse(request.query);
  const { listOmitsConnections, connectionStates, listCount } = world.faults.current().switches;
  const isFull = connectionStates === 'all';
  const listed = [...session.connections.values()].filter(
    ({ endedAt }) => (endedAt === undefined && !listOmitsConnections) || (endedAt !== undefined && isFull),
  );
  const items = listed.slice(offset, offset + count).map((one) => ({
    connectionId: one.id,
    connectionState: isFull ? getConnectionState(one) : 'Connected',
    createdAt: one.createdAt,
  }));
  return ok({
    count: { total: listed.length, page: items.length, zero: 0 }[listCount],
    projectId: session.account,
    sessionId: session.id,
    items,
  });
}

/** Returns 413 over 128 bytes of type or 8 kB of data (contract §1). */
function sendSignal(world: World, request: RestRequest): ReturnType<RestRoute['handle']> {
  if (request.params.connection === undefined) findSession(world, request);
  else findLiveConnection(world, request);
  const body = z.looseObject({ type: z.string().default(''), data: z.unknown() }).parse(request.body ?? {});
  const data = typeof body.data === 'string' ? body.data : JSON.stringify(body.data ?? '');
  if (Buffer.byteLength(body.type) > 128 || Buffer.byteLength(data) > 8192) throw videoError(413, 'Payload too large');
  return noContent;
}

function playDtmf(world: World, request: RestRequest): ReturnType<RestRoute['handle']> {
  const { digits } = z.looseObject({ digits: z.string().regex(/^[0-9*#pP]+$/) }).parse(request.body ?? {});
  const targets =
    request.params.connection === undefined
      ? listLiveConnections(findSession(world, request))
      : [findLiveConnection(world, request).connection];
  for (const connection of targets) sendDigits(world, connection, digits);
  return ok({});
}

/** Adds all video routes. */
export function addVideoRoutes(app: FastifyInstance, world: () => World): void {
  const under = '/v2/project/:key/session/:session';
  const routes: RestRoute[] = [
    {
      method: 'POST',
      path: '/session/create',
      kind: 'create-session',
      handle: (request) => createSession(world(), request),
    },
    { method: 'POST', path: '/v2/project/:key/dial', kind: 'dial', handle: (request) => dialSession(world(), request) },
    {
      method: 'DELETE',
      path: `${under}/connection/:connection`,
      kind: 'disconnect',
      handle: (request) => forceDisconnect(world(), request),
    },
    {
      method: 'GET',
      path: `${under}/connection`,
      kind: 'list-connections',
      handle: (request) => listConnections(world(), request),
    },
    { method: 'POST', path: `${under}/play-dtmf`, kind: 'play-dtmf', handle: (request) => playDtmf(world(), request) },
    {
      method: 'POST',
      path: `${under}/connection/:connection/play-dtmf`,
      kind: 'play-dtmf',
      handle: (request) => playDtmf(world(), request),
    },
    { method: 'POST', path: `${under}/signal`, kind: 'signal', handle: (request) => sendSignal(world(), request) },
    {
      method: 'POST',
      path: `${under}/connection/:connection/signal`,
      kind: 'signal',
      handle: (request) => sendSignal(world(), request),
    },
    ...createStreamRoutes(world),
    ...createArchiveRoutes(world),
  ];
  for (const route of routes) addRoute(app, world, route);
}
