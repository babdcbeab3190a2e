import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { VerdictError } from '@partyline/domain/verdict';
import { throwError, timeout, type Observable } from 'rxjs';

/**
 * Answers 503 when a webhook is not answered in time. The provider waits for 5 s (contract section
 * 3), and a webhook can wait for the database twice. Its work continues: a repeated webhook gets the
 * same answer.
 */
@Injectable()
export class AnswerInTime implements NestInterceptor {
  constructor(private readonly withinMs: number) {}

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      timeout({
        first: this.withinMs,
        with: () =>
          throwError(
            () =>
              new VerdictError('server', 'temporarily-unavailable', 'The webhook was not answered in time.', {
                fix: 'Send the webhook again.',
                retryAfterMs: 1_000,
              }),
          ),
      }),
    );
  }
}
