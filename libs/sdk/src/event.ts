import type { Webhooks } from './generated/types.gen.ts';

/** Something that happened, as it is told in pages, in the stream and to endpoints; `type` says what stands in `data`. */
export type PartylineEvent = Webhooks['body'];
