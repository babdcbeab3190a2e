import { createSecretKey, type KeyObject } from 'node:crypto';
import { VerdictError } from '@partyline/domain/verdict';
import { encrypt, decrypt } from './aead.ts';

/** A data key as it is kept: of no use to whoever has not the master key that wrapped it. */
interface WrappedKey {
  /** Which master key wrapped it. */
  readonly keyId: string;
  readonly wrapped: Uint8Array;
}

/** Keeps the master keys, as a key management service does: they never leave it, data keys come to it to be wrapped and unwrapped. */
export interface KeyService {
  /** The master key that wraps now. */
  readonly currentKeyId: string;
  /** @param dataKey 32 bytes; @param context what it is for: it unwraps with the same alone */
  wrap(dataKey: Buffer, context: string): Promise<WrappedKey>;
  /** Throws `master-key-missing` (server) when there is no such master key, and when the wrapped key was changed or is another context's. */
  unwrap(key: WrappedKey, context: string): Promise<Buffer>;
}

/** A master key of the configuration. */
export interface MasterKey {
  readonly id: string;
  /** 32 random bytes. */
  readonly key: Buffer;
}

const bound = (keyId: string, context: string): string => JSON.stringify(['data-key', keyId, context]);

/** A key service whose master keys are the configuration's (MASTER_KEYS): the first wraps, all unwrap. */
export function localKeyService(keys: readonly [MasterKey, ...MasterKey[]]): KeyService {
  const known = new Map<string, KeyObject>(keys.map(({ id, key }) => [id, createSecretKey(key)]));
  const currentKeyId = keys[0].id;
  return {
    currentKeyId,
    wrap: async (dataKey, context) => ({
      keyId: currentKeyId,
      wrapped: encrypt(known.get(currentKeyId)!, dataKey.toString('base64'), bound(currentKeyId, context)),
    }),
    async unwrap({ keyId, wrapped }, context) {
      const key = known.get(keyId);
      if (key === undefined) {
        throw new VerdictError(
          'server',
          'master-key-missing',
          `The master key ${keyId} is not in MASTER_KEYS, and a tenant’s credentials are sealed with it.`,
          { fix: 'Put it back, run npm run rewrap, and take it out then: docs/accounts.md.' },
        );
      }
      return Buffer.from(decrypt(key, wrapped, bound(keyId, context)), 'base64');
    },
  };
}

/** The key service of a configuration; null when it names no master key, and tenants have no accounts of their own. */
export const createKeyService = (keys: readonly [MasterKey, ...MasterKey[]] | undefined): KeyService | null =>
  keys === undefined ? null : localKeyService(keys);
