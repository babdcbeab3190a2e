import type { ListedConnection } from '@partyline/provider-contract/media-provider';
import type { LegRow } from '@partyline/store/legs/legs';

/** Whether nothing is known of a bridge dial: no reply, no event, no call. */
export const isUnanswered = (leg: Pick<LegRow, 'kind' | 'state' | 'media_connection_id' | 'voice_call_id'>): boolean =>
  leg.kind === 'bridge' && leg.state === 'dialling' && leg.media_connection_id === null && leg.voice_call_id === null;

/**
 * The call of a bridge leg is answered less than a second after its connection is created. This
 * allows for a slow answer webhook and for clocks that differ.
 */
const MAX_ANSWER_DELAY_MS = 5_000;
/** After this time without a connection close to the answer, the clocks differ more. */
const WAIT_MS = 90_000;

/**
 * Finds the connection of a bridge leg in a list, when neither the reply to the dial nor an event
 * named it: by its data, or, once the call has arrived, as the unknown connection that was created
 * closest to the answer. Before that it may be a browser whose callback was lost.
 * @param known the ids of the connections that legs of the session have
 * @param now the database's time
 */
export function findBridgeConnection(
  leg: { readonly id: string; readonly voice_call_id: string | null; readonly answered_at: Date | null },
  live: readonly ListedConnection[],
  known: ReadonlySet<string | null>,
  now: Date,
): ListedConnection | undefined {
  const named = live.find(({ data }) => data?.includes(leg.id));
  if (named !== undefined) return named;
  const unknown = live.filter(({ connectionId, data }) => data === undefined && !known.has(connectionId));
  if (leg.voice_call_id === null || unknown.length === 0) return undefined;
  const answeredAt = leg.answered_at?.getTime() ?? null;
  const delayOf = ({ createdAt }: ListedConnection): number =>
    createdAt === null || answeredAt === null ? Infinity : Math.abs(answeredAt - createdAt.getTime());
  const closest = unknown.reduce((best, each) => (delayOf(each) < delayOf(best) ? each : best));
  const delayMs = delayOf(closest);
  if (delayMs === Infinity) return unknown.length === 1 ? closest : undefined;
  return delayMs <= MAX_ANSWER_DELAY_MS || now.getTime() - answeredAt! > WAIT_MS ? closest : undefined;
}
