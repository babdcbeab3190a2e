import { VerdictError } from '@partyline/domain/verdict';

/** The version of a room as a strong `ETag` (RFC 9110). */
export const toEtag = ({ version }: { version: number }): string => `"${version}"`;

/**
 * The version in `If-Match`; null: any version. Throws 422 for anything but one `ETag` of ours.
 * Proxies that compress replies make `W/"2"` or `"2-gzip"` of it.
 */
export function readIfMatch(match: string | undefined): number | null {
  if (match === undefined || match.trim() === '*') return null;
  const [, version] = /^"(\d{1,9})"$/.exec(match.trim()) ?? [];
  if (version !== undefined) return Number(version);
  const [meant] = /\d{1,9}/.exec(match) ?? ['2'];
  throw new VerdictError(
    'client',
    'invalid-if-match',
    'If-Match must be the version of the room in double quotes, as in the ETag of a reply.',
    { field: '/If-Match', fix: `Send the header with its quotes, for example If-Match: "${meant}".` },
  );
}
