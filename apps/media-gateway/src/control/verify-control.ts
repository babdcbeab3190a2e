import type { Clock } from '@partyline/domain/clock';
import { VerdictError } from '@partyline/domain/verdict';
import { verifyControlRequest } from '@partyline/provider-janus/sign-request';
import type { UsedTokens } from './used-tokens.ts';

/** A request to a route, or for a WebSocket. */
export interface SignedRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: { readonly authorization?: string | undefined };
  readonly rawBody?: Buffer | undefined;
}

export interface ControlVerifierDeps {
  /** The gateway that the request must be for. */
  readonly gatewayId: string;
  /** Secrets that requests may be signed with: one, or two during a rotation. */
  readonly secrets: readonly string[];
  readonly usedTokens: UsedTokens;
  readonly clock: Clock;
}

/**
 * Creates a verifier of control requests, which are signed over their method, path and raw body.
 * It throws VerdictError `control-rejected` (401).
 */
export const createControlVerifier =
  ({ gatewayId, secrets, usedTokens, clock }: ControlVerifierDeps) =>
  (request: SignedRequest): void => {
    const verified = verifyControlRequest(
      `${gatewayId} ${request.method} ${request.url}`,
      secrets,
      { authorization: request.headers.authorization, rawBody: request.rawBody ?? Buffer.alloc(0) },
      clock.now(),
    );
    if (!verified.ok) throw rejection(verified.refused);
    if (!usedTokens.use(verified.jti, verified.expiresAt)) throw rejection('used before');
  };

const rejection = (why: string): VerdictError =>
  new VerdictError('client', 'control-rejected', `The request was rejected: ${why}.`, {
    fix: 'Use the same GATEWAY_SECRET in all services, and check their clocks.',
  });
