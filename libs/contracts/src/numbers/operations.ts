import type { Operation } from '../operation.ts';
import {
  CreateNumber,
  DeletedNumber,
  ListAllNumbers,
  ListNumbers,
  NumberPage,
  Numbers,
  OperatorNumber,
  UpdateNumber,
} from './number.ts';

export const NUMBER_OPERATIONS: readonly Operation[] = [
  {
    id: 'listNumbers',
    method: 'get',
    path: '/v1/numbers',
    tag: 'numbers',
    scope: 'rooms:read',
    summary: 'List your dial-in numbers',
    description: 'Your dedicated dial-in numbers and the shared ones. You can filter by country, language and cost.',
    query: ListNumbers,
    reply: { status: 200, schema: Numbers },
    reasons: [],
  },
  {
    id: 'createNumber',
    method: 'post',
    path: '/v1/operator/numbers',
    tag: 'operator',
    scope: 'operator',
    summary: 'Add a dial-in number',
    description: 'Adds a dial-in number, shared by all tenants or dedicated to one.',
    body: CreateNumber,
    reply: { status: 201, schema: OperatorNumber },
    reasons: ['tenant-not-found', 'provider-account-not-found', 'number-exists', 'number-not-dedicated'],
  },
  {
    id: 'listAllNumbers',
    method: 'get',
    path: '/v1/operator/numbers',
    tag: 'operator',
    scope: 'operator',
    summary: 'List all dial-in numbers',
    description: 'All numbers of the platform, in order of digits.',
    query: ListAllNumbers,
    reply: { status: 200, schema: NumberPage },
    reasons: [],
  },
  {
    id: 'updateNumber',
    method: 'patch',
    path: '/v1/operator/numbers/{number}',
    tag: 'operator',
    scope: 'operator',
    summary: 'Update a dial-in number',
    description:
      'Changes the given properties. The tenant and the provider account can change only while no active room uses ' +
      'the number; rooms of a suspended tenant are ended. A new tenant removes the provider account.',
    body: UpdateNumber,
    reply: { status: 200, schema: OperatorNumber },
    reasons: [
      'number-not-found',
      'tenant-not-found',
      'provider-account-not-found',
      'number-has-rooms',
      'number-not-dedicated',
    ],
  },
  {
    id: 'deleteNumber',
    method: 'delete',
    path: '/v1/operator/numbers/{number}',
    tag: 'operator',
    scope: 'operator',
    summary: 'Delete a dial-in number',
    description:
      'Callers hear that the number is not in service. Possible only while no active room uses the number; rooms of ' +
      'a suspended tenant are ended.',
    reply: { status: 200, schema: DeletedNumber },
    reasons: ['number-not-found', 'number-has-rooms'],
  },
];
