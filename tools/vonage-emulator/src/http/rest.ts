/** Adds Vonage routes to the server: applies faults, logs the request, sends the answer. */
import { STATUS_CODES, type IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ZodError } from 'zod';
import type { RestFault, RestKind } from '../faults/schema.ts';
import { appendToLog, type World } from '../world.ts';
import { readClaimedAccount } from '../credentials/rest-auth.ts';
import { RestError, type Answer } from './answer.ts';

export interface RestRequest {
  params: Record<string, string>;
  query: Record<string, string>;
  body: unknown;
  headers: IncomingHttpHeaders;
}

export interface RestRoute {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  kind: RestKind | ((restRequest: RestRequest) => RestKind);
  handle: (restRequest: RestRequest) => Answer | Promise<Answer>;
}

async function runHandler(route: RestRoute, restRequest: RestRequest): Promise<Answer> {
  try {
    return await route.handle(restRequest);
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

type FaultOutcome = { answer?: Answer; wire: 'send' | 'silence' | 'reset' | 'html' };

/** Statuses that a fault can return instead of the real one. */
type FaultStatus = Extract<RestFault['fault'], `${number}`>;

const buildFaultAnswer = (status: FaultStatus): Answer => {
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

async function applyFault(
  world: World,
  route: RestRoute,
  restRequest: RestRequest,
  fault: RestFault | undefined,
): Promise<FaultOutcome> {
  const kind = fault?.fault;
  switch (kind) {
    case undefined:
      return { answer: await runHandler(route, restRequest), wire: 'send' };
    case 'hang':
      if (fault?.delayMs === undefined) return { wire: 'silence' };
      await world.clock.delay(fault.delayMs);
      return { answer: await runHandler(route, restRequest), wire: 'send' };
    case 'not-applied-silent':
      return { wire: 'silence' };
    case 'reset':
    case 'refuse':
      return { wire: 'reset' };
    case 'applied-silent':
      return { answer: await runHandler(route, restRequest), wire: 'silence' };
    case 'applied-reset':
      return { answer: await runHandler(route, restRequest), wire: 'reset' };
    case 'non-json':
      return { answer: await runHandler(route, restRequest), wire: 'html' };
    case 'html-no-effect':
      return { wire: 'html' };
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
      return { answer: buildFaultAnswer(kind), wire: 'send' };
    default:
      throw new TypeError(`Unknown fault: ${String(kind satisfies never)}`);
  }
}

function sendAnswer(reply: FastifyReply, outcome: FaultOutcome): FastifyReply | void {
  if (outcome.wire === 'html') return reply.code(200).type('text/html').send('<html><body>Bad gateway</body></html>');
  if (outcome.wire === 'send' && outcome.answer !== undefined) {
    const { status, body, type } = outcome.answer;
    if (type !== undefined) return reply.code(status).type(type).send(body);
    return body === undefined
      ? reply.code(status).send()
      : reply.code(status).type('application/json').send(JSON.stringify(body));
  }
  reply.hijack();
  if (outcome.wire === 'reset') reply.raw.destroy();
}

/** Adds one Vonage route. */
export function addRoute(app: FastifyInstance, current: () => World, route: RestRoute): void {
  app.route({
    method: route.method,
    url: route.path,
    handler: async (request: FastifyRequest, reply) => {
      const world = current();
      const restRequest: RestRequest = {
        params: request.params as RestRequest['params'],
        query: request.query as RestRequest['query'],
        body: request.body,
        headers: request.headers,
      };
      const kind = typeof route.kind === 'function' ? route.kind(restRequest) : route.kind;
      const fault = world.faults.selectRestFault(kind);
      const outcome = await applyFault(world, route, restRequest, fault);
      const hasReply = outcome.wire === 'send' || outcome.wire === 'html';
      appendToLog(world.restLog, {
        seq: (world.sequence += 1),
        at: world.clock.now(),
        route: kind,
        account: readClaimedAccount(request.headers),
        method: request.method,
        url: request.url,
        headers: request.headers as Record<string, string>,
        body: request.body,
        fault: fault?.fault,
        ...(hasReply
          ? {
              status: outcome.wire === 'html' ? 200 : outcome.answer?.status,
              response: outcome.answer?.type === undefined ? outcome.answer?.body : undefined,
            }
          : {}),
      });
      world.changes.notify();
      return sendAnswer(reply, outcome) ?? reply;
    },
  });
}
