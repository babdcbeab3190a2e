import type { Operation } from '@partyline/contracts/operation';
import { OPERATIONS } from '@partyline/contracts/operations';
import { VerdictError } from '@partyline/domain/verdict';
import type { FastifyRequest } from 'fastify';

/** Each operation by the route that Fastify knows it as. */
const ROUTES = new Map(
  OPERATIONS.map((operation) => [
    `${operation.method.toUpperCase()} ${operation.path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
    operation,
  ]),
);

/** What a route is, by the API's list of operations; a route that is not on it is nobody's to use. */
export function operationOf({ method, routeOptions }: FastifyRequest): Operation {
  const operation = ROUTES.get(`${method === 'HEAD' ? 'GET' : method} ${routeOptions.url ?? ''}`);
  if (operation === undefined)
    throw new VerdictError('server', 'internal-error', 'This route is not among the API’s operations.');
  return operation;
}
