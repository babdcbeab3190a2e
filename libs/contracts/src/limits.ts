import { z } from 'zod';

const most = (description: string, example: number) =>
  z
    .int('must be a whole number')
    .min(0, 'must be at least 0')
    .max(1_000_000, 'must be at most 1000000')
    .nullable()
    .meta({ description: `${description} Whole number, 0 to 1000000; null: the platform’s default.`, examples: [example] });

/** A tenant's own limits, as the operator sets them; a field that is left out stays as it was. */
export const TenantLimits = z
  .strictObject({
    maxLiveRooms: most('How many rooms that have not ended it may have.', 1_000).optional(),
    maxLiveLegs: most('How many people it may have connected at once, browsers and phones together, in all its rooms. The bridges between them do not count.', 500).optional(),
    maxDialOutsPerMinute: most('How many people it may ring within any minute.', 60).optional(),
    maxRequestsPerMinute: most('How many requests it may make to the API in a minute. Those that end something are counted and never refused.', 600).optional(),
  })
  .meta({ id: 'TenantLimits', description: 'A tenant’s own limits.' });
export type TenantLimits = z.output<typeof TenantLimits>;

const Use = z
  .object({
    limit: z.int().min(0).meta({ description: 'How many there may be.', examples: [1_000] }),
    used: z.int().min(0).meta({ description: 'How many there are now.', examples: [12] }),
  })
  .meta({ id: 'LimitUse', description: 'A limit, and how much of it is used.' });

/** The reply to `GET /v1/limits`. */
export const Limits = z
  .object({
    liveRooms: Use.meta({ description: 'Rooms that have not ended.' }),
    liveLegs: Use.meta({ description: 'People connected now, browsers and phones together, without the bridges between them.' }),
    dialOutsPerMinute: Use.meta({ description: 'People rung within the last minute.' }),
    requestsPerMinute: Use.meta({ description: 'Requests to this API in the present minute, this one among them.' }),
  })
  .meta({ id: 'Limits', description: 'What you may use at once, and use now. Counted from your rooms and connections themselves, so what ends is free again at once.' });
export type Limits = z.output<typeof Limits>;
