import { randomBytes, randomInt } from 'node:crypto';
import type { Clock, Ids, RandomInt } from '@partyline/domain/clock';

/** The one place where the machine's clock and its randomness come in; everything else is given them. */
export const systemClock: Clock = { now: () => new Date() };

export const systemIds: Ids = { next: (prefix) => `${prefix}_${randomBytes(16).toString('base64url')}` };

export const systemRandomInt: RandomInt = (below) => randomInt(below);

/** 256 bits, URL-safe. */
export const systemSecret = (): string => randomBytes(32).toString('base64url');

export const systemSleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
