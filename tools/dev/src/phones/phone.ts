import type { SipMessage } from './sip-message.ts';

/** A real SIP client on loopback, controlled by a test or a demo. */
export interface Phone {
  readonly name: string;
  /** Where it is reached directly, e.g. `sip:anna@127.0.0.1:21000`. */
  readonly uri: string;
  /**
   * Returns the SIP messages that the client itself has logged. They witness what happened to its
   * calls without asking the system under test; see `callsUp` and `requestsOf`.
   */
  messages(): readonly SipMessage[];
  /** Ends its calls and the program. */
  stop(): Promise<void>;
  /**
   * Stops the program without ending it: no packet leaves it any more, as if its network was lost.
   * `stop` then kills it.
   */
  freeze(): void;
  /** Continues a frozen program, which then reads what has arrived. */
  thaw(): void;
  /** Kills the program. Its calls get no BYE; its ports are closed, which a sender notices. */
  vanish(): Promise<void>;
}
