import { hashSecret } from '@partyline/store/keys/authenticate';
import type { Deps } from '../deps.ts';

export interface GeneratedKey {
  readonly id: string;
  /** The whole key, `pl_<env>_<id>_<secret>`: to be told once, and kept nowhere. */
  readonly key: string;
  readonly secretHash: Buffer;
}

/** A new API key. Its id is of letters and digits only, since the parts of a key are told apart by underscores. */
export function generateKey({ ids, secret }: Pick<Deps, 'ids' | 'secret'>, env: string): GeneratedKey {
  const id = Buffer.from(ids.next('key').slice('key_'.length), 'base64url').toString('hex');
  const drawn = secret();
  return { id, key: `pl_${env}_${id}_${drawn}`, secretHash: hashSecret(drawn) };
}
