import type { Operation } from '@partyline/contracts/operation';
import { OPERATIONS } from '@partyline/contracts/operations';
import { VerdictError } from '@partyline/domain/verdict';
import type { FastifyRequest } from 'fastify';

/** Operations by Fastify's route. */
const ROUTES = new Map(
  OPERATIONS.map((operation) => [
    `${operation.method.toUpperCase()} ${operation.path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
    operation,
  ]),
);

/**
 * The operation of a request's route. Throws 500 for a route that is not in the list of operations.
 */
export function operationOf({ method, routeOptions }: FastifyRequest): Operation {
  const operation = ROUTES.get(`${method === 'HEAD' ? 'GET' : method} ${routeOptions.url ?? ''}`);
  if (operation === undefined)
    throw new VerdictError('server', 'internal-error', 'This route is not in the list of operations.');
  return operation;
}
