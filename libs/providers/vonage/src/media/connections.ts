import { badReplyError } from '../errors.ts';
import { requestJson } from '../rest.ts';
import { asObject, asText } from '../untrusted-json.ts';
import { assertPathId } from '../provider-id.ts';

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

interface LiveConnection {
  readonly connectionId: string;
  readonly data?: string;
}

/** Maximum page size of the route. */
const PAGE_SIZE = 1_000;
/**
 * Limit for a provider that never reports the last page. A session has at most 3000 connections
 * (contract section 5).
 */
const MAX_PAGES = 20;

function readItem(item: unknown): LiveConnection {
  const found = asObject(item);
  const connectionId = asText(found['connectionId']);
  if (connectionId === undefined) throw badReplyError();
  const data = found['data'];
  return typeof data === 'string' ? { connectionId, data } : { connectionId };
}

/**
 * Lists the live connections of a session, all pages. The format `{ count, items: [{ connectionId,
 * connectionState, createdAt }] }` comes from Vonage's SDKs for other languages; it has no
 * connection data. An invalid item or a missing page makes the whole reply unusable, because in a
 * partial list a live leg would appear closed.
 */
export async function listConnections(rest: VideoRest, mediaSessionId: string): Promise<readonly LiveConnection[]> {
  const url = `${sessionUrl(rest, mediaSessionId)}/connection`;
  const found: LiveConnection[] = [];
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const headers = rest.createAuthHeaders();
    const body = asObject(
      await requestJson({
        method: 'GET',
        url: `${url}?offset=${found.length}&count=${PAGE_SIZE}`,
        headers,
        timeoutMs: rest.timeoutMs,
      }),
    );
    const items: unknown = body['items'];
    const count = body['count'];
    if (!Array.isArray(items) || typeof count !== 'number') throw badReplyError();
    found.push(...items.map(readItem));
    if (found.length >= count) return found;
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
