import type { Operation } from '../operation.ts';
import { Limits } from './limits.ts';

export const LIMIT_OPERATIONS: readonly Operation[] = [
  {
    id: 'getLimits',
    method: 'get',
    path: '/v1/limits',
    tag: 'limits',
    scope: 'rooms:read',
    summary: 'Get your limits',
    description: 'Your limits and what you use of them now.',
    reply: { status: 200, schema: Limits },
    reasons: [],
  },
];
