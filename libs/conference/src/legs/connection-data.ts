/**
 * The data of a video connection. It identifies the participant or the leg in the provider's
 * callbacks. It holds no names and no phone numbers.
 */
type ConnectionData = { readonly participant: string | null } | { readonly leg: string };

/** Serializes the data of a video connection. */
export const writeConnectionData = (data: ConnectionData): string => JSON.stringify(data);

/** Parses the data of a video connection; `null` when Partyline did not write it. */
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
