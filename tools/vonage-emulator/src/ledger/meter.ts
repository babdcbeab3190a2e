/**
 * The charge meter (contract §7), in integer micro-euros: voice per second from `answered`; SIP
 * interconnect and participants per started minute, or per second with `videoGranularity`.
 * It reads only the platform's own legs, so that it is independent of the customer's data.
 */
import { findOwningAccount } from '../credentials/owning-account.ts';
import type { LedgerLeg, LedgerView } from '../views.ts';
import type { Leg, VideoConnection, VideoSession, World } from '../world.ts';

const countSeconds = (from: number | undefined, to: number): number =>
  from === undefined ? 0 : Math.max(0, Math.ceil((to - from) / 1000));

/** Price in micro-euros of a duration at a per-minute rate, rounded to the nearest micro. */
export const computePriceMicros = (ratePerMinute: number, seconds: number): number =>
  Math.round((ratePerMinute * seconds) / 60);

/** Rate of a voice leg in micro-euros per minute. */
export function getVoiceRateMicros(world: World, leg: Leg): number {
  const { rates } = world.config;
  if (leg.kind === 'voice-sip') return rates.voiceSipPerMinute;
  return leg.kind === 'voice-inbound' ? rates.voiceInboundPerMinute : rates.voiceOutboundPerMinute;
}

/** Charged seconds of a voice leg, until its end or now. */
export const computeVoiceSeconds = (world: World, leg: Leg): number =>
  countSeconds(leg.answeredAt, leg.endedAt ?? world.clock.now());

function toVoiceLedgerLeg(world: World, leg: Leg): LedgerLeg {
  const billedSeconds = computeVoiceSeconds(world, leg);
  return {
    id: leg.uuid,
    kind: leg.kind,
    account: leg.applicationId,
    accountKey: findOwningAccount(world.config, leg.applicationId).apiKey,
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
    chargeMicros: computePriceMicros(getVoiceRateMicros(world, leg), billedSeconds),
    currency: 'EUR',
  };
}

function toVideoLedgerLeg(world: World, session: VideoSession, connection: VideoConnection): LedgerLeg {
  const { rates } = world.config;
  const until = connection.endedAt ?? world.clock.now();
  const billed = (from: number | undefined): number => {
    const seconds = countSeconds(from, until);
    return rates.videoGranularity === 'minute' ? Math.ceil(seconds / 60) * 60 : seconds;
  };
  // Participant minutes start with the first stream. A SIP leg is a participant too (contract §7).
  const participant =
    session.publishedAt === undefined ? 0 : billed(Math.max(connection.createdAt, session.publishedAt));
  const sip = connection.sip === undefined ? 0 : billed(connection.sip.activeAt);
  return {
    id: connection.id,
    kind: connection.kind === 'sip' ? 'sip-interconnect' : 'webrtc',
    account: session.account,
    accountKey: findOwningAccount(world.config, session.account).apiKey,
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
    chargeMicros:
      computePriceMicros(rates.participantPerMinute, participant) +
      computePriceMicros(rates.sipInterconnectPerMinute, sip),
    currency: 'EUR',
  };
}

/** Returns every leg since the last reset whose fields equal the filter. */
export function readLedger(world: World, filter: { [field: string]: unknown } = {}): LedgerView {
  const wanted = Object.entries(filter).filter(([, value]) => value !== undefined);
  const legs = [
    ...[...world.legs.values()].map((leg) => toVoiceLedgerLeg(world, leg)),
    ...[...world.sessions.values()].flatMap((session) =>
      [...session.connections.values()].map((connection) => toVideoLedgerLeg(world, session, connection)),
    ),
  ].filter((leg) => wanted.every(([field, value]) => leg[field as keyof LedgerLeg] === value));
  return {
    now: world.clock.now(),
    legs,
    up: legs.filter((leg) => leg.endedAt === undefined).length,
    totalMicros: legs.reduce((sum, leg) => sum + leg.chargeMicros, 0),
  };
}
