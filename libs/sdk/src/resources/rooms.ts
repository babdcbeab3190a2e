import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { createRoom, deleteRoom, endRoom, getRoom, listRooms, observeRoom, updateRoom } from '../generated/sdk.gen.ts';
import type {
  CreatedRoom,
  CreateRoomData,
  EndedRoom,
  ListRoomsData,
  LiveRoom,
  Room,
  RoomDetails,
  RoomPage,
  UpdateRoomData,
} from '../generated/types.gen.ts';
import { createPagedList, type PagedList } from '../paged-list.ts';

export const rooms = (client: Client) => ({
  /** A room with its PIN, its first session, a token for its first browser and an invitation: all of it, or nothing. */
  create: (room: CreateRoomData['body'], options?: CallOptions): Promise<CreatedRoom> =>
    createRoom({ ...toRequestOptions(client, options), body: room }),
  /** Yours, newest first. */
  list: (query: NonNullable<ListRoomsData['query']> = {}, options?: CallOptions): PagedList<RoomPage, Room> =>
    createPagedList(
      query,
      (asked) => listRooms({ ...toRequestOptions(client, options), query: asked }),
      (page) => page.rooms,
    ),
  /** The room, its PIN, its current or last session, and every connection of that with its line in the hang-up ledger. */
  get: (roomId: string, options?: CallOptions): Promise<RoomDetails> =>
    getRoom({ ...toRequestOptions(client, options), path: { roomId } }),
  /** Changes what is given and nothing else. */
  update: (roomId: string, change: UpdateRoomData['body'], options?: CallOptions): Promise<Room> =>
    updateRoom({ ...toRequestOptions(client, options), path: { roomId }, body: change }),
  /** Ends it, and takes it off your list. */
  delete: (roomId: string, options?: CallOptions): Promise<EndedRoom> =>
    deleteRoom({ ...toRequestOptions(client, options), path: { roomId } }),
  /** Asks the provider, now, which connections are up. */
  observe: (roomId: string, options?: CallOptions): Promise<LiveRoom> =>
    observeRoom({ ...toRequestOptions(client, options), path: { roomId } }),
  /** For good: its PIN lets nobody in, its session ends, and every connection is hung up. */
  end: (roomId: string, options?: CallOptions): Promise<EndedRoom> =>
    endRoom({ ...toRequestOptions(client, options), path: { roomId } }),
});
