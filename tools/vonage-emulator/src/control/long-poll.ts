/** Shared by the control routes: their context, their error and the long poll. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { World } from '../world.ts';

/** An error reply of the control API. */
export class ControlError extends Error {
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

export interface ControlContext {
  app: FastifyInstance;
  world: () => World;
  reset: () => Promise<void>;
}

const timeoutQuery = z.looseObject({ timeout_ms: z.coerce.number().nonnegative().default(10_000) });

/** Waits for the condition's first defined value. Throws 408 after `timeout_ms` of wall time. */
export async function longPoll<T>(world: World, request: FastifyRequest, condition: () => T | undefined): Promise<T> {
  const { timeout_ms: ms } = timeoutQuery.parse(request.query);
  const value = await world.changes.waitFor(condition, ms);
  if (value === undefined) throw new ControlError(408, `The condition was not met within ${ms} ms.`);
  return value;
}
