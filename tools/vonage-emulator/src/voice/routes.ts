/** Voice REST: /v1/calls (contract §2), with its limits (§7) and its early-PUT refusal (§0.14). */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { bearerApplication } from '../credentials/rest-auth.ts';
import { noContent, ok, voiceError, type Answer } from '../http/answer.ts';
import { overLimit } from '../http/limits.ts';
import { addRoute, type Call, type Route } from '../http/rest.ts';
import type { RestKind } from '../faults/schema.ts';
import { wallNow } from '../time/clock.ts';
import { credentialNow, type Leg, type World } from '../world.ts';
import { callBody } from './call-view.ts';
import { hangUp, setHearing, transferToNcco, transferToUrl } from './control.ts';
import { createCall } from './create-call.ts';
import { nccoSchema } from './ncco-schema.ts';

type Handler = (world: World, leg: Leg, call: Call) => Answer;

function authorize(world: World, call: Call, lane: 'calls' | 'requests'): string {
  const applicationId = bearerApplication(world.config, call.headers, credentialNow(world, wallNow()));
  if (overLimit(world, applicationId, lane))
    throw voiceError(429, 'Too Many Requests', 'You have exceeded the rate limit');
  return applicationId;
}

/** The application's leg with the uuid in the path, live or not; 404 otherwise. */
function legOf(world: World, call: Call): Leg {
  const applicationId = authorize(world, call, 'requests');
  const leg = world.legs.get(call.params.uuid ?? '');
  if (leg === undefined || leg.applicationId !== applicationId)
    throw voiceError(404, 'Not Found', 'Call does not exist');
  return leg;
}

/** A leg that can still be acted on. */
function liveLegOf(world: World, call: Call): Leg {
  const leg = legOf(world, call);
  if (leg.endedAt !== undefined) throw voiceError(404, 'Not Found', 'Call is not active');
  return leg;
}

const hearing = z.enum(['mute', 'unmute', 'earmuff', 'unearmuff']);
const updateBody = z.discriminatedUnion('action', [
  z.object({ action: z.literal('hangup') }),
  z.object({ action: hearing }),
  z.object({
    action: z.literal('transfer'),
    destination: z.union([
      z.object({ type: z.literal('ncco'), ncco: nccoSchema }),
      z.object({ type: z.literal('ncco'), url: z.union([z.array(z.string()).min(1), z.string()]) }),
    ]),
  }),
]);

function update(world: World, call: Call): Answer {
  const leg = liveLegOf(world, call);
  const { switches } = world.faults.current();
  if (world.clock.now() - leg.createdAt < switches.earlyPut400Ms) throw voiceError(400, 'Bad Request');
  const body = updateBody.parse(call.body ?? {});
  if (body.action === 'hangup') {
    if (switches.hangup404WhileLive) throw voiceError(404, 'Not Found');
    if (!switches.hangupKeepsLegAlive) hangUp(world, leg);
  } else if (body.action === 'transfer') {
    if (leg.answeredAt === undefined) throw voiceError(400, 'Bad Request', 'Call is not answered');
    if ('ncco' in body.destination) transferToNcco(world, leg, body.destination.ncco);
    else void transferToUrl(world, leg, [body.destination.url].flat()[0] ?? '');
  } else {
    setHearing(world, leg, body.action);
  }
  return noContent;
}

function updateKind(call: Call): RestKind {
  const action = (call.body as { action?: unknown } | undefined)?.action;
  return action === 'hangup' ? 'hangup' : action === 'transfer' ? 'transfer' : 'call-mute';
}

