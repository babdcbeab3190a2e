import { Controller, type Type } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import {
  type ProviderRpc,
  RPC_TIMEOUT_MS,
  handleRequest,
  ID_CLAIM_MS,
  ONCE_ONLY_METHODS,
  rpcPattern,
  RPC_METHODS,
  type RpcResponse,
  type RpcRequest,
  type RpcMethod,
} from '@partyline/conference/providers/rpc-messages';
import {
  checkRequest,
  NONCE_CLAIM_MS,
  type RequestRefusal,
  type RpcSecrets,
} from '@partyline/conference/providers/rpc-signature';
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
  readonly secrets: RpcSecrets;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Receives every request that is not answered because of its signature or its age. */
  readonly onRefused: (method: RpcMethod, reason: RequestRefusal) => void;
  readonly onError: (error: unknown, tenantId: string | undefined) => void;
}

/**
 * Makes the Nest controller that answers the provider RPC requests of other services
 * (conference/providers/rpc-messages.ts). The class is made per prefix, because a decorator's
 * message pattern is fixed.
 */
export function createProviderRpcController({
  provider,
  redis,
  prefix,
  secrets,
  now,
  onRefused,
  onError,
}: ProviderRpcDeps): Type {
  async function answer(method: RpcMethod, request: RpcRequest): Promise<RpcResponse | Observable<never>> {
    const refusal = checkRequest(secrets, rpcPattern(method, prefix), request, now());
    if (refusal !== null) {
      // Another replica may have the secret of the client during a rotation, and answers.
      onRefused(method, refusal);
      return NEVER;
    }
    const claimed = await redis.set(`${prefix}:rpc:sent:${request.nonce}`, '', 'PX', NONCE_CLAIM_MS, 'NX');
    if (claimed !== 'OK') return NEVER;
    const claim = `${prefix}:rpc:${request.id}`;
    const reportError = (error: unknown): void => onError(error, (request.input as { tenantId?: string }).tenantId);
    if (ONCE_ONLY_METHODS.has(method) && (await redis.set(claim, UNANSWERED, 'PX', ID_CLAIM_MS, 'NX')) !== 'OK')
      return repeatAnswer(claim);
    const response = await handleRequest(provider, method, request, reportError);
    if (ONCE_ONLY_METHODS.has(method)) {
      // A failed request may be repeated, but only after every replica has received this one.
      const keptMs = response.ok || response.error.outcome === 'indeterminate' ? ID_CLAIM_MS : RPC_TIMEOUT_MS;
      await redis.set(claim, JSON.stringify(response), 'PX', keptMs).catch(reportError);
    }
    return response;
  }

  /**
   * Without a stored answer, the claiming replica is still working or died: the outcome is unknown.
   */
  async function repeatAnswer(claim: string): Promise<RpcResponse | Observable<never>> {
    const stored = await redis.get(claim);
    return stored === null || stored === UNANSWERED ? NEVER : (JSON.parse(stored) as RpcResponse);
  }

  @Controller()
  class ProviderRpcController {}
  // One controller method per RPC method, generated from the list, so that none can be missing.
  for (const method of RPC_METHODS) {
    const handler: PropertyDescriptor = { value: (request: RpcRequest) => answer(method, request), configurable: true };
    Object.defineProperty(ProviderRpcController.prototype, method, handler);
    Payload()(ProviderRpcController.prototype, method, 0);
    MessagePattern(rpcPattern(method, prefix))(ProviderRpcController.prototype, method, handler);
  }
  return ProviderRpcController;
}
