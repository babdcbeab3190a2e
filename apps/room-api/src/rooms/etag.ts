/** A room's version as a strong `ETag` (RFC 9110). */
export const etag = ({ version }: { version: number }): string => `"${version}"`;

/** The version that `If-Match` asks for; null: any. What cannot be an `ETag` of ours is a version that no room has. */
export function versionOf(match: string | undefined): number | null {
  if (match === undefined || match.trim() === '*') return null;
  const [, version] = /^"(\d{1,9})"$/.exec(match.trim()) ?? [];
  return version === undefined ? 0 : Number(version);
}
