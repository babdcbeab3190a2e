import { badBody, badQuery, noRoom, type Operation } from '../operation.ts';
import { CdrPage, GetSpend, GetUsage, LimitRoomSpend, ListCdrs, Spend, Usage } from './usage.ts';

/** The media type in which usage is had for a spreadsheet. */
export const CSV = 'text/csv';

export const USAGE_OPERATIONS: readonly Operation[] = [
  {
    id: 'getUsage',
    method: 'get',
    path: '/v1/usage',
    tag: 'usage',
    scope: 'rooms:read',
    whileSuspended: true,
    summary: 'See what was used',
    description:
      'Seconds and money of connections that are over, summed up by day, room, number and direction; with `accept: text/csv` as a table. At most 10000 rows, of at most 366 days.',
    query: GetUsage,
    reply: { status: 200, schema: Usage, also: [CSV] },
    problems: badQuery,
  },
  {
    id: 'listCdrs',
    method: 'get',
    path: '/v1/cdrs',
    tag: 'usage',
    scope: 'rooms:read',
    whileSuspended: true,
    summary: 'List call records',
    description:
      'One record for each side of each connection that is over, those that ended last first, a page at a time.',
    query: ListCdrs,
    reply: { status: 200, schema: CdrPage },
    problems: badQuery,
  },
  {
    id: 'getSpend',
    method: 'get',
    path: '/v1/spend',
    tag: 'usage',
    scope: 'rooms:read',
    whileSuspended: true,
    summary: 'See what is left to spend',
    description: 'Your limits of money and minutes, and how much of each is used at this moment, what is up included.',
    query: GetSpend,
    reply: { status: 200, schema: Spend },
    problems: { ...noRoom, ...badQuery },
  },
  {
    id: 'limitRoomSpend',
    method: 'put',
    path: '/v1/rooms/{roomId}/spend-limit',
    tag: 'usage',
    scope: 'rooms:write',
    summary: 'Limit what a room may cost',
    description:
      'Sets, changes or takes away (null) what a room may cost. When four fifths are used, `spend.warning` is told; when all is, its session ends and nobody joins any more.',
    body: LimitRoomSpend,
    reply: { status: 200, schema: Spend },
    problems: { ...noRoom, ...badBody },
  },
];
