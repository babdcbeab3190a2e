import { z } from 'zod';

const most = (description: string, example: number) =>
  z
    .int('must be a whole number')
    .min(0, 'must be at least 0')
    .max(1_000_000, 'must be at most 1000000')
    .meta({ description: `${description} Whole number, 0 to 1000000.`, examples: [example] });

const limits = {
  maxLiveRooms: most('How many rooms that have not ended a tenant may have.', 1_000),
  maxLiveLegs: most(
    'How many people a tenant may have connected at once, browsers and phones together, in all its rooms. The bridges between them do not count.',
    500,
  ),
  maxDialOutsPerMinute: most('How many people a tenant may ring within any minute.', 60),
  maxRequestsPerMinute: most(
    'How many requests a tenant may make to the API in a minute. Those that end something are counted, and refused only beyond twenty times as many.',
    600,
  ),
};

/** A limit that a tenant need not have of its own. */
const own = (limit: (typeof limits)[keyof typeof limits]) =>
  limit
    .nullable()
    .optional()
    .meta({ ...limit.meta(), description: `${limit.meta()?.description} Null: the platform’s.` });

/** A tenant's own limits, as the operator sets them; a field that is left out stays as it was. */
export const TenantLimits = z
  .strictObject({
    maxLiveRooms: own(limits.maxLiveRooms),
    maxLiveLegs: own(limits.maxLiveLegs),
    maxDialOutsPerMinute: own(limits.maxDialOutsPerMinute),
    maxRequestsPerMinute: own(limits.maxRequestsPerMinute),
  })
  .meta({ id: 'TenantLimits', description: 'A tenant’s own limits.' });
export type TenantLimits = z.output<typeof TenantLimits>;

/** The reply to `GET` and `PATCH /v1/operator/limits`. */
export const PlatformLimits = z
  .object(limits)
  .meta({ id: 'PlatformLimits', description: 'The limits of every tenant that has none of its own.' });
export type PlatformLimits = z.output<typeof PlatformLimits>;

/** The body of `PATCH /v1/operator/limits`. */
export const UpdatePlatformLimits = z
  .strictObject(limits)
  .partial()
  .refine((wanted) => Object.values(wanted).some((value) => value !== undefined), 'must name something to change')
  .meta({
    id: 'UpdatePlatformLimits',
    description: 'What to change of the platform’s limits; what is left out stays as it is.',
  });
export type UpdatePlatformLimits = z.output<typeof UpdatePlatformLimits>;

const Use = z
  .object({
    limit: z
      .int()
      .min(0)
      .meta({ description: 'How many there may be.', examples: [1_000] }),
    used: z
      .int()
      .min(0)
      .meta({ description: 'How many there are now.', examples: [12] }),
  })
  .meta({ id: 'LimitUse', description: 'A limit, and how much of it is used.' });

/** The reply to `GET /v1/limits`. */
export const Limits = z
  .object({
    liveRooms: Use.meta({ description: 'Rooms that have not ended.' }),
    liveLegs: Use.meta({
      description: 'People connected now, browsers and phones together, without the bridges between them.',
    }),
    dialOutsPerMinute: Use.meta({ description: 'People rung within the last minute.' }),
    requestsPerMinute: Use.meta({ description: 'Requests to this API in the present minute, this one among them.' }),
  })
  .meta({
    id: 'Limits',
    description:
      'What you may use at once, and use now. Counted from your rooms and connections themselves, so what ends is free again at once.',
  });
export type Limits = z.output<typeof Limits>;
