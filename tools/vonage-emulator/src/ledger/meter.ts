/**
 * The charge meter (contract §7): voice per second from `answered`; SIP interconnect and participant minutes per
 * started minute, or per second by a switch. Integer micro-euros. It reads what the platform itself knows about its
 * legs, never what a customer's tables say: that is what makes it the oracle.
 */
import { owningAccount } from '../credentials/owning-account.ts';
import type { LedgerLeg, LedgerView } from '../views.ts';
import type { Leg, VideoConnection, VideoSession, World } from '../world.ts';

const secondsBetween = (from: number | undefined, to: number): number =>
  from === undefined ? 0 : Math.max(0, Math.ceil((to - from) / 1000));

/** Price of so many seconds at a per-minute rate, to the nearest micro. */
export const price = (ratePerMinute: number, seconds: number): number => Math.round((ratePerMinute * seconds) / 60);

/** Micro-euros per minute for a voice leg. */
export function voiceRate(world: World, leg: Leg): number {
  const { rates } = world.config;
  if (leg.kind === 'voice-sip') return rates.voiceSipPerMinute;
  return leg.kind === 'voice-inbound' ? rates.voiceInboundPerMinute : rates.voiceOutboundPerMinute;
}

/** Seconds that a voice leg is charged for until now or its end. */
export const voiceSeconds = (world: World, leg: Leg): number =>
  secondsBetween(leg.answeredAt, leg.endedAt ?? world.clock.now());

function voiceLine(world: World, leg: Leg): LedgerLeg {
  const billedSeconds = voiceSeconds(world, leg);
  return {
    id: leg.uuid,
    kind: leg.kind,
    account: leg.applicationId,
    accountKey: owningAccount(world.config, leg.applicationId).apiKey,
    callId: leg.uuid,
    sessionId: leg.party.sessionId,
    conversation: leg.conversation.name,
    from: leg.from,
    to: leg.to,
    createdAt: leg.createdAt,
    answeredAt: leg.answeredAt,
    endedAt: leg.endedAt,
    endReason: leg.endReason,
    billedSeconds,
    chargeMicros: price(voiceRate(world, leg), billedSeconds),
    currency: 'EUR',
  };
}

function videoLine(world: World, session: VideoSession, connection: VideoConnection): LedgerLeg {
  const { rates } = world.config;
  const until = connection.endedAt ?? world.clock.now();
  const billed = (from: number | undefined): number => {
    const seconds = secondsBetween(from, until);
    return rates.videoGranularity === 'minute' ? Math.ceil(seconds / 60) * 60 : seconds;
  };
  // Participant minutes start once someone publishes; a SIP leg is a participant too (contract §7).
  const participant =
    session.publishedAt === undefined ? 0 : billed(Math.max(connection.createdAt, session.publishedAt));
  const sip = connection.sip === undefined ? 0 : billed(connection.sip.activeAt);
  return {
    id: connection.id,
    kind: connection.kind === 'sip' ? 'sip-interconnect' : 'webrtc',
    account: session.account,
    accountKey: owningAccount(world.config, session.account).apiKey,
    sessionId: session.id,
    connectionId: connection.id,
    callId: connection.sip?.leg?.uuid,
    from: connection.sip?.from,
    to: connection.sip?.to,
    createdAt: connection.createdAt,
    answeredAt: connection.sip === undefined ? connection.createdAt : connection.sip.activeAt,
    endedAt: connection.endedAt,
    endReason: connection.endReason,
    billedSeconds: connection.sip === undefined ? participant : sip,
    chargeMicros: price(rates.participantPerMinute, participant) + price(rates.sipInterconnectPerMinute, sip),
    currency: 'EUR',
  };
}

/** Every leg there ever was, since the last reset. */
export function readLedger(world: World, filter: { [field: string]: unknown } = {}): LedgerView {
  const wanted = Object.entries(filter).filter(([, value]) => value !== undefined);
  const legs = [
    ...[...world.legs.values()].map((leg) => voiceLine(world, leg)),
    ...[...world.sessions.values()].flatMap((session) =>
      [...session.connections.values()].map((connection) => videoLine(world, session, connection)),
    ),
  ].filter((leg) => wanted.every(([field, value]) => leg[field as keyof LedgerLeg] === value));
  return {
    now: world.clock.now(),
    legs,
    up: legs.filter((leg) => leg.endedAt === undefined).length,
    totalMicros: legs.reduce((sum, leg) => sum + leg.chargeMicros, 0),
  };
}
