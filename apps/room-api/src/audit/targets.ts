/** As our ids are drawn (`systemIds`), and as keys' are. Nothing else that a client wrote into an address is kept: it could be anything, a PIN or a number among it. */
const DRAWN = /^[a-z]{2,8}_[\w-]{22}$/;
const KEY_ID = /^(?=[0-9a-f]*[a-f])(?:[0-9a-f]{12}|[0-9a-f]{32})$/;
/** Ids that somebody chose, as for a tenant of a test: short, and with no row of digits. */
const CHOSEN = /^(?!.*\d{4})[a-z]{2,8}_[a-z0-9]{1,12}$/;

const isId = (value: unknown): value is string =>
  typeof value === 'string' && [DRAWN, KEY_ID, CHOSEN].some((form) => form.test(value));

/** The ids in a request's address, by name. */
export function targetsOf(params: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries((params ?? {}) as Record<string, unknown>).map(([name, value]) => [
      name,
      isId(value) ? value : 'not an id',
    ]),
  );
}

/** The tenant that is among them. */
export const tenantsIn = ({ tenantId }: Readonly<Record<string, string>>): string[] =>
  isId(tenantId) ? [tenantId] : [];

/** The ids of what a reply tells of: `{"room":{"id":"room_…"},"sessionId":"ses_…"}` holds a `roomId` and a `sessionId`. */
export function idsIn(reply: unknown): Record<string, string> {
  if (typeof reply !== 'object' || reply === null) return {};
  const ids: Record<string, string> = {};
  for (const [name, value] of Object.entries(reply)) {
    if (name.endsWith('Id') && isId(value)) ids[name] = value;
    const inner = typeof value === 'object' && value !== null ? (value as { id?: unknown }).id : undefined;
    if (isId(inner)) ids[`${name}Id`] = inner;
  }
  return ids;
}
