/** Voice REST: /v1/calls (contract §2), with rate limits (§7) and the early-PUT error (§0.14). */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { authenticateBearer } from '../credentials/rest-auth.ts';
import { noContent, ok, voiceError, type Answer } from '../http/answer.ts';
import { exceedsRateLimit } from '../http/limits.ts';
import { addRoute, type RestRequest, type RestRoute } from '../http/rest.ts';
import type { RestKind } from '../faults/schema.ts';
import { wallNow } from '../time/clock.ts';
import { getCredentialTimeMs, type Leg, type World } from '../world.ts';
import { buildCallBody } from './call-view.ts';
import { hangUpLeg, applyMuteAction, transferToNcco, transferToUrl } from './update-call.ts';
import { runForLeg } from './legs.ts';
import { createCall } from './create-call.ts';
import { nccoSchema, talkText } from './ncco-schema.ts';

type Handler = (world: World, leg: Leg, request: RestRequest) => Answer;

function authenticateRequest(world: World, request: RestRequest, bucket: 'calls' | 'requests'): string {
  const applicationId = authenticateBearer(world.config, request.headers, getCredentialTimeMs(world, wallNow()));
  if (exceedsRateLimit(world, applicationId, bucket))
    throw voiceError(429, 'Too Many Requests', 'You have exceeded the rate limit');
  return applicationId;
}

/** Returns the application's leg with the uuid in the path, live or ended. Throws 404 otherwise. */
function findLeg(world: World, request: RestRequest): Leg {
  const applicationId = authenticateRequest(world, request, 'requests');
  const leg = world.legs.get(request.params.uuid ?? '');
  if (leg === undefined || leg.applicationId !== applicationId)
    throw voiceError(404, 'Not Found', 'Call does not exist');
  return leg;
}

/** Returns the live leg with the uuid in the path. Throws 404 otherwise. */
function findLiveLeg(world: World, request: RestRequest): Leg {
  const leg = findLeg(world, request);
  if (leg.endedAt !== undefined) throw voiceError(404, 'Not Found', 'Call is not active');
  return leg;
}

const muteActions = z.enum(['mute', 'unmute', 'earmuff', 'unearmuff']);
const updateBody = z.discriminatedUnion('action', [
  z.object({ action: z.literal('hangup') }),
  z.object({ action: muteActions }),
  z.object({
    action: z.literal('transfer'),
    destination: z.union([
      z.object({ type: z.literal('ncco'), ncco: nccoSchema }),
      z.object({ type: z.literal('ncco'), url: z.union([z.array(z.string()).min(1), z.string()]) }),
    ]),
  }),
]);

function updateCall(world: World, request: RestRequest): Answer {
  const leg = findLiveLeg(world, request);
  const { switches } = world.faults.current();
  if (world.clock.now() - leg.createdAt < switches.earlyPut400Ms) throw voiceError(400, 'Bad Request');
  const body = updateBody.parse(request.body ?? {});
  if (body.action === 'hangup') {
    if (switches.hangup404WhileLive) throw voiceError(404, 'Not Found');
    if (!switches.hangupKeepsLegAlive) hangUpLeg(world, leg);
  } else if (body.action === 'transfer') {
    if (leg.answeredAt === undefined) throw voiceError(400, 'Bad Request', 'Call is not answered');
    if ('ncco' in body.destination) transferToNcco(world, leg, body.destination.ncco);
    else runForLeg(world, leg, transferToUrl(world, leg, [body.destination.url].flat()[0] ?? ''));
  } else {
    applyMuteAction(world, leg, body.action);
  }
  return noContent;
}

function classifyUpdate(request: RestRequest): RestKind {
  const action = (request.body as { action?: unknown } | undefined)?.action;
  return action === 'hangup' ? 'hangup' : action === 'transfer' ? 'transfer' : 'call-mute';
}

function getCall(world: World, request: RestRequest): Answer {
  const leg = findLeg(world, request);
  if (leg.endedAt === undefined && world.faults.current().switches.get404WhileLive) throw voiceError(404, 'Not Found');
  return ok(buildCallBody(world, leg));
}

const listQuery = z.looseObject({
  status: z.string().optional(),
  date_start: z.coerce.date().optional(),
  date_end: z.coerce.date().optional(),
  page_size: z.coerce.number().int().min(1).max(100).default(10),
  record_index: z.coerce.number().int().min(0).default(0),
  order: z.enum(['asc', 'desc']).default('asc'),
  conversation_uuid: z.string().optional(),
});

