/** Puts a vendor route on the server: logs the request, plays the faults, sends the answer. */
import { STATUS_CODES, type IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ZodError } from 'zod';
import type { RestFault, RestKind } from '../faults/schema.ts';
import { append, type World } from '../world.ts';
import { askedBy } from '../credentials/rest-auth.ts';
import { RestError, type Answer } from './answer.ts';

export interface Call {
  params: Record<string, string>;
  query: Record<string, string>;
  body: unknown;
  headers: IncomingHttpHeaders;
}

export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  kind: RestKind | ((call: Call) => RestKind);
  handle: (call: Call) => Answer | Promise<Answer>;
}

async function run(route: Route, call: Call): Promise<Answer> {
  try {
    return await route.handle(call);
  } catch (error) {
    if (error instanceof RestError) return { status: error.status, body: error.body };
    if (error instanceof ZodError) {
      return {
        status: 400,
        body: {
          code: 400,
          message: 'Bad Request',
          type: 'BAD_REQUEST',
          error_title: 'Bad Request',
          invalid_parameters: error.issues.map((issue) => ({ name: issue.path.join('.'), reason: issue.message })),
        },
      };
    }
    throw error;
  }
}

type Played = { answer?: Answer; wire: 'send' | 'silence' | 'reset' | 'html' };

/** Statuses a fault can put in place of the real one. */
type FaultStatus = Extract<RestFault['fault'], `${number}`>;

const refusal = (status: FaultStatus): Answer => {
  const title = STATUS_CODES[status] ?? 'Error';
  return {
    status: Number(status),
    body: {
      code: Number(status),
      message: title,
      title,
      error_title: title,
      type: title.toUpperCase().replaceAll(' ', '_'),
    },
  };
};

async function play(world: World, route: Route, call: Call, fault: RestFault | undefined): Promise<Played> {
  const kind = fault?.fault;
  switch (kind) {
    case undefined:
      return { answer: await run(route, call), wire: 'send' };
    case 'hang':
      if (fault?.delayMs === undefined) return { wire: 'silence' };
      await world.clock.delay(fault.delayMs);
      return { answer: await run(route, call), wire: 'send' };
    case 'not-applied-silent':
      return { wire: 'silence' };
    case 'reset':
    case 'refuse':
      return { wire: 'reset' };
    case 'applied-silent':
      return { answer: await run(route, call), wire: 'silence' };
    case 'applied-reset':
      return { answer: await run(route, call), wire: 'reset' };
    case 'non-json':
      return { answer: await run(route, call), wire: 'html' };
    case '204-no-effect':
      return { answer: { status: 204 }, wire: 'send' };
    case '400':
    case '401':
    case '403':
    case '404':
    case '409':
    case '429':
    case '500':
    case '502':
    case '503':
      return { answer: refusal(kind), wire: 'send' };
    default:
      throw new TypeError(`unknown fault ${String(kind satisfies never)}`);
  }
}

function put(reply: FastifyReply, played: Played): FastifyReply | void {
  if (played.wire === 'html') return reply.code(200).type('text/html').send('<html><body>Bad gateway</body></html>');
  if (played.wire === 'send' && played.answer !== undefined) {
    const { status, body } = played.answer;
    return body === undefined
      ? reply.code(status).send()
      : reply.code(status).type('application/json').send(JSON.stringify(body));
  }
  reply.hijack();
  if (played.wire === 'reset') reply.raw.destroy();
}

/** Adds one vendor route. */
export function addRoute(app: FastifyInstance, current: () => World, route: Route): void {
  app.route({
    method: route.method,
    url: route.path,
    handler: async (request: FastifyRequest, reply) => {
      const world = current();
      const call: Call = {
        params: request.params as Call['params'],
        query: request.query as Call['query'],
        body: request.body,
        headers: request.headers,
      };
      const kind = typeof route.kind === 'function' ? route.kind(call) : route.kind;
      const fault = world.faults.forRest(kind);
      const played = await play(world, route, call, fault);
      const replied = played.wire === 'send' || played.wire === 'html';
      append(world.restLog, {
        seq: (world.sequence += 1),
        at: world.clock.now(),
        route: kind,
        account: askedBy(request.headers),
        method: request.method,
        url: request.url,
        headers: request.headers as Record<string, string>,
        body: request.body,
        fault: fault?.fault,
        ...(replied
          ? { status: played.wire === 'html' ? 200 : played.answer?.status, response: played.answer?.body }
          : {}),
      });
      world.board.changed();
      return put(reply, played) ?? reply;
    },
  });
}
