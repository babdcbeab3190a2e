/**
 * SIP interconnect (contract §5): dial answers 200 whatever the call does; the call then makes its own way to the
 * Voice side. Only a BYE, a REST disconnect, five minutes without media or six hours end it: never the last browser.
 */
import { owningAccount } from '../credentials/owning-account.ts';
import { endLeg } from '../voice/legs.ts';
import { keyDigits } from '../voice/keys.ts';
import { applicationOf, receiveCall } from '../voice/receive-call.ts';
import { notifyVideo } from '../webhooks/video-hook.ts';
import type { Party, SipCall, VideoConnection, VideoSession, World } from '../world.ts';
import { connect, disconnect } from './sessions.ts';

interface SipDial {
  uri: string;
  from?: string;
  headers: Record<string, string>;
  auth?: { username: string; password: string };
  data: string;
}

/** `sip:<number>@<host>[:port][;params]`; the host is parsed, never resolved. */
export function parseSipUri(uri: string): { user: string; host: string } | undefined {
  const match = /^sips?:([^@;]+)@([^:;?]+)(?::\d+)?(?:[;?].*)?$/i.exec(uri);
  return match?.[1] === undefined || match[2] === undefined
    ? undefined
    : { user: decodeURIComponent(match[1]), host: match[2].toLowerCase() };
}

/** A number shows as the caller id, anything else as +00000000 (contract §5). */
function callerId(from: string | undefined): string {
  const user = from?.split('@')[0]?.replace(/^\+/, '') ?? '';
  return /^\d+$/.test(user) ? user : '+00000000';
}

interface Line {
  world: World;
  session: VideoSession;
  connection: VideoConnection;
  sip: SipCall;
}

function tell(
  { world, session, connection, sip }: Line,
  event: string,
  extra: { [field: string]: unknown } = {},
): void {
  notifyVideo(world, session, 'sip-callback', event, {
    call: { id: sip.id, connectionId: connection.id, createdAt: sip.createdAt },
    ...extra,
  });
}

function enter(line: Line, state: 'DIALING' | 'RINGING' | 'ACTIVE'): void {
  line.sip.state = state;
  tell(line, 'callUpdated', { state });
  line.world.board.changed();
}

/** Ends the video side of the call: HANGUP, callDestroyed with its reason, then the connection. */
function destroy(line: Line, code: string, message: string, reason: 'clientDisconnected' | 'forceDisconnected'): void {
  const { world, session, connection, sip } = line;
  if (sip.state === 'ENDED') return;
  const wasActive = sip.state === 'ACTIVE';
  sip.state = 'ENDED';
  sip.stopMediaTimer?.();
  for (const cancel of sip.timers) cancel();
  if (wasActive) tell(line, 'callUpdated', { state: 'HANGUP' });
  tell(line, 'callDestroyed', { reason_code: code, reason_message: message });
  disconnect(world, session, connection, reason);
}

function gatewayParty(line: Line): Party {
  const { world, session, sip } = line;
  return {
    sessionId: session.id,
    note(event) {
      if (event === 'answered') {
        sip.activeAt = world.clock.now();
        enter(line, 'ACTIVE');
        const cancel = world.clock.after(world.config.timings.sipMaxDurationMs, () =>
          hangUpBoth(line, '705', 'Max Duration'),
        );
        sip.timers.add(cancel);
        watchMedia(line);
      }
      if (event === 'ended') {
        const answered = sip.leg?.answeredAt !== undefined;
        destroy(
          line,
          answered ? '700' : '480',
          answered ? 'Normal Clearing' : 'Temporarily Unavailable',
          'clientDisconnected',
        );
      }
    },
  };
}

function hangUpBoth(line: Line, code: string, message: string): void {
  destroy(line, code, message, 'clientDisconnected');
  if (line.sip.leg !== undefined)
    endLeg(line.world, line.sip.leg, { reason: message.toLowerCase().replaceAll(' ', '-'), by: 'user' });
}

function watchMedia(line: Line): void {
  line.sip.stopMediaTimer?.();
  line.sip.stopMediaTimer = undefined;
  if (line.sip.mediaFlowing || line.sip.state !== 'ACTIVE') return;
  line.sip.stopMediaTimer = line.world.clock.after(line.world.config.timings.sipMediaTimeoutMs, () =>
    hangUpBoth(line, '704', 'Media Timeout'),
  );
}