function listCalls(world: World, request: RestRequest): Answer {
  const applicationId = authenticateRequest(world, request, 'requests');
  const query = listQuery.parse(request.query);
  const { listOmitsLive } = world.faults.current().switches;
  const found = [...world.legs.values()].filter(
    (leg) =>
      leg.applicationId === applicationId &&
      !(listOmitsLive && leg.endedAt === undefined) &&
      (query.status === undefined || leg.status === query.status) &&
      (query.date_start === undefined || leg.createdAt >= query.date_start.getTime()) &&
      (query.date_end === undefined || leg.createdAt <= query.date_end.getTime()) &&
      (query.conversation_uuid === undefined || leg.conversation.uuid === query.conversation_uuid),
  );
  if (query.order === 'desc') found.reverse();
  const { page_size: size, record_index: from } = query;
  const lastIndex = Math.max(0, Math.floor((found.length - 1) / size) * size);
  const { listCount, halLinks } = world.faults.current().switches;
  // Absolute by default: getAllCalls calls `new URL(next.href)` (contract §0.9).
  const link = (index: number): { href: string } => {
    const url = new URL(`http://${request.headers.host ?? '127.0.0.1'}/v1/calls`);
    for (const [key, value] of Object.entries({ ...request.query, page_size: size, record_index: index }))
      url.searchParams.set(key, String(value));
    return { href: halLinks === 'absolute' ? url.href : `${url.pathname}${url.search}` };
  };
  const calls = found.slice(from, from + size).map((leg) => buildCallBody(world, leg));
  return ok({
    count: { total: found.length, page: calls.length, zero: 0 }[listCount],
    page_size: size,
    record_index: from,
    _links: {
      self: link(from),
      first: link(0),
      last: link(lastIndex),
      ...(from + size < found.length ? { next: link(from + size) } : {}),
      ...(from > 0 ? { prev: link(Math.max(0, from - size)) } : {}),
    },
    _embedded: { calls },
  });
}

const createMediaHandler =
  (message: string, recordMedia?: (world: World, leg: Leg, request: RestRequest) => void): Handler =>
  (world, leg, request) => {
    recordMedia?.(world, leg, request);
    return ok({ message, uuid: leg.uuid });
  };

const dtmfBody = z.looseObject({ digits: z.string().regex(/^[0-9*#p]+$/) });
const talkBody = z.looseObject({ text: talkText });
const streamBody = z.looseObject({ stream_url: z.array(z.string()).min(1) });
const hookBody = z.looseObject({ event_url: z.array(z.string()).min(1) });

const mediaRoutes: { method: RestRoute['method']; path: string; kind: RestKind; handle: Handler }[] = [
  {
    method: 'PUT',
    path: 'dtmf',
    kind: 'call-dtmf',
    handle: createMediaHandler('DTMF sent', (_world, leg, request) =>
      leg.party.recordEvent('dtmf-heard', { text: dtmfBody.parse(request.body ?? {}).digits }),
    ),
  },
  {
    method: 'PUT',
    path: 'talk',
    kind: 'call-talk',
    handle: createMediaHandler('Talk started', (_world, leg, request) =>
      leg.party.recordEvent('heard', { text: talkBody.parse(request.body ?? {}).text }),
    ),
  },
  { method: 'DELETE', path: 'talk', kind: 'call-talk', handle: createMediaHandler('Talk stopped') },
  {
    method: 'PUT',
    path: 'stream',
    kind: 'call-stream',
    handle: createMediaHandler('Stream started', (_world, leg, request) =>
      leg.party.recordEvent('heard', { text: `[${streamBody.parse(request.body ?? {}).stream_url[0] ?? ''}]` }),
    ),
  },
  { method: 'DELETE', path: 'stream', kind: 'call-stream', handle: createMediaHandler('Stream stopped') },
  {
    method: 'PUT',
    path: 'input/dtmf',
    kind: 'call-input',
    handle: createMediaHandler('DTMF subscribed', (_world, leg, request) => {
      leg.digitHook = { url: hookBody.parse(request.body ?? {}).event_url[0] ?? '', method: 'POST' };
    }),
  },
  {
    method: 'DELETE',
    path: 'input/dtmf',
    kind: 'call-input',
    handle: createMediaHandler('DTMF unsubscribed', (_world, leg) => (leg.digitHook = undefined)),
  },
];

/** Serves a recording as silence of the right size, to the application that made it. */
function getRecording(world: World, request: RestRequest): Answer {
  const applicationId = authenticateRequest(world, request, 'requests');
  const recording = world.recordings.get(request.params.file ?? '');
  if (recording === undefined || recording.applicationId !== applicationId)
    throw voiceError(404, 'Not Found', 'The recording does not exist');
  return { status: 200, body: Buffer.alloc(recording.size), type: RECORDING_TYPES[recording.format] };
}

const RECORDING_TYPES = { mp3: 'audio/mpeg', wav: 'audio/wav', ogg: 'audio/ogg' } as const;

/** Adds all voice routes. */
export function addVoiceRoutes(app: FastifyInstance, world: () => World): void {
  const routes: RestRoute[] = [
    {
      method: 'POST',
      path: '/v1/calls',
      kind: 'create-call',
      handle: (request) => createCall(world(), authenticateRequest(world(), request, 'calls'), request.body),
    },
    { method: 'GET', path: '/v1/calls', kind: 'list-calls', handle: (request) => listCalls(world(), request) },
    { method: 'GET', path: '/v1/calls/:uuid', kind: 'get-call', handle: (request) => getCall(world(), request) },
    { method: 'PUT', path: '/v1/calls/:uuid', kind: classifyUpdate, handle: (request) => updateCall(world(), request) },
    ...['/v1/files/:file', '/v3/files/:file'].map((path): RestRoute => ({
      method: 'GET',
      path,
      kind: 'get-file',
      handle: (request) => getRecording(world(), request),
    })),
    ...mediaRoutes.map(({ method, path, kind, handle }): RestRoute => ({
      method,
      path: `/v1/calls/:uuid/${path}`,
      kind,
      handle: (request) => handle(world(), findLiveLeg(world(), request), request),
    })),
  ];
  for (const route of routes) addRoute(app, world, route);
}
