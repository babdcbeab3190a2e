import { hashSecret } from '@partyline/store/keys/authenticate';
import type { Deps } from '../deps.ts';

export interface GeneratedKey {
  readonly id: string;
  /** The plaintext key, `pl_<env>_<id>_<secret>`. It is returned once and never stored. */
  readonly key: string;
  readonly secretHash: Buffer;
}

/**
 * Generates an API key. Its id has only letters and digits, because underscores separate the parts
 * of a key.
 */
export function generateKey({ ids, secret }: Pick<Deps, 'ids' | 'secret'>, env: string): GeneratedKey {
  const id = Buffer.from(ids.next('key').slice('key_'.length), 'base64url').toString('hex');
  const plaintext = secret();
  return { id, key: `pl_${env}_${id}_${plaintext}`, secretHash: hashSecret(plaintext) };
}
