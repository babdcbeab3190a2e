import type { JanusConnection } from '@partyline/janus/connection';
import { JanusError } from '@partyline/janus/janus-error';
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
  /** A registration lives for this time; Janus refreshes it. */
  readonly registerTtlSeconds: number;
  readonly registerTimeoutMs: number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Kamailio has rejected the registration, or did not answer. It is tried again. */
  readonly onUnregistered: (error: unknown) => void;
}

export type IncomingCall = Extract<SipEvent, { type: 'incoming-call' }>;

/**
 * The SIP handles of one Janus connection: all are registered as one account. Janus gives an
 * incoming call to the first free one. A handle is free up to a second after its call: Janus 1.1.2
 * waits for the thread that relays its audio, so there must be more handles than calls.
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
const REGISTER_AGAIN_MS = 1_000;
/** Helpers attached at the same time. */
const BATCH = 50;

/**
 * Registers at kamailio and attaches all handles. A handle for each possible call is attached
 * beforehand: it costs 10 kB, and attaching one while calls arrive would make them wait.
 * @param onIncoming called with the handle that the call occupies until its `webrtc-down`
 * @throws JanusError; Error that names the fix when kamailio does not accept the registration
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
  const account = {
    uri: options.uri,
    secret: options.secret,
    proxy: options.proxy,
    outboundProxy: options.proxy,
    registerTtlSeconds: options.registerTtlSeconds,
  };
  const master = serve(await attachSip(connection, 'line'));
  const { masterId } = await master
    .register({ ...account, incomingHeaderPrefixes: HEADER_PREFIXES }, options.registerTimeoutMs)
    .catch((error: unknown) => {
      throw error instanceof JanusError ? new Error(describeRegistration(error), { cause: error }) : error;
    });
  let isClosing = false;
  const closeConnection = (): void => {
    if (!isClosing) void connection.close();
    isClosing = true;
  };
  let isRegistering = false;
  /** Janus gives up after one failed refresh, and forgets the account. */
  const registerAgain = async (): Promise<void> => {
    isRegistering = true;
    while (!master.isDetached) {
      await options.sleep(REGISTER_AGAIN_MS);
      try {
        await master.register(account, options.registerTimeoutMs);
        break;
      } catch (error) {
        options.onUnregistered(error);
      }
    }
    isRegistering = false;
  };
  master.onEvent((event) => {
    if (event.type === 'registration-failed' && !isRegistering) {
      options.onUnregistered(new Error(`The registration failed with ${event.code}`));
      void registerAgain();
    }
    // The other handles end with the first one.
    if (event.type === 'detached') closeConnection();
  });
  const attachHelper = async (): Promise<SipHandle> => {
    const handle = serve(await attachSip(connection, 'line'));
    await handle.registerHelper(options.uri, masterId, options.registerTimeoutMs);
    return handle;
  };
  const attachLine = async (): Promise<void> => {
    // Janus detaches all helpers when a failed registration is repeated. The next connection has lines again.
    (await attachHelper()).onEvent(({ type }) => {
      if (type === 'detached') closeConnection();
    });
  };
  for (let attached = 1; attached < options.count; attached += BATCH) {
    const batch = Math.min(BATCH, options.count - attached);
    await Promise.all(Array.from({ length: batch }, attachLine));
  }
  return { openOutbound: attachHelper };
}

/** The status of Janus for a digest that kamailio does not accept. */
const WRONG_DIGEST = 904;
const FORBIDDEN = 403;

function describeRegistration({ code, message }: JanusError): string {
  if (code === WRONG_DIGEST)
    return 'kamailio rejected the secret of this gateway. Set KAMAILIO_GATEWAY_SECRET to the same value at both.';
  if (code === FORBIDDEN)
    return 'kamailio rejected the address of this gateway. Add it to group 3 of the address file of kamailio.';
  return `The gateway is not registered at kamailio: ${message}. Start kamailio, and check KAMAILIO_SIP.`;
}
