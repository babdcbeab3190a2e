import type { JanusConnection } from '../connection.ts';
import { JanusError, rejected } from '../janus-error.ts';
import type { JsonObject } from '../read-json.ts';
import type { Jsep } from '../transport/core-event.ts';
import { JanusHandle, type HandleChannel, type PluginReply } from '../transport/handle.ts';
import { parseSipEvent, type SipEvent, type SipHeaders } from './sip-event.ts';
import { checkContactParams, checkCredential, checkHeaders, checkUri } from './sip-fields.ts';

export const SIP_PLUGIN = 'janus.plugin.sip';

/** Digest credentials: the password itself, or `ha1` = MD5(user:realm:password). */
export interface SipCredentials {
  /** User name of the digest, if it is not the user of the SIP URI. */
  readonly authUser?: string;
  readonly secret?: string;
  readonly ha1?: string;
}

export interface SipAccount extends SipCredentials {
  /** SIP URI of the account, e.g. `sip:gw@127.0.0.1:5060`: with the port, unless it is 5060. */
  readonly uri: string;
  readonly displayName?: string;
  /** SIP URI of the registrar. */
  readonly proxy?: string;
  readonly outboundProxy?: string;
  /** Lifetime of the registration in seconds. Janus refreshes it, and reports `registered` each time. */
  readonly registerTtlSeconds?: number;
  /** Prefixes of the non-standard headers that events carry, e.g. `X-`. */
  readonly incomingHeaderPrefixes?: readonly string[];
  readonly headers?: SipHeaders;
  readonly contactParams?: SipHeaders;
  readonly userAgent?: string;
  readonly transport?: 'udp' | 'tcp';
  readonly sips?: boolean;
  /** `guest` sends no REGISTER: the handle can call, and cannot be called. */
  readonly type?: 'guest';
}

export interface SipRegistration {
  /** Number by which helper handles join this account. */
  readonly masterId: number;
}

export type SrtpMode = 'sdes_optional' | 'sdes_mandatory';

export interface SipCall extends SipCredentials {
  readonly uri: string;
  readonly offer: Jsep;
  readonly headers?: SipHeaders;
  /** Call-ID of the new dialog. Janus chooses one by default. */
  readonly callId?: string;
  readonly srtp?: SrtpMode;
  readonly srtpProfile?: string;
  /** The `referId` of a `transfer` event that this call follows. Janus reports the progress to the transferor. */
  readonly referId?: number;
  /** Janus answers re-INVITEs itself (default). If false, they arrive as `updating-call`. */
  readonly autoAcceptReinvites?: boolean;
}

export interface SipAccept {
  /** The answer to the caller's offer, or an offer of ours if the INVITE had none. */
  readonly jsep: Jsep;
  readonly headers?: SipHeaders;
  readonly srtp?: SrtpMode;
  readonly autoAcceptReinvites?: boolean;
}

export interface SipMessage {
  readonly content: string;
  readonly contentType?: string;
  /** Without it, the message is sent in the dialog of the call. */
  readonly uri?: string;
  readonly headers?: SipHeaders;
  readonly callId?: string;
}

export interface SipSubscription {
  /** The event package, e.g. `message-summary`. */
  readonly event: string;
  /** SIP URI; the account itself by default. */
  readonly to?: string;
  readonly accept?: string;
  readonly ttlSeconds?: number;
  readonly headers?: SipHeaders;
  readonly callId?: string;
}

export interface SipRecording {
  readonly action: 'start' | 'stop' | 'pause' | 'resume';
  /** Path and start of the names of the .mjr files, as Janus sees them. */
  readonly filename?: string;
  readonly audio?: boolean;
  readonly video?: boolean;
  readonly peerAudio?: boolean;
  readonly peerVideo?: boolean;
  readonly sendPeerPli?: boolean;
}

/**
 * Attaches to Janus' SIP plugin. One handle holds one account and one call; a further call of the
 * account needs a helper handle (`registerHelper`).
 */
export function attachSip(connection: JanusConnection, opaqueId: string): Promise<SipHandle> {
  return connection.attach(SIP_PLUGIN, opaqueId, (channel) => new SipHandle(channel));
}

/**
 * A handle of the SIP plugin. The requests resolve when the plugin has taken them; SIP's outcome
 * follows as events.
 *
 * After a call with media, no event tells when the handle is free: Janus' relay thread looks only
 * once a second whether its call is over. Until then, Janus answers an incoming call with 486, or
 * passes it to a helper. Before `webrtc-down`, Janus rejects a `call` with 490; after it, two relay
 * threads may read the sockets of the new call. So detach a handle after its call and attach a new
 * one, which costs about 1 ms.
 *
 * After `hangup`, Janus closes the peer connection within half a second. Do not close it by a
 * request then: the handle is free at once, and Janus ends the next call instead.
 */
