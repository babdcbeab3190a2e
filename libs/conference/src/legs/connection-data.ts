/** What travels in a video connection's data, so that whoever made it, the vendor's callback says whose it is. No names, no numbers. */
type ConnectionData = { readonly participant: string | null } | { readonly leg: string };

export const writeConnectionData = (data: ConnectionData): string => JSON.stringify(data);

/** `null` for a connection that is none of ours, whatever its data holds. */
export function readConnectionData(text: string): ConnectionData | null {
  try {
    const data: unknown = JSON.parse(text);
    if (typeof data !== 'object' || data === null) return null;
    if ('participant' in data && (typeof data.participant === 'string' || data.participant === null))
      return { participant: data.participant };
    if ('leg' in data && typeof data.leg === 'string') return { leg: data.leg };
    return null;
  } catch {
    return null;
  }
}
