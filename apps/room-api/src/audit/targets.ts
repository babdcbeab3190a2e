/*
 * Only values that have the form of an id are stored: other text in a path could be a PIN or a
 * phone number. These are the forms of `systemIds` and of API keys.
 */
const GENERATED_ID = /^[a-z]{2,8}_[\w-]{22}$/;
const KEY_ID = /^(?=[0-9a-f]*[a-f])(?:[0-9a-f]{12}|[0-9a-f]{32})$/;
/** Ids that an operator chose, for example of a test tenant: short, and without a run of digits. */
const CHOSEN_ID = /^(?!.*\d{4})[a-z]{2,8}_[a-z0-9]{1,12}$/;

const isId = (value: unknown): value is string =>
  typeof value === 'string' && [GENERATED_ID, KEY_ID, CHOSEN_ID].some((pattern) => pattern.test(value));

/** The ids in the path of a request, by name. */
export function findPathIds(params: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries((params ?? {}) as Record<string, unknown>).map(([name, value]) => [
      name,
      isId(value) ? value : 'not an id',
    ]),
  );
}

/** The tenant id among the ids of a path. */
export const findTenantIds = ({ tenantId }: Readonly<Record<string, string>>): string[] =>
  isId(tenantId) ? [tenantId] : [];

/**
 * The ids in a reply: `{"room":{"id":"room_1"},"sessionId":"ses_1"}` has a `roomId` and a
 * `sessionId`.
 */
export function findReplyIds(reply: unknown): Record<string, string> {
  if (typeof reply !== 'object' || reply === null) return {};
  const ids: Record<string, string> = {};
  for (const [name, value] of Object.entries(reply)) {
    if (name.endsWith('Id') && isId(value)) ids[name] = value;
    const inner = typeof value === 'object' && value !== null ? (value as { id?: unknown }).id : undefined;
    if (isId(inner)) ids[`${name}Id`] = inner;
  }
  return ids;
}
