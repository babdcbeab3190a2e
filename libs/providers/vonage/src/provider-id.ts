import { ProviderError } from '@partyline/provider-contract/provider-error';

/** Room for every form seen: dashed and undashed call uuids, `CON-…`, and session ids of up to 255 characters (contract section 1, section 3). */
const ID = /^[A-Za-z0-9][A-Za-z0-9_~=.-]{0,254}$/;

/**
 * Lets an identifier into the path of a request. Identifiers are opaque and come in by webhook, and the SDKs put them into the path
 * unescaped: `../` or `?` in one would make a hang-up hit another route.
 * @throws ProviderError `refused`
 */
export function assertPathId(id: string, what: string): string {
  if (!ID.test(id))
    throw new ProviderError('refused', 'bad-vendor-id', `The ${what} is not one that the vendor can have given.`);
  return id;
}
