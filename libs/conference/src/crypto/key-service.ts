import { createSecretKey, type KeyObject } from 'node:crypto';
import { VerdictError } from '@partyline/domain/verdict';
import { encrypt, decrypt } from './aead.ts';

/** A data key encrypted with a master key. */
interface WrappedKey {
  /** The master key that wrapped it. */
  readonly keyId: string;
  readonly wrapped: Uint8Array;
}

/**
 * Wraps and unwraps data keys with master keys, which never leave it, like a key management
 * service.
 */
export interface KeyService {
  /** The master key that wraps new data keys. */
  readonly currentKeyId: string;
  /**
   * @param dataKey 32 bytes
   * @param context associated data; unwrapping needs the same
   */
  wrap(dataKey: Buffer, context: string): Promise<WrappedKey>;
  /**
   * Throws `master-key-missing` (server) for an unknown master key, and for a changed key or
   * another context.
   */
  unwrap(key: WrappedKey, context: string): Promise<Buffer>;
}

/** A master key of the configuration. */
export interface MasterKey {
  readonly id: string;
  /** 32 random bytes. */
  readonly key: Buffer;
}

const toAssociatedData = (keyId: string, context: string): string => JSON.stringify(['data-key', keyId, context]);

/** A key service with the master keys of MASTER_KEYS: the first one wraps, all of them unwrap. */
export function localKeyService(keys: readonly [MasterKey, ...MasterKey[]]): KeyService {
  const masterKeys = new Map<string, KeyObject>(keys.map(({ id, key }) => [id, createSecretKey(key)]));
  const currentKeyId = keys[0].id;
  return {
    currentKeyId,
    wrap: async (dataKey, context) => ({
      keyId: currentKeyId,
      wrapped: encrypt(
        masterKeys.get(currentKeyId)!,
        dataKey.toString('base64'),
        toAssociatedData(currentKeyId, context),
      ),
    }),
    async unwrap({ keyId, wrapped }, context) {
      const key = masterKeys.get(keyId);
      if (key === undefined) {
        throw new VerdictError(
          'server',
          'master-key-missing',
          `The master key ${keyId} is missing from MASTER_KEYS, but a tenant's data key is encrypted with it.`,
          { fix: 'Add it again, run npm run rewrap, and remove it afterwards: docs/accounts.md.' },
        );
      }
      return Buffer.from(decrypt(key, wrapped, toAssociatedData(keyId, context)), 'base64');
    },
  };
}

/** Returns null without master keys; tenants then have no provider accounts of their own. */
export const createKeyService = (keys: readonly [MasterKey, ...MasterKey[]] | undefined): KeyService | null =>
  keys === undefined ? null : localKeyService(keys);
