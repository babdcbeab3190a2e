/**
 * SIP interconnect (contract §5). A dial returns 200 before the call reaches the voice side. The
 * call ends by a BYE, a REST disconnect, five minutes without media or after six hours; it does not
 * end when the last browser leaves.
 */
import type { EmulatorConfig } from '../config.ts';
import { findOwningAccount } from '../credentials/owning-account.ts';
import { endLeg } from '../voice/legs.ts';
import { keyDigits } from '../voice/keys.ts';
import { findApplicationId, receiveCall } from '../voice/receive-call.ts';
import { sendVideoEvent } from '../webhooks/video-hook.ts';
import type { Party, SipCall, VideoConnection, VideoSession, World } from '../world.ts';
import { openConnection, closeConnection } from './sessions.ts';

interface SipDial {
  uri: string;
  from?: string;
  headers: Record<string, string>;
  auth?: { username: string; password: string };
  data: string;
}

/** Parses `sip:<number>@<host>[:port][;params]`. Returns undefined for any other text. */
export function parseSipUri(uri: string): { user: string; host: string } | undefined {
  const match = /^sips?:([^@;]+)@([^:;?]+)(?::\d+)?(?:[;?].*)?$/i.exec(uri);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  try {
    return { user: decodeURIComponent(match[1]), host: match[2].toLowerCase() };
  } catch {
    return undefined; // a percent sign without two hexadecimal digits
  }
}

/**
 * Returns the number of a SIP address as caller id, or +00000000 without a number (contract §5).
 */
function toCallerId(from: string | undefined): string {
  const user = from?.split('@')[0]?.replace(/^\+/, '') ?? '';
  return /^\d+$/.test(user) ? user : '+00000000';
}

interface BridgedCall {
  world: World;
  session: VideoSession;
  connection: VideoConnection;
  sip: SipCall;
}

function sendCallEvent(
  { world, session, connection, sip }: BridgedCall,
  event: string,
  extra: { [field: string]: unknown } = {},
): void {
  sendVideoEvent(world, session, 'sip-callback', event, {
    call: { id: sip.id, connectionId: connection.id, createdAt: sip.createdAt },
    ...extra,
  });
}

function enterState(bridged: BridgedCall, state: 'DIALING' | 'RINGING' | 'ACTIVE'): void {
  bridged.sip.state = state;
  sendCallEvent(bridged, 'callUpdated', { state });
  bridged.world.changes.notify();
}

/** Ends the video side of the call: sends HANGUP and callDestroyed, then closes the connection. */
function endVideoSide(
  bridged: BridgedCall,
  code: string,
  message: string,
  reason: 'clientDisconnected' | 'forceDisconnected',
): void {
  const { world, session, connection, sip } = bridged;
  if (sip.state === 'ENDED') return;
  const wasActive = sip.state === 'ACTIVE';
  sip.state = 'ENDED';
  sip.stopMediaTimer?.();
  for (const cancel of sip.timers) cancel();
  if (wasActive) sendCallEvent(bridged, 'callUpdated', { state: 'HANGUP' });
  sendCallEvent(bridged, 'callDestroyed', { reason_code: code, reason_message: message });
  closeConnection(world, session, connection, reason);
}

function createGatewayParty(bridged: BridgedCall): Party {
  const { world, session, sip } = bridged;
  return {
    sessionId: session.id,
    recordEvent(event) {
      if (event === 'answered') {
        sip.activeAt = world.clock.now();
        enterState(bridged, 'ACTIVE');
        const cancel = world.clock.after(world.config.timings.sipMaxDurationMs, () =>
          endBothSides(bridged, '705', 'Max Duration'),
        );
        sip.timers.add(cancel);
        restartMediaTimer(bridged);
      }
      if (event === 'ended') {
        const answered = sip.leg?.answeredAt !== undefined;
        endVideoSide(
          bridged,
          answered ? '700' : '480',
          answered ? 'Normal Clearing' : 'Temporarily Unavailable',
          'clientDisconnected',
        );
      }
    },
  };
}

function endBothSides(bridged: BridgedCall, code: string, message: string): void {
  endVideoSide(bridged, code, message, 'clientDisconnected');
  if (bridged.sip.leg !== undefined)
    endLeg(bridged.world, bridged.sip.leg, { reason: message.toLowerCase().replaceAll(' ', '-'), by: 'user' });
}

function restartMediaTimer(bridged: BridgedCall): void {
  bridged.sip.stopMediaTimer?.();
  bridged.sip.stopMediaTimer = undefined;
  if (bridged.sip.mediaFlowing || bridged.sip.state !== 'ACTIVE') return;
  bridged.sip.stopMediaTimer = bridged.world.clock.after(bridged.world.config.timings.sipMediaTimeoutMs, () =>
    endBothSides(bridged, '704', 'Media Timeout'),
  );
}

/** Returns the configured SIP domain of an address. */
const findSipDomain = ({ config }: World, host: string | undefined): EmulatorConfig['sipDomains'][number] | undefined =>
  config.sipDomains.find(({ domain }) => domain === host);

