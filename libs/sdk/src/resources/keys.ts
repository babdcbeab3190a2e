import { toRequestOptions, type CallOptions } from '../call.ts';
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
import { createPagedList, type PagedList } from '../paged-list.ts';

export const keys = (client: Client) => ({
  /** The key in the reply is shown this once. */
  create: (key: CreateKeyData['body'], options?: CallOptions): Promise<CreatedKey> =>
    createKey({ ...toRequestOptions(client, options), body: key }),
  list: (query: NonNullable<ListKeysData['query']> = {}, options?: CallOptions): PagedList<KeyPage, Key> =>
    createPagedList(
      query,
      (asked) => listKeys({ ...toRequestOptions(client, options), query: asked }),
      (page) => page.keys,
    ),
  get: (keyId: string, options?: CallOptions): Promise<Key> =>
    getKey({ ...toRequestOptions(client, options), path: { keyId } }),
  revoke: (keyId: string, options?: CallOptions): Promise<Key> =>
    revokeKey({ ...toRequestOptions(client, options), path: { keyId } }),
  /** A successor with the same scopes; the old one holds for a while. */
  rotate: (keyId: string, how: RotateKeyData['body'] = {}, options?: CallOptions): Promise<RotatedKey> =>
    rotateKey({ ...toRequestOptions(client, options), path: { keyId }, body: how }),
});
