import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { ObservedCall } from '@partyline/provider-contract/voice-provider';
import { badReplyError } from '@partyline/provider-contract/http-failure';
import { parseCall } from './parse-voice.ts';
import { asCount, asObject } from '../untrusted-json.ts';

/** Vonage's maximum (contract section 2). */
const PAGE_SIZE = 100;
/** Number of calls by which consecutive pages overlap; half a page where pages are small. */
const PAGE_OVERLAP = 10;
/** Limit for a provider that never reports the last page: 18,000 calls of one status. */
const MAX_PAGES = 200;

/**
 * In the order of a call's life, so that a call that changes its status during the listing is found
 * later, not missed.
 */
const LIVE_STATUSES = ['started', 'ringing', 'answered'] as const;
export type LiveStatus = (typeof LIVE_STATUSES)[number];

/** Requests one page of the provider's list, oldest first. */
export type GetPage = (query: {
  status: LiveStatus;
  pageSize: number;
  recordIndex: number;
  order: 'asc';
}) => Promise<unknown>;

interface Page {
  readonly count: number;
  /** Whether the page has as many calls as the provider puts on one. */
  readonly full: boolean;
  readonly calls: readonly ObservedCall[];
}

function readPage(reply: unknown): Page {
  const body = asObject(reply);
  const calls: unknown = asObject(body['_embedded'])['calls'];
  const count = asCount(body['count']);
  if (!Array.isArray(calls) || count === undefined) throw badReplyError();
  const pageSize = Math.min(PAGE_SIZE, asCount(body['page_size']) || PAGE_SIZE);
  return {
    count,
    full: calls.length >= pageSize,
    calls: calls.map((raw: unknown) => {
      const call = parseCall(raw);
      if (call === undefined) throw badReplyError();
      return call;
    }),
  };
}

/**
 * Lists every live call, or fails: the inventory sweep must never use a partial list. It pages by
 * index, because the SDK's `getAllCalls` follows `next` links that must be absolute (contract
 * section 0.9). Calls that end between two pages shift the later ones forward, so pages overlap. If
 * two pages have no call in common, a call may be missing, and the list fails as `busy`. A full
 * page is followed by another request, whatever `count` says.
 */
export async function listLiveCalls(getPage: GetPage): Promise<readonly ObservedCall[]> {
  const found = new Map<string, ObservedCall>();
  for (const status of LIVE_STATUSES) await collectCalls(status, getPage, found);
  return [...found.values()].filter((call) => !call.over);
}

async function collectCalls(status: LiveStatus, getPage: GetPage, found: Map<string, ObservedCall>): Promise<void> {
  let recordIndex = 0;
  let previousPage: ReadonlySet<string> | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { count, full, calls } = readPage(await getPage({ status, pageSize: PAGE_SIZE, recordIndex, order: 'asc' }));
    if (previousPage !== undefined && !calls.some((call) => previousPage?.has(call.callId))) {
      throw new ProviderError(
        'busy',
        'call-list-moved',
        'The list of calls changed too much during the listing. Try again.',
      );
    }
    for (const call of calls) found.set(call.callId, call);
    if (!full && recordIndex + calls.length >= count) return;
    if (calls.length < 2) throw badReplyError();
    previousPage = new Set(calls.map((call) => call.callId));
    recordIndex += calls.length - Math.min(PAGE_OVERLAP, Math.floor(calls.length / 2));
  }
  throw badReplyError();
}
