/**
 * A call in GET /v1/calls (contract §2). Rate, price and duration are on ended calls only.
 */
import { computePriceMicros, getVoiceRateMicros, computeVoiceSeconds } from '../ledger/meter.ts';
import type { Leg, World } from '../world.ts';
import { formatMoney, formatSeconds } from './events.ts';

/** Formats a time as `YYYY-MM-DD HH:MM:SS` (contract §2). */
const formatPlainTime = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

function buildParty(leg: Leg, address: string, isOwnSide: boolean): object {
  switch (isOwnSide ? leg.endpointType : 'phone') {
    case 'sip':
      return { type: 'sip', uri: address };
    case 'websocket':
      return { type: 'websocket', uri: address };
    case 'vbc':
      return { type: 'vbc', extension: address };
    case 'app':
      return { type: 'app', user: address };
    default:
      return { type: 'phone', number: address };
  }
}

export function buildCallBody(world: World, leg: Leg): { [field: string]: unknown } {
  const seconds = computeVoiceSeconds(world, leg);
  const rate = getVoiceRateMicros(world, leg);
  const outbound = leg.direction === 'outbound';
  return {
    _links: { self: { href: `/calls/${leg.uuid}` } },
    uuid: leg.uuid,
    conversation_uuid: leg.conversation.uuid,
    to: buildParty(leg, leg.to, outbound),
    from: buildParty(leg, leg.from, !outbound),
    status: leg.status,
    direction: leg.direction,
    ...(leg.endedAt === undefined
      ? {}
      : {
          rate: formatMoney(world, rate),
          price: formatMoney(world, computePriceMicros(rate, seconds)),
          duration: formatSeconds(world, seconds),
          ...(leg.answeredAt === undefined ? {} : { start_time: formatPlainTime(leg.answeredAt) }),
          end_time: formatPlainTime(leg.endedAt),
          network: '65512',
        }),
  };
}
