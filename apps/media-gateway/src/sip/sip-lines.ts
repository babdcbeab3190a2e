import type { JanusConnection } from '@partyline/janus/connection';
import type { SipEvent } from '@partyline/janus/sip/sip-event';
import { attachSip, type SipHandle } from '@partyline/janus/sip/sip-handle';

/** The registration of this gateway at kamailio. */
export interface SipLineOptions {
  /** The address of record, `sip:gw-1@host:port`. */
  readonly uri: string;
  readonly secret: string;
  /** Kamailio, `sip:host:port`. */
  readonly proxy: string;
  /** How many handles. */
  readonly count: number;
  readonly registerTimeoutMs: number;
}

export type IncomingCall = Extract<SipEvent, { type: 'incoming-call' }>;

/**
 * The SIP handles of one Janus connection: all are registered as one account. Janus gives an
 * incoming call to the first free one. A handle is free up to a second after its call: Janus 1.1.2
 * waits for the thread that relays its sound, so there must be more handles than calls.
 */
export interface SipLines {
  /**
   * Attaches a handle for one outbound call. The caller detaches it, unless an incoming call has
   * taken it before: then it is one more handle for incoming calls.
   */
  openOutbound(): Promise<SipHandle>;
}

/** The headers that calls carry to us: our own, and those that name the caller. */
const HEADER_PREFIXES = ['X-', 'P-Asserted-Identity', 'Remote-Party-ID', 'Diversion'];
const REGISTER_TTL_S = 60;
/** Helpers attached at the same time. */
const BATCH = 50;

/**
 * Registers at kamailio and attaches all handles. A handle for each possible call is attached
 * beforehand: it costs 10 kB, and attaching one while calls arrive would make them wait.
 * @param onIncoming called with the handle that the call occupies until its `webrtc-down`
 * @throws JanusError, also when kamailio rejects the registration
 */
export async function openSipLines(
  connection: JanusConnection,
  options: SipLineOptions,
  onIncoming: (handle: SipHandle, call: IncomingCall) => void,
): Promise<SipLines> {
  const serve = (handle: SipHandle): SipHandle => {
    handle.onEvent((event) => {
      if (event.type === 'incoming-call') onIncoming(handle, event);
    });
    return handle;
  };
  const master = serve(await attachSip(connection, 'line'));
  const { masterId } = await master.register(
    {
      uri: options.uri,
      secret: options.secret,
      proxy: options.proxy,
      outboundProxy: options.proxy,
      registerTtlSeconds: REGISTER_TTL_S,
      incomingHeaderPrefixes: HEADER_PREFIXES,
    },
    options.registerTimeoutMs,
  );
  const attachHelper = async (): Promise<SipHandle> => {
    const handle = serve(await attachSip(connection, 'line'));
    await handle.registerHelper(options.uri, masterId, options.registerTimeoutMs);
    return handle;
  };
  for (let attached = 1; attached < options.count; attached += BATCH) {
    const batch = Math.min(BATCH, options.count - attached);
    await Promise.all(Array.from({ length: batch }, attachHelper));
  }
  return { openOutbound: attachHelper };
}
