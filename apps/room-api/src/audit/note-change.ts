import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { NotingRequest } from './audit.interceptor.ts';

/** For a handler to say what it changed, by name; none of it may be secret. `tenants`: to whom an operator did it, where the address does not say. */
export type NoteChange = (change: { before?: object; after?: object; tenants?: readonly string[] }) => void;

/** Gives a handler its `NoteChange`: what it notes stands in the request's audit entry. */
export const Change = createParamDecorator((_: unknown, context: ExecutionContext): NoteChange => {
  const request = context.switchToHttp().getRequest<NotingRequest>();
  return (change) => (request.changes = change);
});