/**
 * Digest (contract §5): user is the API key of the account that owns the number's application, password its secret; any account will do for
 * a number that is nobody's. The refusal comes after dial's 200.
 */
function digestRefusal(
  { config }: World,
  applicationId: string | undefined,
  auth: SipDial['auth'],
): { code: string; message: string } | undefined {
  if (auth === undefined) return { code: '401', message: 'Unauthorized' };
  const accounts =
    applicationId === undefined ? [config.account, ...config.accounts] : [owningAccount(config, applicationId)];
  const known = accounts.some(({ apiKey, apiSecret }) => auth.username === apiKey && auth.password === apiSecret);
  return known ? undefined : { code: '403', message: 'Forbidden' };
}

function reach(line: Line, dial: SipDial): void {
  const { world, sip } = line;
  const address = parseSipUri(dial.uri);
  const refusal = digestRefusal(
    world,
    address === undefined ? undefined : applicationOf(world, address.user),
    dial.auth,
  );
  if (refusal !== undefined) return destroy(line, refusal.code, refusal.message, 'clientDisconnected');
  const known = address !== undefined && world.config.behaviour.sipHosts.includes(address.host);
  const letGo = sip.state === 'ENDED';
  if (letGo && world.config.behaviour.disconnectCancelsRinging) return;
  const call = known
    ? receiveCall(world, {
        kind: 'voice-sip',
        endpointType: 'sip',
        from: sip.from,
        to: address.user,
        party: gatewayParty(line),
        sipHeaders: sip.headers,
      })
    : undefined;
  if (call === undefined) return destroy(line, '404', 'Not Found', 'clientDisconnected');
  sip.leg = call.leg;
  call.leg.orphaned = letGo;
  world.clock.after(world.config.timings.sipRingMs, () => {
    if (call.leg.endedAt !== undefined) return;
    if (sip.state !== 'ENDED') enter(line, 'RINGING');
    call.ring();
  });
}

/** Makes connection and stream at once, then dials. */
export function dialSip(world: World, session: VideoSession, dial: SipDial): VideoConnection {
  const connection = connect(world, session, { kind: 'sip', data: dial.data, publish: true });
  const sip: SipCall = {
    id: world.newId(),
    state: 'DIALING',
    createdAt: world.clock.now(),
    to: dial.uri,
    from: callerId(dial.from),
    headers: { 'X-OpenTok-SessionId': session.id, ...dial.headers },
    mediaFlowing: true,
    timers: new Set(),
  };
  connection.sip = sip;
  const line = { world, session, connection, sip };
  tell(line, 'callCreated');
  enter(line, 'DIALING');
  // Not cancelled by a disconnect: the INVITE is on its way, and the voice side will ring (design §2).
  world.clock.after(world.config.timings.sipDialMs, () => reach(line, dial));
  return connection;
}

/**
 * REST disconnect. An answered call gets its BYE. A call that still rings is only let go of: the voice leg rings on
 * until its own timer or its own hang-up (design §2), unless `disconnectCancelsRinging`.
 */
export function disconnectSip(world: World, session: VideoSession, connection: VideoConnection): void {
  const { sip } = connection;
  if (sip === undefined) return;
  const { leg } = sip;
  const wasActive = sip.state === 'ACTIVE';
  const line = { world, session, connection, sip };
  destroy(line, wasActive ? '700' : '487', wasActive ? 'Normal Clearing' : 'Request Terminated', 'forceDisconnected');
  if (leg === undefined || leg.endedAt !== undefined) return;
  if (wasActive || world.config.behaviour.disconnectCancelsRinging) {
    return endLeg(world, leg, {
      reason: 'bye',
      by: 'user',
      ...(wasActive ? {} : { status: 'cancelled', sipCode: 487 }),
    });
  }
  leg.orphaned = true;
}

/** Media towards the SIP leg stops or flows again (five-minute rule). */
export function setMedia(world: World, session: VideoSession, connection: VideoConnection, flowing: boolean): void {
  if (connection.sip === undefined) return;
  connection.sip.mediaFlowing = flowing;
  watchMedia({ world, session, connection, sip: connection.sip });
}

/** DTMF from the video side arrives on the voice leg (RFC 4733). */
export function sendDigits(world: World, connection: VideoConnection, digits: string): void {
  if (connection.sip?.leg !== undefined) keyDigits(world, connection.sip.leg, digits);
}
