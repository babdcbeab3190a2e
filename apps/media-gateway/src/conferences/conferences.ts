import { attachAudioBridge, type AudioBridgeHandle } from '@partyline/janus/audio-bridge/audio-bridge-handle';
import type { JanusConnection } from '@partyline/janus/connection';

/** Wide-band: a narrow-band room would limit browsers to telephone quality. */
const SAMPLING_RATE = 16_000;
/** The jitter between the gateway and its Janus is small. In packets. */
const PREBUFFERING = 3;

/** One member of a conference: a call or a browser. */
export interface Member {
  readonly id: string;
  /** The conference has started: it stops to wait. Called at once if it has. */
  onStarted(): void;
  /** The conference has ended, because a member whose exit ends it has left. */
  onEnded(): void;
}

interface Conference {
  readonly members: Map<string, Member>;
  hasStarted: boolean;
  /** The AudioBridge room; rejects when it could not be created. */
  room: Promise<void>;
}

export interface ConferenceDeps {
  readonly adminKey: string;
  /** Returns the secret of a room, with which it is controlled. */
  readonly secretOf: (conference: string) => string;
  readonly onError: (error: unknown) => void;
}

/**
 * The conferences of one Janus connection. A conference begins with its first member and ends with
 * its last. Its name is the name of its AudioBridge room.
 */
export class Conferences {
  readonly #connection: JanusConnection;
  readonly #deps: ConferenceDeps;
  readonly #all = new Map<string, Conference>();
  readonly #pending = new Map<string, Promise<void>>();
  #control: Promise<AudioBridgeHandle> | undefined;

  constructor(connection: JanusConnection, deps: ConferenceDeps) {
    this.#connection = connection;
    this.#deps = deps;
  }

  /**
   * Adds a member, and creates the room if needed.
   * @param starts whether the conference starts with this member; others wait until then
   * @returns when the room exists
   * @throws JanusError when it cannot be created; the member is not in then
   */
  async enter(name: string, member: Member, starts: boolean): Promise<void> {
    let conference = this.#all.get(name);
    if (conference === undefined) {
      conference = { members: new Map(), hasStarted: false, room: this.#createRoom(name) };
      this.#all.set(name, conference);
    }
    conference.members.set(member.id, member);
    try {
      await conference.room;
    } catch (error) {
      this.#remove(name, conference, member.id);
      throw error;
    }
    if (!conference.members.has(member.id)) return;
    if (starts && !conference.hasStarted) {
      conference.hasStarted = true;
      for (const each of conference.members.values()) each.onStarted();
    } else if (conference.hasStarted) member.onStarted();
  }

  /** Removes a member; the room is destroyed after the last one. @param ends whether all others must leave too */
  leave(name: string, memberId: string, ends = false): void {
    const conference = this.#all.get(name);
    if (conference === undefined || !conference.members.has(memberId)) return;
    const others = [...conference.members.values()].filter(({ id }) => id !== memberId);
    this.#remove(name, conference, memberId);
    if (ends) for (const other of others) other.onEnded();
  }

  /** The names of the conferences with members. */
  get names(): readonly string[] {
    return [...this.#all.keys()];
  }

  #remove(name: string, conference: Conference, memberId: string): void {
    conference.members.delete(memberId);
    if (conference.members.size > 0 || this.#all.get(name) !== conference) return;
    this.#all.delete(name);
    this.#inOrder(name, () => this.#destroyRoom(name)).catch(this.#deps.onError);
  }

  /** Runs the creations and destructions of a room in their order, so that a room that is needed again exists. */
  #inOrder(name: string, work: () => Promise<void>): Promise<void> {
    const done = (this.#pending.get(name) ?? Promise.resolve()).catch(() => undefined).then(work);
    this.#pending.set(name, done);
    void done
      .catch(() => undefined)
      .then(() => {
        if (this.#pending.get(name) === done) this.#pending.delete(name);
      });
    return done;
  }

  #createRoom(name: string): Promise<void> {
    return this.#inOrder(name, async () => {
      await (
        await this.#openControl()
      ).createRoom({
        room: name,
        adminKey: this.#deps.adminKey,
        secret: this.#deps.secretOf(name),
        samplingRate: SAMPLING_RATE,
        allowRtpParticipants: true,
        prebuffering: PREBUFFERING,
      });
    });
  }

  async #destroyRoom(name: string): Promise<void> {
    if (this.#all.has(name)) return;
    await (await this.#openControl()).destroyRoom(name, this.#deps.secretOf(name));
  }

  /** One handle creates and destroys all rooms. */
  #openControl(): Promise<AudioBridgeHandle> {
    const control = (this.#control ??= attachAudioBridge(this.#connection, 'conferences'));
    control.catch(() => (this.#control = undefined));
    return control;
  }
}