export class SipHandle extends JanusHandle<SipEvent> {
  constructor(channel: HandleChannel) {
    super(channel, { name: 'sip', parse: parseSipEvent, emitsReplies: true });
  }

  /**
   * Registers the account and waits for the registrar. Rejects with JanusError `rejected` and SIP's
   * code; 904 for wrong credentials.
   */
  register(account: SipAccount, timeoutMs: number): Promise<SipRegistration> {
    const request = 'sip.register';
    return this.#register(
      {
        username: checkUri(request, account.uri),
        ...this.#credentials(request, account),
        display_name: account.displayName,
        proxy: account.proxy === undefined ? undefined : checkUri(request, account.proxy),
        outbound_proxy: account.outboundProxy === undefined ? undefined : checkUri(request, account.outboundProxy),
        register_ttl: account.registerTtlSeconds,
        incoming_header_prefixes: account.incomingHeaderPrefixes,
        headers: checkHeaders(request, account.headers),
        contact_params: checkContactParams(request, account.contactParams),
        user_agent: account.userAgent,
        ...(account.transport === undefined ? {} : { [`force_${account.transport}`]: true }),
        sips: account.sips,
        type: account.type,
      },
      timeoutMs,
    );
  }

  /** Makes this handle a further line of the account that registered with `masterId`. `uri` is the account's. */
  registerHelper(uri: string, masterId: number, timeoutMs: number): Promise<SipRegistration> {
    return this.#register({ type: 'helper', username: checkUri('sip.register', uri), master_id: masterId }, timeoutMs);
  }

  /** Ends the registration. Janus then detaches the helpers of the account. Not for guests and helpers. */
  async unregister(timeoutMs: number): Promise<void> {
    await Promise.all([this.waitFor(['unregistered'], timeoutMs), this.requestPlugin('unregister', {})]);
  }

  /** Sends an INVITE and returns its Call-ID. `ringing`, `progress`, `accepted` or `hangup` follow. */
  async call(call: SipCall): Promise<{ callId: string }> {
    const request = 'sip.call';
    const reply = await this.requestPlugin(
      'call',
      {
        uri: checkUri(request, call.uri),
        ...this.#credentials(request, call),
        headers: checkHeaders(request, call.headers),
        call_id: call.callId,
        srtp: call.srtp,
        srtp_profile: call.srtpProfile,
        refer_id: call.referId,
        autoaccept_reinvites: call.autoAcceptReinvites,
      },
      { jsep: call.offer },
    );
    return { callId: this.#readCallId(request, reply) };
  }

  /** Answers the incoming call with 200. For an offerless INVITE, `accepted` with the answer follows. */
  async accept({ jsep, headers, srtp, autoAcceptReinvites }: SipAccept): Promise<void> {
    await this.requestPlugin(
      'accept',
      { headers: checkHeaders('sip.accept', headers), srtp, autoaccept_reinvites: autoAcceptReinvites },
      { jsep },
    );
  }

  /** Sends early media (183). Janus 1.1 cannot, and rejects it with 442 (unknown request). */
  async progress({ jsep, headers, srtp }: SipAccept): Promise<void> {
    await this.requestPlugin('progress', { headers: checkHeaders('sip.progress', headers), srtp }, { jsep });
  }

  /**
   * Rejects the incoming call with a SIP code from 400 on, or the transfer `referId`. Resolves when
   * Janus has the request: the plugin ignores it, without an answer, if no call is incoming.
   */
  async decline(decline: { code: number; headers?: SipHeaders; referId?: number }): Promise<void> {
    const headers = checkHeaders('sip.decline', decline.headers);
    await this.requestPlugin('decline', { code: decline.code, headers, refer_id: decline.referId }, { untilAck: true });
  }

  /**
   * Ends the call with BYE, or CANCEL before the answer. Resolves when Janus has the request: the
   * plugin ignores it, without an answer, if there is no call. `hangup` reports the end.
   */
  async hangUp(headers?: SipHeaders): Promise<void> {
    await this.requestPlugin('hangup', { headers: checkHeaders('sip.hangup', headers) }, { untilAck: true });
  }

  /**
   * Puts the call on hold by a re-INVITE. The plugin ignores it, without an answer, outside of a call
   * and while another re-INVITE of the call is in progress.
   */
  async hold(direction: 'sendonly' | 'recvonly' | 'inactive' = 'sendonly', headers?: SipHeaders): Promise<void> {
    await this.requestPlugin('hold', { direction, headers: checkHeaders('sip.hold', headers) }, { untilAck: true });
  }

  /** Resumes the call by a re-INVITE. The plugin ignores it in the same cases as {@link hold}. */
  async unhold(headers?: SipHeaders): Promise<void> {
    await this.requestPlugin('unhold', { headers: checkHeaders('sip.unhold', headers) }, { untilAck: true });
  }

  /**
   * Renegotiates the call: an offer of ours, whose answer comes with `accepted`, or the answer to
   * `updating-call`.
   */
  async update(jsep: Jsep): Promise<void> {
    await this.requestPlugin('update', {}, { jsep });
  }

  /** Sends one digit by SIP INFO (`application/dtmf-relay`). Janus' default is 160 ms, its limit 5000. */
  async sendDtmfInfo(digit: string, durationMs?: number, headers?: SipHeaders): Promise<void> {
    await this.requestPlugin('dtmf_info', {
      digit,
      duration: durationMs,
      headers: checkHeaders('sip.dtmf_info', headers),
    });
  }

  async sendInfo(contentType: string, content: string, headers?: SipHeaders): Promise<void> {
    await this.requestPlugin('info', { type: contentType, content, headers: checkHeaders('sip.info', headers) });
  }

  /** Sends a SIP MESSAGE and returns its Call-ID, by which `message-delivery` reports the result. */
  async sendMessage(message: SipMessage): Promise<{ callId: string }> {
    const request = 'sip.message';
    const reply = await this.requestPlugin('message', {
      content: message.content,
      content_type: message.contentType,
      uri: message.uri === undefined ? undefined : checkUri(request, message.uri),
      headers: checkHeaders(request, message.headers),
      call_id: message.callId,
    });
    return { callId: this.#readCallId(request, reply) };
  }

  /**
   * Sends a REFER: the peer should call `uri`. With `replace`, the Call-ID of another call of this
   * Janus, the transfer is attended. `notify` events report the progress; the calls stay as they are.
   */
  async transfer(uri: string, replace?: string): Promise<void> {
    await this.requestPlugin('transfer', { uri: checkUri('sip.transfer', uri), replace });
  }

  /** Sends a SUBSCRIBE. `subscribe-succeeded` or `subscribe-failed` follows, then `notify` events. */
  async subscribe(subscription: SipSubscription): Promise<void> {
    await this.#subscribe('subscribe', subscription);
  }

  async unsubscribe(subscription: Pick<SipSubscription, 'event' | 'to'>): Promise<void> {
    await this.#subscribe('unsubscribe', subscription);
  }

  async record(recording: SipRecording): Promise<void> {
    await this.requestPlugin('recording', {
      action: recording.action,
      filename: recording.filename,
      audio: recording.audio,
      video: recording.video,
      peer_audio: recording.peerAudio,
      peer_video: recording.peerVideo,
      send_peer_pli: recording.sendPeerPli,
    });
  }

  async #register(fields: JsonObject, timeoutMs: number): Promise<SipRegistration> {
    // Listens before it asks: a fast registrar's `registered` can overtake the reply, and for a
    // helper it is the reply.
    const [event] = await Promise.all([
      this.waitFor(['registered', 'registration-failed'], timeoutMs),
      this.requestPlugin('register', fields),
    ]);
    if (event.type === 'registration-failed') throw rejected('sip.register', event.code, event.reason);
    if (event.masterId === undefined) throw unexpected('sip.register', 'without a master id');
    return { masterId: event.masterId };
  }

  async #subscribe(request: 'subscribe' | 'unsubscribe', subscription: SipSubscription): Promise<void> {
    const name = `sip.${request}`;
    await this.requestPlugin(request, {
      event: subscription.event,
      to: subscription.to === undefined ? undefined : checkUri(name, subscription.to),
      accept: subscription.accept,
      subscribe_ttl: subscription.ttlSeconds,
      headers: checkHeaders(name, subscription.headers),
      call_id: subscription.callId,
    });
  }

  #credentials(request: string, { authUser, secret, ha1 }: SipCredentials): JsonObject {
    return {
      authuser: checkCredential(request, authUser),
      secret: checkCredential(request, secret),
      ha1_secret: checkCredential(request, ha1),
    };
  }

  #readCallId(request: string, { data }: PluginReply): string {
    const callId = parseSipEvent(data, undefined).callId;
    if (callId === undefined) throw unexpected(request, 'without a Call-ID');
    return callId;
  }
}

function unexpected(request: string, problem: string): JanusError {
  return new JanusError('unexpected', request, `Janus answered ${request} ${problem}`);
}
