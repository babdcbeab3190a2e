import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { AuditedRequest } from './audit.interceptor.ts';

/**
 * A handler records what it changed, by field name and without secrets.
 * `tenants`: the tenants that an operator's change affects, if the path does not name them.
 */
export type RecordChange = (change: { before?: object; after?: object; tenants?: readonly string[] }) => void;

/** Injects `RecordChange`: the recorded change becomes part of the request's audit entry. */
export const ChangeRecorder = createParamDecorator((_: unknown, context: ExecutionContext): RecordChange => {
  const request = context.switchToHttp().getRequest<AuditedRequest>();
  return (change) => (request.changes = change);
});
