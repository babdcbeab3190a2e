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
  /** The response contains the key, which cannot be read again. */
  create: (key: CreateKeyData['body'], options?: CallOptions): Promise<CreatedKey> =>
    createKey({ ...toRequestOptions(client, options), body: key }),
  list: (query: NonNullable<ListKeysData['query']> = {}, options?: CallOptions): PagedList<KeyPage, Key> =>
    createPagedList(
      query,
      (pageQuery) => listKeys({ ...toRequestOptions(client, options), query: pageQuery }),
      (page) => page.keys,
    ),
  get: (keyId: string, options?: CallOptions): Promise<Key> =>
    getKey({ ...toRequestOptions(client, options), path: { keyId } }),
  revoke: (keyId: string, options?: CallOptions): Promise<Key> =>
    revokeKey({ ...toRequestOptions(client, options), path: { keyId } }),
  /** Creates a successor with the same scopes. The old key stays valid for the overlap. */
  rotate: (keyId: string, settings: RotateKeyData['body'] = {}, options?: CallOptions): Promise<RotatedKey> =>
    rotateKey({ ...toRequestOptions(client, options), path: { keyId }, body: settings }),
});
