import { deriveKey, seal, unseal } from '../crypto/aead.ts';

/** Endpoints' secrets as they are kept: sealed, to sign with and to be shown once. */
export interface EndpointSecrets {
  seal(secret: string, endpointId: string): Buffer;
  /** Throws when the key or the endpoint is not the one that it was sealed with. */
  open(sealed: Uint8Array, endpointId: string): string;
}

/** @param key 32 random bytes, the same in every process: PIN_KEY */
export function openEndpointSecrets(key: Buffer): EndpointSecrets {
  const sealKey = deriveKey(key, 'endpoint-secret-seal');
  return {
    seal: (secret, endpointId) => seal(sealKey, secret, endpointId),
    open: (sealed, endpointId) => unseal(sealKey, sealed, endpointId),
  };
}

/** `whsec_` and 32 random bytes in base64, as Standard Webhooks has it. @param secret 32 random bytes in base64url */
export const writeSecret = (secret: string): string => `whsec_${Buffer.from(secret, 'base64url').toString('base64')}`;
