import type { Operation } from './operation.ts';
import { AUDIT_OPERATIONS } from './operations/audit.ts';
import { ENDPOINT_OPERATIONS } from './operations/endpoints.ts';
import { EVENT_OPERATIONS } from './operations/events.ts';
import { HANG_UP_OPERATIONS } from './operations/hang-ups.ts';
import { KEY_OPERATIONS } from './operations/keys.ts';
import { LIMIT_OPERATIONS } from './operations/limits.ts';
import { NUMBER_OPERATIONS } from './operations/numbers.ts';
import { OPERATOR_OPERATIONS } from './operations/operator.ts';
import { PARTICIPANT_OPERATIONS } from './operations/participants.ts';
import { PIN_OPERATIONS } from './operations/pins.ts';
import { PROVIDER_ACCOUNT_OPERATIONS } from './operations/provider-accounts.ts';
import { ROOM_OPERATIONS } from './operations/rooms.ts';
import { SESSION_OPERATIONS } from './operations/sessions.ts';
import { USAGE_OPERATIONS } from './operations/usage.ts';

/** The API, one entry per operation. The OpenAPI document and the key guard are made from it, and a test holds the routes of room-api to it. */
export const OPERATIONS: readonly Operation[] = [
  ...ROOM_OPERATIONS,
  ...PARTICIPANT_OPERATIONS,
  ...PIN_OPERATIONS,
  ...NUMBER_OPERATIONS,
  ...PROVIDER_ACCOUNT_OPERATIONS,
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
