import { z } from 'zod';

const count = (description: string, example: number) =>
  z
    .int('must be a whole number')
    .min(0, 'must be at least 0')
    .max(1_000_000, 'must be at most 1000000')
    .meta({ description: `${description} Whole number, 0 to 1000000.`, examples: [example] });

const limits = {
  maxLiveRooms: count('The maximum number of active rooms of a tenant.', 1_000),
  maxLiveLegs: count(
    'The maximum number of connected participants of a tenant, browsers and phones. Bridges do not count.',
    500,
  ),
  maxDialOutsPerMinute: count('The maximum number of calls that a tenant can place per minute.', 60),
  maxRequestsPerMinute: count(
    'The maximum number of API requests of a tenant per minute. Requests that end something are rejected only above ' +
      '20 times this limit.',
    600,
  ),
};

/** A tenant's own limit. */
const ownLimit = (limit: (typeof limits)[keyof typeof limits]) =>
  limit
    .nullable()
    .optional()
    .meta({ ...limit.meta(), description: `${limit.meta()?.description} Null: the limit of the platform.` });

/** A tenant's own limits, as an operator sets them. */
export const TenantLimits = z
  .strictObject({
    maxLiveRooms: ownLimit(limits.maxLiveRooms),
    maxLiveLegs: ownLimit(limits.maxLiveLegs),
    maxDialOutsPerMinute: ownLimit(limits.maxDialOutsPerMinute),
    maxRequestsPerMinute: ownLimit(limits.maxRequestsPerMinute),
  })
  .meta({ id: 'TenantLimits', description: 'Limits of one tenant.' });
export type TenantLimits = z.output<typeof TenantLimits>;

/** The reply to `GET` and `PATCH /v1/operator/limits`. */
export const PlatformLimits = z
  .object(limits)
  .meta({ id: 'PlatformLimits', description: 'The default limits of all tenants.' });
export type PlatformLimits = z.output<typeof PlatformLimits>;

/** The body of `PATCH /v1/operator/limits`. */
export const UpdatePlatformLimits = z
  .strictObject(limits)
  .partial()
  .refine((wanted) => Object.values(wanted).some((value) => value !== undefined), 'must have at least one field')
  .meta({
    id: 'UpdatePlatformLimits',
    examples: [{ maxDialOutsPerMinute: 60 }],
    description: 'The default limits to change.',
  });
export type UpdatePlatformLimits = z.output<typeof UpdatePlatformLimits>;

const LimitUse = z
  .object({
    limit: z
      .int()
      .min(0)
      .meta({ description: 'The limit.', examples: [1_000] }),
    used: z
      .int()
      .min(0)
      .meta({ description: 'How much of it is used now.', examples: [12] }),
  })
  .meta({ id: 'LimitUse', description: 'A limit and its use.' });

/** The reply to `GET /v1/limits`. */
export const Limits = z
  .object({
    liveRooms: LimitUse.meta({ description: 'Active rooms.' }),
    liveLegs: LimitUse.meta({ description: 'Connected participants, browsers and phones. Bridges do not count.' }),
    dialOutsPerMinute: LimitUse.meta({ description: 'Calls placed within the last minute.' }),
    requestsPerMinute: LimitUse.meta({ description: 'API requests in the current minute, including this one.' }),
  })
  .meta({
    id: 'Limits',
    description: 'Your limits and what you use of them. A room or connection that ends no longer counts at once.',
  });
export type Limits = z.output<typeof Limits>;
