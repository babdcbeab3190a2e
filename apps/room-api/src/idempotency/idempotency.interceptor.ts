import { Inject, Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { VerdictError } from '@partyline/domain/verdict';
import { systemSleep } from '@partyline/runtime/system';
import { GivenProblem, type Problem } from '@partyline/runtime/problem';
import type { FastifyReply } from 'fastify';
import { from, lastValueFrom, type Observable } from 'rxjs';
import type { KnownRequest } from '../auth/caller.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { answerOnce, type Answer } from './answer-once.ts';

/** Headers of an answer that are its own, and not of the moment in which it is given. */
const KEPT_HEADERS = ['etag', 'location'] as const;

/** What is no write operation of the API (`writes` in libs/contracts). */
const READS = new Set(['GET', 'HEAD']);

const FORM = /^[ -~]{1,255}$/;

/** Stands around every operation that changes something: one that comes with an Idempotency-Key is done once, however often it comes. */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  intercept(context: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<KnownRequest>();
    const reply = http.getResponse<FastifyReply>();
    const keys = request.raw.headersDistinct['idempotency-key'];
    if (keys === undefined || READS.has(request.method)) return next.handle();
    const [key = '', ...more] = keys;
    if (more.length > 0 || !FORM.test(key)) {
      throw new VerdictError('client', 'invalid-idempotency-key', 'The Idempotency-Key is not as it should be.', {
        fix: 'Send one, of 1 to 255 printable ASCII characters: a random UUID will do.',
      });
    }
    const work = async (): Promise<Answer> => {
      const body = await lastValueFrom(next.handle(), { defaultValue: undefined });
      const headers = Object.fromEntries(
        KEPT_HEADERS.flatMap((name) => (reply.hasHeader(name) ? [[name, String(reply.getHeader(name))]] : [])),
      );
      return { status: reply.statusCode, headers, body };
    };
    // Who asks belongs to it: an answer may hold a secret that another key was not to be shown.
    const what = JSON.stringify([
      request.caller?.id,
      request.method,
      request.url,
      request.headers['if-match'],
      request.body ?? null,
    ]);
    const answered = answerOnce(
      { ...this.deps, sleep: systemSleep },
      { tenantId: request.tenantId ?? 'operator', key, what, requestId: request.id },
      work,
    );
    return from(
      answered.then(({ answer, replayed }) => {
        if (!replayed) return answer.body;
        void reply.header('idempotency-replayed', 'true');
        if (answer.status >= 400) throw new GivenProblem(answer.body as Problem);
        void reply.status(answer.status).headers(answer.headers);
        return answer.body;
      }),
    );
  }
}
