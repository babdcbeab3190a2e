import { attachAudioBridge, type AudioBridgeHandle } from '@partyline/janus/audio-bridge/audio-bridge-handle';
import type { JanusConnection } from '@partyline/janus/connection';
import { attachVideoRoom, type VideoRoomHandle } from '@partyline/janus/video-room/video-room-handle';

/** Wide-band: a narrow-band room would limit browsers to telephone quality. */
const SAMPLING_RATE = 16_000;
/** The jitter between the gateway and its Janus is small. In packets. */
const PREBUFFERING = 3;
/** Half a second decides whether a browser talks. */
const TALKING_PACKETS = 25;
/** Cameras and screens in one conference. */
const MAX_VIDEOS = 200;
const MAX_VIDEO_BITS_PER_SECOND = 2_000_000;
/** VP8 first: every browser sends it, and with simulcast. */
const VIDEO_CODECS = ['vp8', 'h264'] as const;

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
  /** The VideoRoom, from the first browser on. */
  videoRoom: Promise<void> | undefined;
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
  #videoControl: Promise<VideoRoomHandle> | undefined;

  constructor(connection: JanusConnection, deps: ConferenceDeps) {
    this.#connection = connection;
    this.#deps = deps;
  }

  /**
   * Destroys the rooms of earlier connections, which end with a connection that is lost. Rooms of
   * others have another secret.
   * @throws JanusError when Janus does not list its rooms
   */
  async destroyLeftRooms(): Promise<void> {
    for (const control of [await this.#openControl(), await this.#openVideoControl()]) {
      const names = await control.listRooms(this.#deps.adminKey);
      await Promise.all(
        names.map((name) => control.destroyRoom(name, this.#deps.secretOf(name)).catch(this.#deps.onError)),
      );
    }
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
      conference = { members: new Map(), hasStarted: false, room: this.#createRoom(name), videoRoom: undefined };
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

  /**
   * Creates the VideoRoom of a conference that has members, once. It has the name of the conference
   * and is destroyed with it.
   * @throws JanusError when it cannot be created
   */
  async openVideoRoom(name: string): Promise<void> {
    const conference = this.#all.get(name);
    if (conference === undefined) return;
    conference.videoRoom ??= this.#createVideoRoom(name);
    try {
      await conference.videoRoom;
    } catch (error) {
      conference.videoRoom = undefined;
      throw error;
    }
  }

  /** Removes a member, unless it has entered again since; the room is destroyed after the last one. */
  leave(name: string, member: Member): void {
    const conference = this.#all.get(name);
    if (conference?.members.get(member.id) === member) this.#remove(name, conference, member.id);
  }

  /** Ends a conference for all members but one, whose exit ends it. */
  end(name: string, memberId: string): void {
    const others = [...(this.#all.get(name)?.members.values() ?? [])].filter(({ id }) => id !== memberId);
    for (const other of others) other.onEnded();
  }

  /** Whether a conference has members. */
  has(name: string): boolean {
    return this.#all.has(name);
  }

  /** The number of conferences with members. */
  get count(): number {
    return this.#all.size;
  }

  #remove(name: string, conference: Conference, memberId: string): void {
    conference.members.delete(memberId);
    if (conference.members.size > 0 || this.#all.get(name) !== conference) return;
    this.#all.delete(name);
    this.#inOrder(name, () => this.#destroyRooms(name, conference)).catch(this.#deps.onError);
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
        reportsTalking: true,
        talkingPackets: TALKING_PACKETS,
      });
    });
  }

  #createVideoRoom(name: string): Promise<void> {
    return this.#inOrder(name, async () => {
      await (
        await this.#openVideoControl()
      ).createRoom({
        room: name,
        adminKey: this.#deps.adminKey,
        secret: this.#deps.secretOf(name),
        maxPublishers: MAX_VIDEOS,
        bitrate: MAX_VIDEO_BITS_PER_SECOND,
        videoCodecs: VIDEO_CODECS,
      });
    });
  }

  async #destroyRooms(name: string, { videoRoom }: Conference): Promise<void> {
    if (this.#all.has(name)) return;
    const secret = this.#deps.secretOf(name);
    await Promise.all([
      this.#openControl().then((control) => control.destroyRoom(name, secret)),
      videoRoom && this.#openVideoControl().then((control) => control.destroyRoom(name, secret)),
    ]);
  }

  /** One handle creates and destroys all rooms of a kind. */
  #openControl(): Promise<AudioBridgeHandle> {
    const control = (this.#control ??= attachAudioBridge(this.#connection, 'conferences'));
    control.catch(() => (this.#control = undefined));
    return control;
  }

  #openVideoControl(): Promise<VideoRoomHandle> {
    const control = (this.#videoControl ??= attachVideoRoom(this.#connection, 'conferences'));
    control.catch(() => (this.#videoControl = undefined));
    return control;
  }
}
