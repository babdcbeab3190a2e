import { badReplyError } from '../errors.ts';
import { requestJson } from '../rest.ts';
import { asObject, asText } from '../untrusted-json.ts';
import { assertPathId } from '../provider-id.ts';

/** One project (or application) at one host, with how to sign a request to it. */
export interface VideoRest {
  readonly host: string;
  /** API key or application id: the `K` of the paths. */
  readonly project: string;
  readonly timeoutMs: number;
  authorise(): Readonly<Record<string, string>>;
}

const sessionUrl = (rest: VideoRest, mediaSessionId: string): string =>
  `${rest.host}/v2/project/${rest.project}/session/${encodeURIComponent(assertPathId(mediaSessionId, 'session id'))}`;

interface LiveConnection {
  readonly connectionId: string;
  readonly data?: string;
}

/** The most that the route gives at once, and what stands against a vendor that never says "no more" (a session holds 3000, contract section 5). */
const PAGE_SIZE = 1_000;
const MAX_PAGES = 20;

function readItem(item: unknown): LiveConnection {
  const found = asObject(item);
  const connectionId = asText(found['connectionId']);
  if (connectionId === undefined) throw badReplyError();
  const data = found['data'];
  return typeof data === 'string' ? { connectionId, data } : { connectionId };
}

/**
 * The session's live connections, all pages: `{ count, items: [{ connectionId, connectionState, createdAt }] }`, after the vendor's SDKs
 * for other languages; they show no connection data. One item that cannot be read, or a page that is missing, makes the whole reply
 * unusable: a partial list would make a live leg look gone.
 */
export async function listConnections(rest: VideoRest, mediaSessionId: string): Promise<readonly LiveConnection[]> {
  const url = `${sessionUrl(rest, mediaSessionId)}/connection`;
  const found: LiveConnection[] = [];
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const headers = rest.authorise();
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

/** Asks for one connection to be closed; see `requestJson` for why not through opentok. */
export async function deleteConnection(rest: VideoRest, mediaSessionId: string, connectionId: string): Promise<void> {
  const url = `${sessionUrl(rest, mediaSessionId)}/connection/${encodeURIComponent(assertPathId(connectionId, 'connection id'))}`;
  await requestJson({ method: 'DELETE', url, headers: rest.authorise(), timeoutMs: rest.timeoutMs });
}
