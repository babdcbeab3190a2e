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
  /** How many calls can arrive at once. */
  readonly count: number;
  readonly registerTimeoutMs: number;
}

export type IncomingCall = Extract<SipEvent, { type: 'incoming-call' }>;

/** The SIP handles of one Janus connection: all are registered as one account. */
export interface SipLines {
  /** Attaches a handle for one outbound call. The caller detaches it. */
  openOutbound(): Promise<SipHandle>;
  /**
   * Replaces the handle of an incoming call that is over. A used handle rejects calls for up to a
   * second (measured with 1.1.2), a new one takes the next call at once.
   */
  replace(handle: SipHandle): Promise<void>;
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
  const serve = (handle: SipHandle): void =>
    void handle.onEvent((event) => {
      if (event.type === 'incoming-call') onIncoming(handle, event);
    });
  const master = await attachSip(connection, 'line');
  serve(master);
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
    const handle = await attachSip(connection, 'line');
    await handle.registerHelper(options.uri, masterId, options.registerTimeoutMs);
    return handle;
  };
  for (let attached = 1; attached < options.count; attached += BATCH) {
    const batch = Math.min(BATCH, options.count - attached);
    for (const handle of await Promise.all(Array.from({ length: batch }, attachHelper))) serve(handle);
  }
  return {
    openOutbound: attachHelper,
    async replace(handle) {
      // Without the first handle the registration ends. Calls pass it over while it is not free.
      if (handle === master) return;
      serve(await attachHelper());
      await handle.detach();
    },
  };
}
