import { Inject, Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { VerdictError } from '@partyline/domain/verdict';
import { systemSleep } from '@partyline/runtime/system';
import { StoredProblem, type Problem } from '@partyline/runtime/problem';
import type { FastifyReply } from 'fastify';
import { from, lastValueFrom, type Observable } from 'rxjs';
import type { AuthenticatedRequest } from '../auth/caller.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { answerOnce, type Answer } from './answer-once.ts';

/** Headers that are stored with an answer; all others depend on the moment of the reply. */
const STORED_HEADERS = ['etag', 'location'] as const;

/** Methods that change nothing (`isWrite` in libs/contracts). */
const READ_METHODS = new Set(['GET', 'HEAD']);

const KEY_PATTERN = /^[ -~]{1,255}$/;

/** Executes a write with an Idempotency-Key only once, however often the request is sent. */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  intercept(context: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<AuthenticatedRequest>();
    const reply = http.getResponse<FastifyReply>();
    const keys = request.raw.headersDistinct['idempotency-key'];
    if (keys === undefined || READ_METHODS.has(request.method)) return next.handle();
    const [key = '', ...more] = keys;
    if (more.length > 0 || !KEY_PATTERN.test(key)) {
      throw new VerdictError('client', 'invalid-idempotency-key', 'The Idempotency-Key is invalid.', {
        fix: 'Send one key of 1 to 255 printable ASCII characters, for example a UUID.',
      });
    }
    const work = async (): Promise<Answer> => {
      const body = await lastValueFrom(next.handle(), { defaultValue: undefined });
      const headers = Object.fromEntries(
        STORED_HEADERS.flatMap((name) => (reply.hasHeader(name) ? [[name, String(reply.getHeader(name))]] : [])),
      );
      return { status: reply.statusCode, headers, body };
    };
    // The caller is part of the fingerprint: an answer can contain a secret that only this caller
    // may see.
    const fingerprintInput = JSON.stringify([
      request.caller?.id,
      request.method,
      request.url,
      request.headers['if-match'],
      request.body ?? null,
    ]);
    const answered = answerOnce(
      { ...this.deps, sleep: systemSleep },
      { tenantId: request.tenantId ?? 'operator', key, fingerprintInput, requestId: request.id },
      work,
    );
    return from(
      answered.then(({ answer, replayed }) => {
        if (!replayed) return answer.body;
        void reply.header('idempotency-replayed', 'true');
        if (answer.status >= 400) throw new StoredProblem(answer.body as Problem);
        void reply.status(answer.status).headers(answer.headers);
        return answer.body;
      }),
    );
  }
}
