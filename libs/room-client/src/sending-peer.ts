import type { IceServer, PeerName } from '@partyline/contracts/gateway-socket/messages';
import { trickle } from './candidates.ts';
import { RoomError } from './room-error.ts';
import type { Request } from './signaling.ts';

export interface SendingPeerOptions {
  readonly name: Exclude<PeerName, 'subscription'>;
  readonly iceServers: () => readonly IceServer[];
  /** Adds the transceiver of a new peer connection. */
  readonly prepare: (connection: RTCPeerConnection, track: MediaStreamTrack | null) => void;
  /** Sends an offer and returns the answer. @throws RoomError */
  readonly negotiate: (offer: string) => Promise<string>;
  readonly sendCandidates: (request: Extract<Request, { do: 'add-candidates' }>) => Promise<unknown>;
}

const CONNECT_TIMEOUT_MS = 15_000;
/** A peer connection that is disconnected so long restarts ICE, and then is made anew. */
const DISCONNECTED_MS = 3_000;
const RESTART_MS = 5_000;

/**
 * A peer connection that this browser offers: the audio, the camera or the screen. It repairs itself:
 * an ICE restart first, and a new peer connection if that does not help.
 */
export class SendingPeer {
  readonly #options: SendingPeerOptions;
  #connection: RTCPeerConnection;
  #track: MediaStreamTrack | null;
  #pending: Promise<void> = Promise.resolve();
  #repair: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: SendingPeerOptions, track: MediaStreamTrack | null) {
    this.#options = options;
    this.#track = track;
    this.#connection = this.#create();
  }

  get isConnected(): boolean {
    return this.#connection.connectionState === 'connected';
  }

  /** Connects. @throws RoomError */
  async connect(): Promise<void> {
    const negotiated = this.#pending.then(() => this.#negotiate(false));
    this.#pending = negotiated.catch(() => undefined);
    await negotiated;
    await this.#connected();
  }

  /** Sends another track, or none, without a negotiation. */
  async replaceTrack(track: MediaStreamTrack | null): Promise<void> {
    this.#track = track;
    await this.#connection.getSenders()[0]?.replaceTrack(track);
  }

  /** Negotiates ICE anew, because the network or the socket has changed. */
  restart(): void {
    this.#try(() => this.#negotiate(true));
  }

  /** Makes a new peer connection in place of a lost one. */
  renew(): void {
    this.#try(async () => {
      this.#connection.close();
      this.#connection = this.#create();
      await this.#negotiate(false);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#dispose();
  }

  /** Runs one repair after another. A failed one is followed by the next check of the state. */
  #try(repair: () => Promise<void>): void {
    if (this.#isClosed) return;
    this.#pending = this.#pending.then(() => (this.#isClosed ? undefined : repair())).catch(() => undefined);
    this.#checkAfter(RESTART_MS);
  }

  #create(): RTCPeerConnection {
    const connection = new RTCPeerConnection({ iceServers: this.#iceServers() });
    this.#options.prepare(connection, this.#track);
    trickle(connection, this.#options.name, this.#options.sendCandidates);
    connection.addEventListener('connectionstatechange', () => {
      if (connection !== this.#connection) return;
      if (connection.connectionState === 'connected') clearTimeout(this.#repair);
      if (connection.connectionState === 'disconnected') this.#checkAfter(DISCONNECTED_MS, () => this.restart());
      if (connection.connectionState === 'failed') this.restart();
    });
    return connection;
  }

  #iceServers(): RTCIceServer[] {
    return this.#options.iceServers().map((each) => ({ ...each }));
  }

  #dispose(): void {
    clearTimeout(this.#repair);
    this.#connection.close();
  }

  #checkAfter(ms: number, repair = (): void => this.renew()): void {
    clearTimeout(this.#repair);
    this.#repair = setTimeout(() => {
      if (!this.#isClosed && !this.isConnected) repair();
    }, ms);
  }

  async #negotiate(isRestart: boolean): Promise<void> {
    const connection = this.#connection;
    // They are known after the join, and are new after a resumption.
    connection.setConfiguration({ ...connection.getConfiguration(), iceServers: this.#iceServers() });
    await connection.setLocalDescription(await connection.createOffer({ iceRestart: isRestart }));
    const sdp = await this.#options.negotiate(connection.localDescription?.sdp ?? '');
    await connection.setRemoteDescription({ type: 'answer', sdp });
  }

  #connected(): Promise<void> {
    const connection = this.#connection;
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(new RoomError('media-failed', 'No media connection could be established.'));
      const timer = setTimeout(fail, CONNECT_TIMEOUT_MS);
      const check = (): void => {
        if (!['connected', 'failed', 'closed'].includes(connection.connectionState)) return;
        clearTimeout(timer);
        connection.removeEventListener('connectionstatechange', check);
        if (connection.connectionState === 'connected') resolve();
        else fail();
      };
      connection.addEventListener('connectionstatechange', check);
      check();
    });
  }
}
