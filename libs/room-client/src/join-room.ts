import { Room, type JoinOptions } from './room.ts';

export type { Devices, TrackSource } from './local-media.ts';
export { RoomError } from './room-error.ts';
export type {
  EndReason,
  JoinOptions,
  Participant,
  Quality,
  RemoteTrack,
  Room,
  RoomEvents,
  VideoSource,
} from './room.ts';

/**
 * Joins the room of a token. Resolves when the audio is connected.
 * @throws RoomError when the gateway rejects it or no media connection comes up, and what
 *   `getUserMedia` throws when the user allows no microphone
 */
export function joinRoom(options: JoinOptions): Promise<Room> {
  return Room.join(options);
}
