import { Limits } from './limits.ts';
import type { Operation } from '../operation.ts';

export const LIMIT_OPERATIONS: readonly Operation[] = [
  {
    id: 'getLimits',
    method: 'get',
    path: '/v1/limits',
    tag: 'limits',
    scope: 'rooms:read',
    summary: 'See your limits',
    description: 'What you may use at once, and use now.',
    reply: { status: 200, schema: Limits },
    problems: {},
  },
];
