import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { isWrite } from '@partyline/contracts/operation';
import { z } from 'zod';
import type { Observable } from 'rxjs';
import type { AuthenticatedRequest } from '../auth/caller.ts';
import { operationOf } from '../auth/operation-of.ts';
import { optionalBody } from './parse.ts';

const noFields = optionalBody(z.strictObject({}));

/** Rejects a body with fields (422) for every operation that has no body. `{}` is accepted. */
@Injectable()
export class UnknownBodyInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    // Only pages without a key are outside the list of operations.
    if (request.caller === undefined) return next.handle();
    const operation = operationOf(request);
    if (isWrite(operation) && operation.body === undefined) noFields.transform(request.body, { type: 'body' });
    return next.handle();
  }
}
