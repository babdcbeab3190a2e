import type { Webhooks } from './generated/types.gen.ts';

/**
 * An event, the same in lists, in the stream and at endpoints. `type` determines the form of
 * `data`.
 */
export type PartylineEvent = Webhooks['body'];
