import type { Operation } from '../operation.ts';
import { CreatedKey, CreateKey, Key, KeyPage, ListKeys, RotatedKey, RotateKey } from './key.ts';

export const KEY_OPERATIONS: readonly Operation[] = [
  {
    id: 'createKey',
    method: 'post',
    path: '/v1/keys',
    tag: 'keys',
    scope: 'keys:write',
    summary: 'Create a key',
    description:
      'Creates an API key and shows it only once. A key can grant only its own scopes. At most 50 keys are live.',
    body: CreateKey,
    reply: { status: 201, schema: CreatedKey },
    reasons: ['scope-exceeded', 'expiry-exceeded', 'too-many-keys'],
  },
  {
    id: 'listKeys',
    method: 'get',
    path: '/v1/keys',
    tag: 'keys',
    scope: 'keys:write',
    summary: 'List keys',
    description: 'Your keys, newest first, including expired and revoked keys.',
    query: ListKeys,
    reply: { status: 200, schema: KeyPage },
    reasons: [],
  },
  {
    id: 'getKey',
    method: 'get',
    path: '/v1/keys/{keyId}',
    tag: 'keys',
    scope: 'keys:write',
    summary: 'Get a key',
    description: 'One key: its scopes, its expiry and its last use.',
    reply: { status: 200, schema: Key },
    reasons: ['key-not-found'],
  },
  {
    id: 'rotateKey',
    method: 'post',
    path: '/v1/keys/{keyId}/rotate',
    tag: 'keys',
    scope: 'keys:write',
    summary: 'Rotate a key',
    description:
      'Creates a key with the same label, scopes and expiry and shows it only once. The previous key stays valid for ' +
      '`overlapSeconds`. A key can rotate only keys without further scopes.',
    body: RotateKey,
    reply: { status: 201, schema: RotatedKey },
    reasons: ['key-not-found', 'scope-exceeded', 'expiry-exceeded', 'key-inactive', 'too-many-keys'],
  },
  {
    id: 'revokeKey',
    method: 'delete',
    path: '/v1/keys/{keyId}',
    tag: 'keys',
    scope: 'keys:write',
    summary: 'Revoke a key',
    description:
      'Permanently revokes a key, effective at once. A repeated request has the same answer. The last live key with ' +
      'the scope `admin` cannot be revoked.',
    reply: { status: 200, schema: Key },
    reasons: ['key-not-found', 'scope-exceeded', 'last-admin-key'],
  },
];
