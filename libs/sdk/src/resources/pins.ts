import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { createPin, deletePin, listPins, rotatePins } from '../generated/sdk.gen.ts';
import type { CreatedPin, CreatePinData, DeletedPin, Pins, RotatedPins } from '../generated/types.gen.ts';

export const pins = (client: Client) => ({
  /** Creates a personal PIN. The response contains it, and it cannot be read again. */
  create: (roomId: string, pin: CreatePinData['body'], options?: CallOptions): Promise<CreatedPin> =>
    createPin({ ...toRequestOptions(client, options), path: { roomId }, body: pin }),
  list: (roomId: string, options?: CallOptions): Promise<Pins> =>
    listPins({ ...toRequestOptions(client, options), path: { roomId } }),
  delete: (roomId: string, pinId: string, options?: CallOptions): Promise<DeletedPin> =>
    deletePin({ ...toRequestOptions(client, options), path: { roomId, pinId } }),
  /** Replaces the room's PINs. The old PINs are rejected at once. */
  rotate: (roomId: string, options?: CallOptions): Promise<RotatedPins> =>
    rotatePins({ ...toRequestOptions(client, options), path: { roomId } }),
});
