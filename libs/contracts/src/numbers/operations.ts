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
import { badBody, badQuery, type Operation } from '../operation.ts';

const badNumber = {
  ...badBody,
  422: `${badBody[422]} \`not-dedicated\`: an account is for a number of its tenant’s own.`,
};
const noNumber = { 404: '`number-not-found`: there is no such number.' };

export const NUMBER_OPERATIONS: readonly Operation[] = [
  {
    id: 'listNumbers',
    method: 'get',
    path: '/v1/numbers',
    tag: 'numbers',
    scope: 'rooms:read',
    summary: 'See the numbers that you may use',
    description: 'Your own dial-in numbers and the shared ones, by country, language or cost.',
    query: ListNumbers,
    reply: { status: 200, schema: Numbers },
    problems: badQuery,
  },
  {
    id: 'createNumber',
    method: 'post',
    path: '/v1/operator/numbers',
    tag: 'operator',
    scope: 'operator',
    summary: 'Add a dial-in number',
    description: 'Adds a number that leads to this platform, shared by all tenants or dedicated to one.',
    body: CreateNumber,
    reply: { status: 201, schema: OperatorNumber },
    problems: {
      404: '`tenant-not-found`: there is no such tenant. `provider-account-not-found`: it has no such account.',
      409: '`number-exists`: it is there already.',
      ...badNumber,
    },
  },
  {
    id: 'listAllNumbers',
    method: 'get',
    path: '/v1/operator/numbers',
    tag: 'operator',
    scope: 'operator',
    summary: 'List dial-in numbers',
    description: 'All numbers of the platform in the order of their digits, a page at a time.',
    query: ListAllNumbers,
    reply: { status: 200, schema: NumberPage },
    problems: badQuery,
  },
  {
    id: 'updateNumber',
    method: 'patch',
    path: '/v1/operator/numbers/{number}',
    tag: 'operator',
    scope: 'operator',
    summary: 'Change a dial-in number',
    description:
      'Changes what is said of a number, whose it is, or in which account its rooms live; what is left out stays, but that one that changes hands leaves its account. Neither can change while rooms are on it; those of a suspended tenant are ended.',
    body: UpdateNumber,
    reply: { status: 200, schema: OperatorNumber },
    problems: {
      404: '`number-not-found`: there is no such number. `tenant-not-found`: there is no such tenant. `provider-account-not-found`: it has no such account.',
      409: '`number-has-rooms`: rooms are on it.',
      ...badNumber,
    },
  },
  {
    id: 'deleteNumber',
    method: 'delete',
    path: '/v1/operator/numbers/{number}',
    tag: 'operator',
    scope: 'operator',
    summary: 'Take a dial-in number away',
    description:
      'Who dials it hears that it is not in service. Not while rooms are on it; those of a suspended tenant are ended.',
    reply: { status: 200, schema: DeletedNumber },
    problems: { ...noNumber, 409: '`number-has-rooms`: rooms are on it.' },
  },
];
