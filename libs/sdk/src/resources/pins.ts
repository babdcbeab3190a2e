import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { createPin, deletePin, listPins, rotatePins } from '../generated/sdk.gen.ts';
import type { CreatedPin, CreatePinData, DeletedPin, Pins, RotatedPins } from '../generated/types.gen.ts';

export const pins = (client: Client) => ({
  /** A PIN of somebody's own. */
  create: (roomId: string, whose: CreatePinData['body'], options?: CallOptions): Promise<CreatedPin> =>
    createPin({ ...toRequestOptions(client, options), path: { roomId }, body: whose }),
  list: (roomId: string, options?: CallOptions): Promise<Pins> =>
    listPins({ ...toRequestOptions(client, options), path: { roomId } }),
  delete: (roomId: string, pinId: string, options?: CallOptions): Promise<DeletedPin> =>
    deletePin({ ...toRequestOptions(client, options), path: { roomId, pinId } }),
  /** New PINs for the room; the old ones let nobody in any more. */
  rotate: (roomId: string, options?: CallOptions): Promise<RotatedPins> =>
    rotatePins({ ...toRequestOptions(client, options), path: { roomId } }),
});