/**
 * Checks the SIP digest credentials (contract §5): a user of the SIP domain, or else API key and
 * secret of the account that owns the number's application. For an unlinked number, the credentials
 * of any account are valid. Returns the error of a rejected dial.
 */
function checkDigest(
  world: World,
  address: { user: string; host: string } | undefined,
  auth: SipDial['auth'],
): { code: string; message: string } | undefined {
  if (auth === undefined) return { code: '401', message: 'Unauthorized' };
  const { config } = world;
  const sipDomain = findSipDomain(world, address?.host);
  if (sipDomain !== undefined) {
    const isUser = sipDomain.users.some((one) => one.username === auth.username && one.password === auth.password);
    return isUser ? undefined : { code: '403', message: 'Forbidden' };
  }
  const applicationId = address === undefined ? undefined : findApplicationId(world, address.user);
  const accounts =
    applicationId === undefined ? [config.account, ...config.accounts] : [findOwningAccount(config, applicationId)];
  const isAuthenticated = accounts.some(
    ({ apiKey, apiSecret }) => auth.username === apiKey && auth.password === apiSecret,
  );
  return isAuthenticated ? undefined : { code: '403', message: 'Forbidden' };
}

function inviteVoiceSide(bridged: BridgedCall, dial: SipDial): void {
  const { world, sip } = bridged;
  const address = parseSipUri(dial.uri);
  const digestError = checkDigest(world, address, dial.auth);
  if (digestError !== undefined)
    return endVideoSide(bridged, digestError.code, digestError.message, 'clientDisconnected');
  const sipDomain = findSipDomain(world, address?.host);
  const isVonageHost =
    address !== undefined && (sipDomain !== undefined || world.config.behaviour.sipHosts.includes(address.host));
  const isDisconnected = sip.state === 'ENDED';
  if (isDisconnected && world.config.behaviour.disconnectCancelsRinging) return;
  const call = isVonageHost
    ? receiveCall(world, {
        kind: 'voice-sip',
        endpointType: 'sip',
        from: sip.from,
        to: address.user,
        applicationId: sipDomain?.applicationId,
        party: createGatewayParty(bridged),
        sipHeaders: sip.headers,
      })
    : undefined;
  if (call === undefined) return endVideoSide(bridged, '404', 'Not Found', 'clientDisconnected');
  sip.leg = call.leg;
  call.leg.isAbandoned = isDisconnected;
  world.clock.after(world.config.timings.sipRingMs, () => {
    if (call.leg.endedAt !== undefined) return;
    if (sip.state !== 'ENDED') enterState(bridged, 'RINGING');
    call.ring();
  });
}

/** Opens a connection with a stream at once, then dials. */
export function dialSip(world: World, session: VideoSession, dial: SipDial): VideoConnection {
  const connection = openConnection(world, session, { kind: 'sip', data: dial.data, publish: true });
  const sip: SipCall = {
    id: world.newId(),
    state: 'DIALING',
    createdAt: world.clock.now(),
    to: dial.uri,
    from: toCallerId(dial.from),
    headers: { 'X-OpenTok-SessionId': session.id, ...dial.headers },
    mediaFlowing: true,
    timers: new Set(),
  };
  connection.sip = sip;
  const bridged = { world, session, connection, sip };
  sendCallEvent(bridged, 'callCreated');
  enterState(bridged, 'DIALING');
  // A disconnect does not cancel the INVITE in flight: the voice side rings.
  world.clock.after(world.config.timings.sipDialMs, () => inviteVoiceSide(bridged, dial));
  return connection;
}

/**
 * REST disconnect. An answered call gets a BYE. The voice leg of a ringing call continues to ring
 * until its own timer or hang-up, unless `disconnectCancelsRinging` is set.
 */
export function disconnectSip(world: World, session: VideoSession, connection: VideoConnection): void {
  const { sip } = connection;
  if (sip === undefined) return;
  const { leg } = sip;
  const wasActive = sip.state === 'ACTIVE';
  const bridged = { world, session, connection, sip };
  endVideoSide(
    bridged,
    wasActive ? '700' : '487',
    wasActive ? 'Normal Clearing' : 'Request Terminated',
    'forceDisconnected',
  );
  if (leg === undefined || leg.endedAt !== undefined) return;
  if (wasActive || world.config.behaviour.disconnectCancelsRinging) {
    return endLeg(world, leg, {
      reason: 'bye',
      by: 'user',
      ...(wasActive ? {} : { status: 'cancelled', sipCode: 487 }),
    });
  }
  leg.isAbandoned = true;
}

/** Stops or resumes the media of a SIP leg. Without media it ends after five minutes. */
export function setMediaFlowing(
  world: World,
  session: VideoSession,
  connection: VideoConnection,
  flowing: boolean,
): void {
  if (connection.sip === undefined) return;
  connection.sip.mediaFlowing = flowing;
  restartMediaTimer({ world, session, connection, sip: connection.sip });
}

/** Sends DTMF from the video side to the voice leg (RFC 4733). */
export function sendDigits(world: World, connection: VideoConnection, digits: string): void {
  if (connection.sip?.leg !== undefined) keyDigits(world, connection.sip.leg, digits);
}
