import { hash } from 'node:crypto';
import type { CallbackVerification } from '@partyline/provider-contract/callback';
import { createCallbackVerifier, signToken } from '@partyline/provider-contract/signature';

/** The issuer of webhooks. */
export const GATEWAY_ISSUER = 'partyline-media-gateway';
/** The issuer of control requests. */
const CONTROL_ISSUER = 'partyline';

/** The inputs of a signature that change with each request. */
export interface SignatureInput {
  readonly now: Date;
  /** A random id, accepted once. */
  readonly nonce: string;
}

function authorize(
  claims: Readonly<Record<string, unknown>>,
  secret: string,
  rawBody: string,
  input: SignatureInput,
): string {
  const token = signToken(
    {
      ...claims,
      iat: Math.floor(input.now.getTime() / 1_000),
      jti: input.nonce,
      payload_hash: hash('sha256', rawBody, 'hex'),
    },
    secret,
  );
  return `Bearer ${token}`;
}

/** Signs a webhook of media-gateway for an account; returns its `authorization` header. */
export const signWebhook = (account: string, secret: string, rawBody: string, input: SignatureInput): string =>
  authorize({ iss: GATEWAY_ISSUER, application_id: account }, secret, rawBody, input);

/**
 * Signs a control request; returns its `authorization` header. The signature covers the
 * gateway, the method and the path, so that it is valid for no other request.
 * @param operation id of the gateway, method, and path with query, e.g. `gw-1 POST /v1/calls`
 */
export const signControlRequest = (operation: string, secret: string, rawBody: string, input: SignatureInput): string =>
  authorize({ iss: CONTROL_ISSUER, application_id: operation }, secret, rawBody, input);

/** Verifies a control request. The caller rejects a `jti` that it has seen. */
export const verifyControlRequest = (
  operation: string,
  secrets: readonly string[],
  request: { readonly authorization: string | undefined; readonly rawBody: Buffer },
  now: Date,
): CallbackVerification =>
  createCallbackVerifier({
    secrets,
    issuer: CONTROL_ISSUER,
    applicationId: operation,
    applicationRequired: true,
  })(request, now);
