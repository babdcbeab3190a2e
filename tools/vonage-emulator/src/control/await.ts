/** What the control routes share: the world they act on, their refusals, and the long poll. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { World } from '../world.ts';

/** The control API's own refusals. */
export class Refused extends Error {
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

export interface Control {
  app: FastifyInstance;
  world: () => World;
  reset: () => Promise<void>;
}

const timeout = z.looseObject({ timeout_ms: z.coerce.number().nonnegative().default(10_000) });

/** A long poll: the condition's value, or 408 when the time is up. */
export async function awaited<T>(world: World, request: FastifyRequest, condition: () => T | undefined): Promise<T> {
  const { timeout_ms: ms } = timeout.parse(request.query);
  const value = await world.board.until(condition, ms);
  if (value === undefined) throw new Refused(408, `not so within ${ms} ms`);
  return value;
}
