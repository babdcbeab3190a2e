/** A call as GET /v1/calls shows it (contract §2): rate, price and duration are strings, and only on completed calls. */
import { price, voiceRate, voiceSeconds } from '../ledger/meter.ts';
import type { Leg, World } from '../world.ts';
import { money } from './events.ts';

/** `YYYY-MM-DD HH:MM:SS` (contract §2). */
const plainTime = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

const party = (leg: Leg, number: string, here: boolean): object =>
  leg.endpointType === 'sip' && here ? { type: 'sip', uri: number } : { type: 'phone', number };

export function callBody(world: World, leg: Leg): { [field: string]: unknown } {
  const seconds = voiceSeconds(world, leg);
  const rate = voiceRate(world, leg);
  const outbound = leg.direction === 'outbound';
  return {
    _links: { self: { href: `/calls/${leg.uuid}` } },
    uuid: leg.uuid,
    conversation_uuid: leg.conversation.uuid,
    to: party(leg, leg.to, outbound),
    from: party(leg, leg.from, !outbound),
    status: leg.status,
    direction: leg.direction,
    ...(leg.endedAt === undefined
      ? {}
      : {
          rate: money(rate),
          price: money(price(rate, seconds)),
          duration: String(seconds),
          ...(leg.answeredAt === undefined ? {} : { start_time: plainTime(leg.answeredAt) }),
          end_time: plainTime(leg.endedAt),
          network: '65512',
        }),
  };
}
