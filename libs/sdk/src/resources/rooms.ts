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
  /**
   * Creates a room with PINs, a session, a token for the first browser and an invitation, or
   * nothing of it.
   */
  create: (room: CreateRoomData['body'], options?: CallOptions): Promise<CreatedRoom> =>
    createRoom({ ...toRequestOptions(client, options), body: room }),
  /** The rooms of the tenant, newest first. */
  list: (query: NonNullable<ListRoomsData['query']> = {}, options?: CallOptions): PagedList<RoomPage, Room> =>
    createPagedList(
      query,
      (pageQuery) => listRooms({ ...toRequestOptions(client, options), query: pageQuery }),
      (page) => page.rooms,
    ),
  /**
   * The room, its PINs, its current or last session, and the connections with their hang-up ledger
   * entries.
   */
  get: (roomId: string, options?: CallOptions): Promise<RoomDetails> =>
    getRoom({ ...toRequestOptions(client, options), path: { roomId } }),
  /** Changes only the given fields. */
  update: (roomId: string, change: UpdateRoomData['body'], options?: CallOptions): Promise<Room> =>
    updateRoom({ ...toRequestOptions(client, options), path: { roomId }, body: change }),
  /** Ends the room and removes it from the list. */
  delete: (roomId: string, options?: CallOptions): Promise<EndedRoom> =>
    deleteRoom({ ...toRequestOptions(client, options), path: { roomId } }),
  /** Looks up at the provider which connections are live. */
  observe: (roomId: string, options?: CallOptions): Promise<LiveRoom> =>
    observeRoom({ ...toRequestOptions(client, options), path: { roomId } }),
  /**
   * Ends the room permanently: its session ends, all connections are hung up, its PINs are
   * rejected.
   */
  end: (roomId: string, options?: CallOptions): Promise<EndedRoom> =>
    endRoom({ ...toRequestOptions(client, options), path: { roomId } }),
});
