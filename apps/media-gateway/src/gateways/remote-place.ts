import { VerdictError } from '@partyline/domain/verdict';
import type { RawData, WebSocket } from 'ws';
import type { Timers } from '../audio/frame-clock.ts';
import type { Place, PlaceEvents, PlaceRequest, RtpAddress } from '../conferences/place.ts';
import { memberMessage, type MemberMessage, type MemberRequest } from './messages.ts';
import { watchSocket } from './watch-socket.ts';

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
type Reply = Extract<MemberMessage, { re: number }>;

/** The other gateway asks its Janus. */
const REPLY_TIMEOUT_MS = 6_000;
/** The number of the first request, which is `enter`. */
const ENTER_ID = 1;

/** The place of a call in a conference of another gateway, for as long as the WebSocket to it is open. */
export class RemotePlace implements Place {
  readonly #socket: WebSocket;
  readonly #timers: Timers;
  readonly #events: PlaceEvents;
  readonly #waiting = new Map<number, PromiseWithResolvers<Reply>>();
  #lastId = 0;
  #isOpen = true;
  /** The other gateway has accepted the call. */
  #hasEntered = false;

  private constructor(socket: WebSocket, timers: Timers, events: PlaceEvents) {
    this.#socket = socket;
    this.#timers = timers;
    this.#events = events;
    watchSocket(socket, timers);
    socket.on('message', (data) => this.#receive(data));
    socket.on('close', () => this.#closed());
  }

  /**
   * Enters the conference of another gateway.
   * @param socket `OtherGateways.openSocket` of its members' path; it is closed in the end
   * @throws VerdictError (upstream) when the other gateway has not accepted the call
   */
  static async take(
    socket: WebSocket,
    { callId, starts }: PlaceRequest,
    events: PlaceEvents,
    timers: Timers,
  ): Promise<RemotePlace> {
    const place = new RemotePlace(socket, timers, events);
    try {
      await place.#request({ do: 'enter', callId, starts });
      return place;
    } catch (error) {
      place.#isOpen = false;
      socket.close();
      throw error;
    }
  }

  async connect(rtp: RtpAddress, isMuted: boolean): Promise<RtpAddress> {
    const reply = await this.#request({ do: 'connect', rtp, isMuted });
    if (reply.rtp === undefined) throw failed('it named no address');
    return reply.rtp;
  }

  async setMuted(isMuted: boolean): Promise<void> {
    await this.#request({ do: 'mute', isMuted });
  }

  leave(ends: boolean): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#send({ do: 'leave', ends });
    // What was sent before is still delivered.
    this.#socket.close();
  }

  async #request(request: WithoutId<MemberRequest>): Promise<Reply> {
    const waiting = Promise.withResolvers<Reply>();
    const id = this.#send(request);
    this.#waiting.set(id, waiting);
    const cancel = this.#timers.setTimer(REPLY_TIMEOUT_MS, () => waiting.reject(failed('it did not answer')));
    try {
      if (this.#socket.readyState !== this.#socket.OPEN) throw failed('its connection is closed');
      const reply = await waiting.promise;
      if (reply.problem !== undefined) throw failed(reply.problem);
      return reply;
    } finally {
      cancel();
      this.#waiting.delete(id);
    }
  }

  #send(request: WithoutId<MemberRequest>): number {
    this.#lastId += 1;
    if (this.#socket.readyState === this.#socket.OPEN)
      this.#socket.send(JSON.stringify({ ...request, id: this.#lastId }));
    return this.#lastId;
  }

  #receive(data: RawData): void {
    const parsed = memberMessage.safeParse(JSON.parse((data as Buffer).toString('utf8')));
    // A gateway of another version. The call enters again.
    if (!parsed.success) return this.#socket.terminate();
    const message: MemberMessage = parsed.data;
    if ('re' in message) {
      if (message.re === ENTER_ID && message.problem === undefined) this.#hasEntered = true;
      return this.#waiting.get(message.re)?.resolve(message);
    }
    if (!this.#isOpen) return;
    if (message.event === 'started') this.#events.onStarted();
    else if (message.event === 'ended') this.#events.onEnded();
    else this.#events.onRemoved();
  }

  #closed(): void {
    for (const waiting of this.#waiting.values()) waiting.reject(failed('its connection was lost'));
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // Before, `take` rejects.
    if (this.#hasEntered) this.#events.onHomeLost();
  }
}

const failed = (why: string): VerdictError =>
  new VerdictError('upstream', 'gateway-not-ready', `The gateway of the conference did not take the call: ${why}.`);
