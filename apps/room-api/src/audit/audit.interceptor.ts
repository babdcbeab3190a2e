import { Inject, Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { isWrite, type Operation } from '@partyline/contracts/operation';
import { toProblem } from '@partyline/runtime/problem';
import { closeAuditEntry, openAuditEntry, type AuditOutcome } from '@partyline/store/audit/audit';
import { lastValueFrom, of, type Observable } from 'rxjs';
import type { AuthenticatedRequest } from '../auth/caller.ts';
import { operationOf } from '../auth/operation-of.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { clientAddressOf } from '@partyline/runtime/client-address';
import { findReplyIds, findPathIds, findTenantIds } from './targets.ts';

/** `changes`: what the handler recorded; see `RecordChange`. */
export interface AuditedRequest extends AuthenticatedRequest {
  changes?: AuditOutcome['changes'];
}

/**
 * Records every write, and reads of personal data, in the audit log: before it is processed, and
 * again when it is answered. The operation comes from the list of operations, so every route is
 * covered. If the entry cannot be stored, the request fails and nothing is changed.
 */
@Injectable()
export class AuditInterceptor implements NestInterceptor {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<AuditedRequest>();
    const { caller } = request;
    // A request without a key can change nothing.
    if (caller === undefined) return next.handle();
    const operation = operationOf(request);
    if (!isWrite(operation) && operation.audited !== true) return next.handle();
    const tenantId = caller.kind === 'key' ? caller.tenantId : null;
    const entryId = this.deps.ids.next('aud');
    const targets = findPathIds(request.params);
    await openAuditEntry(this.deps.store, tenantId, {
      id: entryId,
      actor: { kind: caller.kind, id: caller.id },
      operation: operation.id,
      targets,
      about: caller.kind === 'operator' ? findTenantIds(targets) : [],
      requestId: request.id,
      source: clientAddressOf(request),
    });
    const close = (outcome: Omit<AuditOutcome, 'changes'>): Promise<void> =>
      this.#close(tenantId, entryId, operation, { ...outcome, changes: request.changes ?? null });
    try {
      const reply: unknown = await lastValueFrom(next.handle(), { defaultValue: undefined });
      await close({ status: operation.reply.status, reason: null, targets: findReplyIds(reply) });
      return of(reply);
    } catch (error) {
      const { status, reason } = toProblem(error);
      await close({ status, reason, targets: {} });
      throw error;
    }
  }

  /** Best effort: the answer is decided already, and an entry without an end shows the gap. */
  async #close(tenantId: string | null, entryId: string, operation: Operation, outcome: AuditOutcome): Promise<void> {
    try {
      await closeAuditEntry(this.deps.store, tenantId, entryId, outcome);
    } catch (error) {
      this.deps.report.warn('audit entry could not be closed', {
        entryId,
        operation: operation.id,
        status: outcome.status,
        error: String(error),
      });
    }
  }
}
