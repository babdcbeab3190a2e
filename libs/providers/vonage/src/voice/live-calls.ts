import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { ObservedCall } from '@partyline/provider-contract/voice-provider';
import { badReplyError } from '../errors.ts';
import { parseCall } from './parse-voice.ts';
import { asObject } from '../untrusted-json.ts';

/** The vendor's most (contract section 2). */
const PAGE_SIZE = 100;
/** Each page begins this far before the last one's end. */
const OVERLAP = 10;
/** Against a vendor that never says "no more": 18 000 calls of one status. */
const MAX_PAGES = 200;

/** In the order of a call's life: one that moves on while we read is met again later, never passed by. */
const LIVE_STATUSES = ['started', 'ringing', 'answered'] as const;
export type LiveStatus = (typeof LIVE_STATUSES)[number];

/** Asks for one page of the vendor's list, oldest first. */
export type GetPage = (query: {
  status: LiveStatus;
  pageSize: number;
  recordIndex: number;
  order: 'asc';
}) => Promise<unknown>;

interface Page {
  readonly count: number;
  readonly calls: readonly ObservedCall[];
}

function readPage(reply: unknown): Page {
  const body = asObject(reply);
  const calls: unknown = asObject(body['_embedded'])['calls'];
  const count = body['count'];
  if (!Array.isArray(calls) || typeof count !== 'number') throw badReplyError();
  return {
    count,
    calls: calls.map((raw: unknown) => {
      const call = parseCall(raw);
      if (call === undefined) throw badReplyError();
      return call;
    }),
  };
}

/**
 * Every live call, or an error: the inventory sweep must never take a part for the whole. Paged by index and not by the SDK's
 * `getAllCalls`, which follows `next` links that must be absolute (contract section 0.9). Calls that end between two pages move the later ones
 * forward; pages overlap, and when none of the overlap is met again, a call may have slipped through: `busy`, list anew.
 */
export async function listLiveCalls(getPage: GetPage): Promise<readonly ObservedCall[]> {
  const found = new Map<string, ObservedCall>();
  for (const status of LIVE_STATUSES) await collectCalls(status, getPage, found);
  return [...found.values()].filter((call) => !call.over);
}

async function collectCalls(status: LiveStatus, getPage: GetPage, found: Map<string, ObservedCall>): Promise<void> {
  let recordIndex = 0;
  let before: ReadonlySet<string> | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { count, calls } = readPage(await getPage({ status, pageSize: PAGE_SIZE, recordIndex, order: 'asc' }));
    if (before !== undefined && !calls.some((call) => before?.has(call.callId))) {
      throw new ProviderError('busy', 'call-list-moved', 'The list of calls changed too much while it was read.');
    }
    for (const call of calls) found.set(call.callId, call);
    if (recordIndex + calls.length >= count) return;
    if (calls.length <= OVERLAP) throw badReplyError();
    before = new Set(calls.map((call) => call.callId));
    recordIndex += calls.length - OVERLAP;
  }
  throw badReplyError();
}
