import { ProviderError } from './provider-error.ts';

/**
 * The forms of all providers: call UUIDs with and without dashes, `CON-...`, and session ids of up to 255
 * characters (contract sections 1 and 3).
 */
const ID = /^[A-Za-z0-9][A-Za-z0-9_~=.-]{0,254}$/;

/**
 * Returns an identifier that is safe in the path of a request. Identifiers arrive by webhook, and
 * the SDKs insert them unescaped: `../` or `?` would send a hang-up to another route.
 * @throws ProviderError `refused` for an invalid identifier
 */
export function assertPathId(id: string, what: string): string {
  if (!ID.test(id))
    throw new ProviderError('refused', 'bad-provider-id', `The ${what} is not a valid identifier of the provider.`);
  return id;
}
