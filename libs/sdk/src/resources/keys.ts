import { callWith, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { createKey, getKey, listKeys, revokeKey, rotateKey } from '../generated/sdk.gen.ts';
import type {
  CreatedKey,
  CreateKeyData,
  Key,
  KeyPage,
  ListKeysData,
  RotatedKey,
  RotateKeyData,
} from '../generated/types.gen.ts';
import { listing, type Listing } from '../listing.ts';

export const keys = (client: Client) => ({
  /** The key in the reply is shown this once. */
  create: (key: CreateKeyData['body'], options?: CallOptions): Promise<CreatedKey> =>
    createKey({ ...callWith(client, options), body: key }),
  list: (query: NonNullable<ListKeysData['query']> = {}, options?: CallOptions): Listing<KeyPage, Key> =>
    listing(
      query,
      (asked) => listKeys({ ...callWith(client, options), query: asked }),
      (page) => page.keys,
    ),
  get: (keyId: string, options?: CallOptions): Promise<Key> =>
    getKey({ ...callWith(client, options), path: { keyId } }),
  revoke: (keyId: string, options?: CallOptions): Promise<Key> =>
    revokeKey({ ...callWith(client, options), path: { keyId } }),
  /** A successor with the same scopes; the old one holds for a while. */
  rotate: (keyId: string, how: RotateKeyData['body'] = {}, options?: CallOptions): Promise<RotatedKey> =>
    rotateKey({ ...callWith(client, options), path: { keyId }, body: how }),
});
