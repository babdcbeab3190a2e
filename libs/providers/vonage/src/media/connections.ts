import type { ListedConnection } from '@partyline/provider-contract/media-provider';
import { badReplyError } from '@partyline/provider-contract/http-failure';
import { requestJson } from '../rest.ts';
import { asCount, asDate, asObject, asText } from '../untrusted-json.ts';
import { assertPathId } from '@partyline/provider-contract/provider-id';

/** One project (or application) at one host, with the authorization of its requests. */
export interface VideoRest {
  readonly host: string;
  /** The API key or application id in the paths. */
  readonly project: string;
  readonly timeoutMs: number;
  createAuthHeaders(): Readonly<Record<string, string>>;
}

const sessionUrl = (rest: VideoRest, mediaSessionId: string): string =>
  `${rest.host}/v2/project/${rest.project}/session/${encodeURIComponent(assertPathId(mediaSessionId, 'session id'))}`;

/** Maximum page size of the route. */
const PAGE_SIZE = 1_000;
/**
 * Limit for a provider that never reports the last page. A session has at most 3000 connections
 * (contract section 5).
 */
const MAX_PAGES = 20;

/**
 * Whether a connection in this state is live. The provider's SDKs document `Connecting` and
 * `Connected`; a list also shows connections that have left, as `Disconnected`. A missing state
 * counts as live. An unknown one tells neither, so the reply cannot be used.
 */
function isLive(state: unknown): boolean {
  switch (state) {
    case undefined:
    case 'Connected':
    case 'Connecting':
      return true;
    case 'Disconnected':
      return false;
    default:
      throw badReplyError();
  }
}

function readItem(item: unknown): ListedConnection & { readonly live: boolean } {
  const found = asObject(item);
  const connectionId = asText(found['connectionId']);
  if (connectionId === undefined) throw badReplyError();
  const data = found['data'];
  const live = isLive(found['connectionState']);
  const listed = { connectionId, createdAt: asDate(found['createdAt']), live };
  return typeof data === 'string' ? { ...listed, data } : listed;
}

/**
 * Lists the live connections of a session, all pages. The format `{ count, items: [{ connectionId,
 * connectionState, createdAt }] }` comes from Vonage's SDKs for other languages; it has no
 * connection data. An invalid item or a missing page makes the whole reply unusable, because in a
 * partial list a live leg would appear closed. A full page is followed by another request even
 * when `count` says that it is the last: only a page with room left proves the end.
 */
export async function listConnections(rest: VideoRest, mediaSessionId: string): Promise<readonly ListedConnection[]> {
  const url = `${sessionUrl(rest, mediaSessionId)}/connection`;
  const found = new Map<string, ListedConnection>();
  let offset = 0;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const headers = rest.createAuthHeaders();
    const body = asObject(
      await requestJson({
        method: 'GET',
        url: `${url}?offset=${offset}&count=${PAGE_SIZE}`,
        headers,
        timeoutMs: rest.timeoutMs,
      }),
    );
    const items: unknown = body['items'];
    const count = asCount(body['count']);
    if (!Array.isArray(items) || count === undefined) throw badReplyError();
    for (const { live, ...connection } of items.map(readItem)) {
      if (live) found.set(connection.connectionId, connection);
    }
    offset += items.length;
    if (items.length < PAGE_SIZE && offset >= count) return [...found.values()];
    if (items.length === 0) throw badReplyError();
  }
  throw badReplyError();
}

/** Requests the closing of one connection. `requestJson` explains why this does not use opentok. */
export async function deleteConnection(rest: VideoRest, mediaSessionId: string, connectionId: string): Promise<void> {
  const connection = encodeURIComponent(assertPathId(connectionId, 'connection id'));
  const url = `${sessionUrl(rest, mediaSessionId)}/connection/${connection}`;
  await requestJson({ method: 'DELETE', url, headers: rest.createAuthHeaders(), timeoutMs: rest.timeoutMs });
}
