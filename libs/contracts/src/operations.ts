import type { Operation } from './operation.ts';
import { AUDIT_OPERATIONS } from './audit/operations.ts';
import { ENDPOINT_OPERATIONS } from './endpoints/operations.ts';
import { EVENT_OPERATIONS } from './events/operations.ts';
import { HANG_UP_OPERATIONS } from './hang-ups/operations.ts';
import { KEY_OPERATIONS } from './keys/operations.ts';
import { LIMIT_OPERATIONS } from './limits/operations.ts';
import { NUMBER_OPERATIONS } from './numbers/operations.ts';
import { OPERATOR_OPERATIONS } from './tenants/operations.ts';
import { PARTICIPANT_OPERATIONS } from './participants/operations.ts';
import { PIN_OPERATIONS } from './pins/operations.ts';
import { PROVIDER_ACCOUNT_OPERATIONS } from './provider-accounts/operations.ts';
import { ROOM_OPERATIONS } from './rooms/operations.ts';
import { SESSION_OPERATIONS } from './sessions/operations.ts';
import { SIP_ACCOUNT_OPERATIONS } from './sip-accounts/operations.ts';
import { USAGE_OPERATIONS } from './billing/operations.ts';

/**
 * Every operation of the API. The OpenAPI document and the key guard of room-api are made from this
 * list, and a test compares it with the routes of room-api.
 */
export const OPERATIONS: readonly Operation[] = [
  ...ROOM_OPERATIONS,
  ...PARTICIPANT_OPERATIONS,
  ...PIN_OPERATIONS,
  ...NUMBER_OPERATIONS,
  ...PROVIDER_ACCOUNT_OPERATIONS,
  ...SIP_ACCOUNT_OPERATIONS,
  ...SESSION_OPERATIONS,
  ...EVENT_OPERATIONS,
  ...ENDPOINT_OPERATIONS,
  ...HANG_UP_OPERATIONS,
  ...LIMIT_OPERATIONS,
  ...USAGE_OPERATIONS,
  ...KEY_OPERATIONS,
  ...AUDIT_OPERATIONS,
  ...OPERATOR_OPERATIONS,
];
