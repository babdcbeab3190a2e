import type { Operation } from '../operation.ts';
import { CdrPage, GetSpend, GetUsage, LimitRoomSpend, ListCdrs, Spend, Usage } from './usage.ts';

/** The media type of usage for a spreadsheet. */
export const CSV = 'text/csv';

export const USAGE_OPERATIONS: readonly Operation[] = [
  {
    id: 'getUsage',
    method: 'get',
    path: '/v1/usage',
    tag: 'usage',
    scope: 'rooms:read',
    whileSuspended: true,
    summary: 'Get usage',
    description:
      'Seconds and costs of ended connections, summed by day, room, number and direction. With `accept: text/csv` ' +
      'the reply is a table. At most 10000 rows and 366 days.',
    query: GetUsage,
    reply: { status: 200, schema: Usage, also: [CSV] },
    reasons: [],
  },
  {
    id: 'listCdrs',
    method: 'get',
    path: '/v1/cdrs',
    tag: 'usage',
    scope: 'rooms:read',
    whileSuspended: true,
    summary: 'List call detail records',
    description:
      'One record for each handle of each ended connection, the last ended first. With `accept: text/csv` all records ' +
      'of the filter as CSV, without pages; a text that a spreadsheet could run as a formula gets an apostrophe.',
    query: ListCdrs,
    reply: { status: 200, schema: CdrPage, also: [CSV] },
    reasons: [],
  },
  {
    id: 'getSpend',
    method: 'get',
    path: '/v1/spend',
    tag: 'usage',
    scope: 'rooms:read',
    whileSuspended: true,
    summary: 'Get budgets',
    description: 'Your limits of money and minutes, and how much is used now, including running connections.',
    query: GetSpend,
    reply: { status: 200, schema: Spend },
    reasons: ['room-not-found'],
  },
  {
    id: 'limitRoomSpend',
    method: 'put',
    path: '/v1/rooms/{roomId}/spend-limit',
    tag: 'usage',
    scope: 'rooms:write',
    summary: 'Set the budget of a room',
    description:
      'Sets or removes (null) the budget of a room. At 80 % a `spend.warning` is sent. At 100 % the session ends, ' +
      'and participants can no longer join.',
    body: LimitRoomSpend,
    reply: { status: 200, schema: Spend },
    reasons: ['room-not-found'],
  },
];