function getCall(world: World, call: Call): Answer {
  const leg = legOf(world, call);
  if (leg.endedAt === undefined && world.faults.current().switches.get404WhileLive) throw voiceError(404, 'Not Found');
  return ok(callBody(world, leg));
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

function listCalls(world: World, call: Call): Answer {
  const applicationId = authorize(world, call, 'requests');
  const query = listQuery.parse(call.query);
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
  // Absolute: getAllCalls does `new URL(next.href)` (contract §0.9).
  const link = (index: number): { href: string } => {
    const url = new URL(`http://${call.headers.host ?? '127.0.0.1'}/v1/calls`);
    for (const [key, value] of Object.entries({ ...call.query, page_size: size, record_index: index }))
      url.searchParams.set(key, String(value));
    return { href: url.href };
  };
  return ok({
    count: found.length,
    page_size: size,
    record_index: from,
    _links: {
      self: link(from),
      first: link(0),
      last: link(lastIndex),
      ...(from + size < found.length ? { next: link(from + size) } : {}),
      ...(from > 0 ? { prev: link(Math.max(0, from - size)) } : {}),
    },
    _embedded: { calls: found.slice(from, from + size).map((leg) => callBody(world, leg)) },
  });
}

const media =
  (message: string, note?: (world: World, leg: Leg, call: Call) => void): Handler =>
  (world, leg, call) => {
    note?.(world, leg, call);
    return ok({ message, uuid: leg.uuid });
  };

const dtmfBody = z.looseObject({ digits: z.string().regex(/^[0-9*#p]+$/) });
const talkBody = z.looseObject({ text: z.string().min(1).max(1500) });
const streamBody = z.looseObject({ stream_url: z.array(z.string()).min(1) });
const hookBody = z.looseObject({ event_url: z.array(z.string()).min(1) });

const mediaRoutes: { method: Route['method']; path: string; kind: RestKind; handle: Handler }[] = [
  {
    method: 'PUT',
    path: 'dtmf',
    kind: 'call-dtmf',
    handle: media('DTMF sent', (_world, leg, call) =>
      leg.party.note('dtmf-heard', { text: dtmfBody.parse(call.body ?? {}).digits }),
    ),
  },
  {
    method: 'PUT',
    path: 'talk',
    kind: 'call-talk',
    handle: media('Talk started', (_world, leg, call) =>
      leg.party.note('heard', { text: talkBody.parse(call.body ?? {}).text }),
    ),
  },
  { method: 'DELETE', path: 'talk', kind: 'call-talk', handle: media('Talk stopped') },
  {
    method: 'PUT',
    path: 'stream',
    kind: 'call-stream',
    handle: media('Stream started', (_world, leg, call) =>
      leg.party.note('heard', { text: `[${streamBody.parse(call.body ?? {}).stream_url[0] ?? ''}]` }),
    ),
  },
  { method: 'DELETE', path: 'stream', kind: 'call-stream', handle: media('Stream stopped') },
  {
    method: 'PUT',
    path: 'input/dtmf',
    kind: 'call-input',
    handle: media('DTMF subscribed', (_world, leg, call) => {
      leg.digitHook = { url: hookBody.parse(call.body ?? {}).event_url[0] ?? '', method: 'POST' };
    }),
  },
  {
    method: 'DELETE',
    path: 'input/dtmf',
    kind: 'call-input',
    handle: media('DTMF unsubscribed', (_world, leg) => (leg.digitHook = undefined)),
  },
];

/** Adds every voice route. */
export function addVoiceRoutes(app: FastifyInstance, world: () => World): void {
  const routes: Route[] = [
    {
      method: 'POST',
      path: '/v1/calls',
      kind: 'create-call',
      handle: (call) => createCall(world(), authorize(world(), call, 'calls'), call.body),
    },
    { method: 'GET', path: '/v1/calls', kind: 'list-calls', handle: (call) => listCalls(world(), call) },
    { method: 'GET', path: '/v1/calls/:uuid', kind: 'get-call', handle: (call) => getCall(world(), call) },
    { method: 'PUT', path: '/v1/calls/:uuid', kind: updateKind, handle: (call) => update(world(), call) },
    ...mediaRoutes.map(({ method, path, kind, handle }): Route => ({
      method,
      path: `/v1/calls/:uuid/${path}`,
      kind,
      handle: (call) => handle(world(), liveLegOf(world(), call), call),
    })),
  ];
  for (const route of routes) addRoute(app, world, route);
}
