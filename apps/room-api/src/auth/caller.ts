import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { KeyCaller } from '@partyline/conference/keys/create-key';
import type { FastifyRequest } from 'fastify';

/** Who asks, as the key guard found out. */
export type Caller =
  | ({
      readonly kind: 'key';
      readonly id: string;
      readonly tenantId: string;
      readonly requestsPerMinute: number;
    } & KeyCaller)
  | { readonly kind: 'operator'; readonly id: string };

/** A request that the guard has let in. */
export interface KnownRequest extends FastifyRequest {
  caller?: Caller;
  tenantId?: string;
}

/** The tenant's key that the request came with: what it may give to other keys. */
export const OwnKey = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<{ caller: KeyCaller }>().caller,
);
