import { CreatedKey, CreateKey, Key, KeyPage, ListKeys, RotatedKey, RotateKey } from './key.ts';
import { badBody, badQuery, type Operation } from '../operation.ts';

const noKey = { 404: '`key-not-found`: there is no such key, or it is another tenant’s.' };
const tooMany = '`too-many-keys`: there are 50 live keys already.';
const exceeded = { 403: '`scope-exceeded`: this key may not do all that the other may.' };

export const KEY_OPERATIONS: readonly Operation[] = [
  {
    id: 'createKey',
    method: 'post',
    path: '/v1/keys',
    tag: 'keys',
    scope: 'keys:write',
    summary: 'Create a key',
    description:
      'Makes an API key and shows it, once. A key gives no scope that it has not itself. At most 50 are live at a time.',
    body: CreateKey,
    reply: { status: 201, schema: CreatedKey },
    problems: { ...exceeded, 409: tooMany, ...badBody },
  },
  {
    id: 'listKeys',
    method: 'get',
    path: '/v1/keys',
    tag: 'keys',
    scope: 'keys:write',
    summary: 'List keys',
    description: 'Your keys, newest first, a page at a time, those that are over too.',
    query: ListKeys,
    reply: { status: 200, schema: KeyPage },
    problems: badQuery,
  },
  {
    id: 'getKey',
    method: 'get',
    path: '/v1/keys/{keyId}',
    tag: 'keys',
    scope: 'keys:write',
    summary: 'Look at a key',
    description: 'One key: what it may do, and when it was last used.',
    reply: { status: 200, schema: Key },
    problems: noKey,
  },
  {
    id: 'rotateKey',
    method: 'post',
    path: '/v1/keys/{keyId}/rotate',
    tag: 'keys',
    scope: 'keys:write',
    summary: 'Replace a key',
    description:
      'Makes a new key with the same label, scopes and end, and shows it, once; the old one stays good for a day, or for as long as you say. A key replaces only those that may do no more than it may itself.',
    body: RotateKey,
    reply: { status: 201, schema: RotatedKey },
    problems: { ...noKey, ...exceeded, 409: `\`key-ended\`: the key is over. ${tooMany}`, ...badBody },
  },
  {
    id: 'revokeKey',
    method: 'delete',
    path: '/v1/keys/{keyId}',
    tag: 'keys',
    scope: 'keys:write',
    summary: 'Revoke a key',
    description: 'Ends a key at once, for good; again: the same answer. Not the last live one with the scope `admin`.',
    reply: { status: 200, schema: Key },
    problems: { ...noKey, ...exceeded, 409: '`last-admin-key`: it is the last live key with the scope `admin`.' },
  },
];
