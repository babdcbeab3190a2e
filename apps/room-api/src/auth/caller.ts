import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { KeyCaller } from '@partyline/conference/keys/create-key';
import type { FastifyRequest } from 'fastify';
import type { StreamGrant } from './stream-token.ts';

/** The authenticated caller: a tenant's API key or an operator. */
export type Caller =
  | ({
      readonly kind: 'key';
      readonly id: string;
      readonly tenantId: string;
      readonly requestsPerMinute: number;
      /** The limits of a stream token. Null: the key itself. */
      readonly stream: StreamGrant | null;
    } & KeyCaller)
  | { readonly kind: 'operator'; readonly id: string };

/** A request after the key guard. */
export interface AuthenticatedRequest extends FastifyRequest {
  caller?: Caller;
  tenantId?: string;
  /** The public part of the key, for the log; also of a rejected key. */
  keyId?: string;
}

/** Injects the API key of the request: its scopes limit what it can grant to other keys. */
export const CallerKey = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<{ caller: KeyCaller }>().caller,
);

/** Injects the id of the key of the request. */
export const CallerId = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<{ caller: Caller }>().caller.id,
);
