import { Inject, Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { Operation } from '@partyline/contracts/operation';
import { toProblem } from '@partyline/runtime/problem';
import { closeEntry, openEntry, type Outcome } from '@partyline/store/audit/audit';
import { lastValueFrom, of, type Observable } from 'rxjs';
import type { KnownRequest } from '../auth/caller.ts';
import { operationOf } from '../auth/operation-of.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { sourceOf } from './source.ts';
import { idsIn, targetsOf, tenantsIn } from './targets.ts';

/** What a handler noted of what it changed; see `NoteChange`. */
export interface NotingRequest extends KnownRequest {
  changes?: Outcome['changes'];
}

/**
 * Writes every request that would change something into the audit log: before it is looked at any further, and again when it is answered. What it is called
 * comes from the list of operations, so no route escapes it. Without its entry nothing is changed: that throws, and the request fails.
 */
@Injectable()
export class AuditInterceptor implements NestInterceptor {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<NotingRequest>();
    const { caller } = request;
    // Whoever needs no key can change nothing.
    if (request.method === 'GET' || request.method === 'HEAD' || caller === undefined) return next.handle();
    const operation = operationOf(request);
    const tenantId = caller.kind === 'key' ? caller.tenantId : null;
    const entryId = this.deps.ids.next('aud');
    const targets = targetsOf(request.params);
    await openEntry(this.deps.store, tenantId, {
      id: entryId,
      actor: { kind: caller.kind, id: caller.id },
      operation: operation.id,
      targets,
      about: caller.kind === 'operator' ? tenantsIn(targets) : [],
      requestId: request.id,
      source: sourceOf(request),
    });
    const close = (outcome: Omit<Outcome, 'changes'>): Promise<void> =>
      this.#close(tenantId, entryId, operation, { ...outcome, changes: request.changes ?? null });
    try {
      const reply: unknown = await lastValueFrom(next.handle(), { defaultValue: undefined });
      await close({ status: operation.reply.status, reason: null, targets: idsIn(reply) });
      return of(reply);
    } catch (error) {
      const { status, reason } = toProblem(error);
      await close({ status, reason, targets: {} });
      throw error;
    }
  }

  /** It is done, or refused, whether or not that can be written down: the entry without an end tells that there was something. */
  async #close(tenantId: string | null, entryId: string, operation: Operation, outcome: Outcome): Promise<void> {
    try {
      await closeEntry(this.deps.store, tenantId, entryId, outcome);
    } catch (error) {
      this.deps.report.warn('an audit entry could not be closed', {
        entryId,
        operation: operation.id,
        status: outcome.status,
        error: String(error),
      });
    }
  }
}
