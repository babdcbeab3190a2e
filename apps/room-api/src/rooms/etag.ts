/** The version of a room as a strong `ETag` (RFC 9110). */
export const toEtag = ({ version }: { version: number }): string => `"${version}"`;

/** The version in `If-Match`; null: any version; 0, which no room has: not an `ETag` of ours. */
export function readIfMatch(match: string | undefined): number | null {
  if (match === undefined || match.trim() === '*') return null;
  const [, version] = /^"(\d{1,9})"$/.exec(match.trim()) ?? [];
  return version === undefined ? 0 : Number(version);
}
