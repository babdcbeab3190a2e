/** OpenTok and unified Video REST: one set of paths, two ways to authenticate (contract §1, §2). */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { checkClientToken } from '../credentials/client-token.ts';
import { noContent, ok, videoError } from '../http/answer.ts';
import { overLimit } from '../http/limits.ts';
import { addRoute, type Call, type Route } from '../http/rest.ts';
import { wallNow } from '../time/clock.ts';
import { credentialNow, type World } from '../world.ts';
import { applicationOf } from '../voice/receive-call.ts';
import { accountOf, connectionOf, sessionOf } from './lookup.ts';
import { disconnect, liveConnections, newSessionId } from './sessions.ts';
import { dialSip, disconnectSip, parseSipUri, sendDigits } from './sip-call.ts';
import { streamRoutes } from './stream-routes.ts';
import { archiveRoutes } from './archive-routes.ts';

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

function createSession(world: World, call: Call): ReturnType<Route['handle']> {
  const account = accountOf(world, call);
  const body = createBody.parse(call.body ?? {});
  // `p2p.preference` may be garbage ("routed", contract §0.11): only "enabled" is relayed.
  const routed = body['p2p.preference'] !== 'enabled';
  if (!routed && body.archiveMode === 'always') throw videoError(400, 'archiveMode always needs a routed session');
  const id = newSessionId(world, account);
  const now = world.clock.now();
  world.sessions.set(id, {
    id,
    account,
    routed,
    archiveMode: body.archiveMode,
    createdAt: now,
    connections: new Map(),
    callbackChain: Promise.resolve(),
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

function dial(world: World, call: Call): ReturnType<Route['handle']> {
  accountOf(world, call);
  const body = dialBody.parse(call.body ?? {});
  const session = sessionOf(world, call, body.sessionId);
  if (!session.routed) throw videoError(409, 'Only routed sessions are allowed to initiate SIP calls');
  const verdict = checkClientToken(world.config, body.token, credentialNow(world, wallNow()));
  if (!verdict.ok) throw videoError(403, `Invalid token: ${verdict.why}`);
  if (verdict.token.sessionId !== session.id || verdict.token.account !== session.account)
    throw videoError(400, 'The token is for another session');
  const address = parseSipUri(body.sip.uri);
  const rung = address === undefined ? undefined : applicationOf(world, address.user);
  if (world.config.limits.sipDialCounts && rung !== undefined && overLimit(world, rung, 'calls'))
    throw videoError(429, 'Too Many Requests');
  const connection = dialSip(world, session, { ...body.sip, data: verdict.token.data });
  return ok({ id: connection.sip?.id, connectionId: connection.id, streamId: connection.stream?.id });
}

function forceDisconnect(world: World, call: Call): ReturnType<Route['handle']> {
  const { session, connection } = connectionOf(world, call);
  if (connection.sip === undefined) disconnect(world, session, connection, 'forceDisconnected');
  else disconnectSip(world, session, connection);
  return noContent;
}

/** 413 over 128 bytes of type or 8 kB of data (contract §1). */
function signal(world: World, call: Call): ReturnType<Route['handle']> {
  if (call.params.connection === undefined) sessionOf(world, call);
  else connectionOf(world, call);
  const body = z.looseObject({ type: z.string().default(''), data: z.unknown() }).parse(call.body ?? {});
  const data = typeof body.data === 'string' ? body.data : JSON.stringify(body.data ?? '');
  if (Buffer.byteLength(body.type) > 128 || Buffer.byteLength(data) > 8192) throw videoError(413, 'Payload too large');
  return noContent;
}

function playDtmf(world: World, call: Call): ReturnType<Route['handle']> {
  const { digits } = z.looseObject({ digits: z.string().regex(/^[0-9*#pP]+$/) }).parse(call.body ?? {});
  const targets =
    call.params.connection === undefined
      ? liveConnections(sessionOf(world, call))
      : [connectionOf(world, call).connection];
  for (const connection of targets) sendDigits(world, connection, digits);
  return ok({});
}

/** Adds every video route. */
export function addVideoRoutes(app: FastifyInstance, world: () => World): void {
  const under = '/v2/project/:key/session/:session';
  const routes: Route[] = [
    { method: 'POST', path: '/session/create', kind: 'create-session', handle: (call) => createSession(world(), call) },
    { method: 'POST', path: '/v2/project/:key/dial', kind: 'dial', handle: (call) => dial(world(), call) },
    {
      method: 'DELETE',
      path: `${under}/connection/:connection`,
      kind: 'disconnect',
      handle: (call) => forceDisconnect(world(), call),
    },
    {
      method: 'GET',
      path: `${under}/connection`,
      kind: 'list-connections',
      handle: (call) => {
        const session = sessionOf(world(), call);
        const listed = world().faults.current().switches.listOmitsConnections ? [] : liveConnections(session);
        const items = listed.map((one) => ({
          connectionId: one.id,
          connectionState: 'Connected',
          createdAt: one.createdAt,
          data: one.data,
        }));
        return ok({ count: items.length, projectId: session.account, sessionId: session.id, items });
      },
    },
    { method: 'POST', path: `${under}/play-dtmf`, kind: 'play-dtmf', handle: (call) => playDtmf(world(), call) },
    {
      method: 'POST',
      path: `${under}/connection/:connection/play-dtmf`,
      kind: 'play-dtmf',
      handle: (call) => playDtmf(world(), call),
    },
    { method: 'POST', path: `${under}/signal`, kind: 'signal', handle: (call) => signal(world(), call) },
    {
      method: 'POST',
      path: `${under}/connection/:connection/signal`,
      kind: 'signal',
      handle: (call) => signal(world(), call),
    },
    ...streamRoutes(world),
    ...archiveRoutes(world),
  ];
  for (const route of routes) addRoute(app, world, route);
}
