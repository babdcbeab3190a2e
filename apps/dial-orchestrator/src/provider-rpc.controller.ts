import { Controller, type Type } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import {
  type ProviderRpc,
  RPC_TIMEOUT_MS,
  handleRequest,
  requestClaimMs,
  ONCE_ONLY_METHODS,
  rpcPattern,
  RPC_METHODS,
  type RpcResponse,
  type RpcRequest,
  type RpcMethod,
} from '@partyline/conference/providers/rpc-messages';
import type { Redis } from 'ioredis';
import { NEVER, type Observable } from 'rxjs';

const UNANSWERED = '';

interface ProviderRpcDeps {
  readonly provider: ProviderRpc;
  /**
   * Holds the claims of requests: Redis delivers a request to every replica, and one must answer.
   */
  readonly redis: Redis;
  readonly prefix: string;
  readonly onError: (error: unknown, tenantId: string | undefined) => void;
}

/**
 * Makes the Nest controller that answers the provider RPC requests of other services
 * (conference/providers/rpc-messages.ts). The class is made per prefix, because a decorator's
 * message pattern is fixed.
 */
export function createProviderRpcController({ provider, redis, prefix, onError }: ProviderRpcDeps): Type {
  async function answer(question: RpcMethod, asked: RpcRequest): Promise<RpcResponse | Observable<never>> {
    const claim = `${prefix}:question:${asked.id}`;
    const failed = (error: unknown): void => onError(error, (asked.input as { tenantId?: string }).tenantId);
    const claimed = await redis.set(claim, UNANSWERED, 'PX', requestClaimMs(question), 'NX');
    if (claimed !== 'OK') return ONCE_ONLY_METHODS.has(question) ? repeatAnswer(claim) : NEVER;
    const answered = await handleRequest(provider, question, asked, failed);
    if (ONCE_ONLY_METHODS.has(question)) {
      // A failed request may be repeated, but only after every replica has received this one.
      const keptMs =
        answered.ok || answered.error.outcome === 'indeterminate' ? requestClaimMs(question) : RPC_TIMEOUT_MS;
      await redis.set(claim, JSON.stringify(answered), 'PX', keptMs).catch(failed);
    }
    return answered;
  }

  /**
   * Without a stored answer, the claiming replica is still working or died: the outcome is unknown.
   */
  async function repeatAnswer(claim: string): Promise<RpcResponse | Observable<never>> {
    const kept = await redis.get(claim);
    return kept === null || kept === UNANSWERED ? NEVER : (JSON.parse(kept) as RpcResponse);
  }

  @Controller()
  class ProviderRpcController {}
  // One method per request type, generated from the list, so that none can be missing.
  for (const question of RPC_METHODS) {
    const handler: PropertyDescriptor = { value: (asked: RpcRequest) => answer(question, asked), configurable: true };
    Object.defineProperty(ProviderRpcController.prototype, question, handler);
    Payload()(ProviderRpcController.prototype, question, 0);
    MessagePattern(rpcPattern(question, prefix))(ProviderRpcController.prototype, question, handler);
  }
  return ProviderRpcController;
}
