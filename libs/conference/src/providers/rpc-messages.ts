import type { Reason } from '@partyline/domain/reasons';
import { VerdictError, type Outcome } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { REPLY_RETENTION_HOURS } from '@partyline/store/idempotency/idempotency';
import type { ClientConfig } from '@partyline/provider-contract/media-provider';
import type { AccountBinding } from './account-vault.ts';
import { PROVIDER_RATE_LIMITED } from './rate-limit-providers.ts';
import { signRequest, type SignedFields } from './rpc-signature.ts';

/*
 * The RPC between room-api (client) and dial-orchestrator (server). room-api calls no provider
 * itself; dial-orchestrator calls the providers on its behalf. The RPC uses Nest's Redis transport
 * with one message pattern per method of `ProviderRpc`. Client and server share these names and
 * encodings. Requests are signed (rpc-signature.ts), because others may be able to write to Redis.
 */

export interface CredentialsToTest extends AccountBinding {
  /** The encrypted credentials in base64; plaintext credentials are never sent. */
  readonly encryptedCredentials: string;
  /** The account is not stored yet, so live calls in its application belong to another system. */
  readonly isNew: boolean;
}

export interface OpenedMedia {
  readonly mediaSessionId: string;
  readonly token: string;
  readonly tokenExpiresAt: Date;
  readonly client: ClientConfig;
}

/** The stored state of a leg, and whether the provider currently reports its handles as up. */
export interface ObservedLeg {
  readonly legId: string;
  readonly kind: string;
  readonly state: string;
  /** null: the leg has no such handle, or the look-up failed. */
  readonly mediaUp: boolean | null;
  /** null: the leg has no such handle, or the look-up failed. */
  readonly voiceUp: boolean | null;
}

/**
 * The requests to a provider that need an immediate response. Each returns within the provider's
 * timeout, or throws a verdict.
 */
export interface ProviderRpc {
  /**
   * Opens an empty video session at an account (null: the platform's) and issues its first token, a
   * host's. `conversation`: the name of the session's voice conference.
   */
  openMedia(input: {
    tenantId: string;
    accountId: string | null;
    conversation: string;
    participantId: string;
    lifetimeS: number;
  }): Promise<OpenedMedia>;
  /**
   * Issues a token for one more participant of a running session. `startsConference`: whether
   * callers who wait for the host stop waiting when this participant joins.
   */
  issueToken(input: {
    tenantId: string;
    sessionId: string;
    participantId: string;
    startsConference: boolean;
    expiresAt: Date;
  }): Promise<OpenedMedia>;
  /** Looks up at the provider which legs of a room's session are up. */
  observeRoom(input: { tenantId: string; roomId: string }): Promise<readonly ObservedLeg[]>;
  /** Mutes or unmutes a participant's phone. */
  mute(input: { tenantId: string; participantId: string; muted: boolean }): Promise<{ legId: string }>;
  /** Sends DTMF digits into a participant's call. */
  sendDigits(input: { tenantId: string; participantId: string; digits: string }): Promise<{ legId: string }>;
  /** Tests the credentials of a tenant's own account. */
  verifyAccount(input: CredentialsToTest): Promise<Record<string, never>>;
}

export type RpcMethod = keyof ProviderRpc;
export type RpcInput<M extends RpcMethod> = Parameters<ProviderRpc[M]>[0];
export type RpcResult<M extends RpcMethod> = Awaited<ReturnType<ProviderRpc[M]>>;

/** The date fields of each method's input and result, which JSON carries as ISO 8601 strings. */
const DATE_FIELDS: {
  readonly [M in RpcMethod]: { readonly input: readonly string[]; readonly value: readonly string[] };
} = {
  openMedia: { input: [], value: ['tokenExpiresAt'] },
  issueToken: { input: ['expiresAt'], value: ['tokenExpiresAt'] },
  observeRoom: { input: [], value: [] },
  mute: { input: [], value: [] },
  sendDigits: { input: [], value: [] },
  verifyAccount: { input: [], value: [] },
};

export const RPC_METHODS = Object.keys(DATE_FIELDS) as readonly RpcMethod[];

/**
 * The client's timeout. It exceeds the provider's timeout, so that a verdict about the provider
 * arrives.
 */
export const RPC_TIMEOUT_MS = 5_000;

/** Methods that change a connection: without a response, the outcome is indeterminate. */
export const MUTATING_METHODS: ReadonlySet<RpcMethod> = new Set<RpcMethod>(['mute', 'sendDigits']);

/**
 * Mutating methods that must not run twice. A repetition with the same id gets the first response,
 * or none.
 */
export const ONCE_ONLY_METHODS: ReadonlySet<RpcMethod> = new Set<RpcMethod>(['sendDigits']);

/**
 * How long the id of a once-only request stays claimed, in milliseconds: as long as the request can
 * be repeated. A request with an Idempotency-Key can be repeated until its stored reply expires.
 */
export const ID_CLAIM_MS = REPLY_RETENTION_HOURS * 3_600_000;

/**
 * The message pattern of a method. Redis channels ignore the database number, so deployments that
 * share a Redis need different prefixes.
 * @param prefix `REDIS_PREFIX`, the same for client and server
 */
export const rpcPattern = (method: RpcMethod, prefix = 'partyline'): string => `${prefix}.${method}`;

/**
 * A request on the wire. Every replica of the server receives it; the one that claims `nonce`
 * (once, for `NONCE_CLAIM_MS`) responds. The others must not respond, in Nest by returning rxjs
 * `NEVER`: an empty response would end the client's wait. `id` is the same in every repetition of a
 * once-only request.
 */
export interface RpcRequest extends SignedFields {
  /** `signRequest` of the other fields. */
  readonly signature: string;
}

/** A response on the wire: the method's result, with dates as ISO strings, or its verdict. */
export type RpcResponse =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly error: {
        readonly outcome: Outcome;
        readonly reason: string;
        readonly message: string;
        readonly field?: string;
        readonly fix?: string;
        readonly retryAfterMs?: number;
      };
    };

const encodeDates = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

function decodeDates(value: unknown, fields: readonly string[]): unknown {
  if (fields.length === 0) return value;
  const decoded: Record<string, unknown> = { ...(value as object) };
  for (const field of fields) decoded[field] = new Date(String(decoded[field]));
  return decoded;
}

/**
 * Encodes and signs a request (client).
 * @param secret `RPC_SECRET`, the same for client and server
 * @param sentAt milliseconds since 1970
 */
export function encodeRequest<M extends RpcMethod>(
  secret: string,
  pattern: string,
  { id, nonce, sentAt }: Omit<SignedFields, 'input'>,
  input: RpcInput<M>,
): RpcRequest {
  const fields = { id, nonce, sentAt, input: encodeDates(input) };
  return { ...fields, signature: signRequest(secret, pattern, fields) };
}

/** Returns the result in a response, or throws its verdict (client). */
export function decodeResponse<M extends RpcMethod>(method: M, response: RpcResponse): RpcResult<M> {
  if (response.ok) return decodeDates(response.value, DATE_FIELDS[method].value) as RpcResult<M>;
  const { outcome, reason, message, ...more } = response.error;
  throw new VerdictError(outcome, reason as Reason, message, more);
}

/**
 * Prefixes the reasons of providers with `upstream-`, except for the rate limit, which is
 * Partyline's own.
 */
const publicReason = (error: VerdictError): string => {
  const { reason } = error.verdict;
  return error instanceof ProviderError && reason !== PROVIDER_RATE_LIMITED && !reason.startsWith('upstream-')
    ? `upstream-${reason}`
    : reason;
};

/**
 * Runs a request and returns the response to send (server). Never throws: an error without a
 * verdict goes to `onError`, and the client gets `internal-error` without details.
 */
export async function handleRequest(
  provider: ProviderRpc,
  method: RpcMethod,
  request: Pick<RpcRequest, 'input'>,
  onError: (error: unknown) => void,
): Promise<RpcResponse> {
  try {
    const handler = provider[method] as (input: unknown) => Promise<unknown>;
    return { ok: true, value: encodeDates(await handler(decodeDates(request.input, DATE_FIELDS[method].input))) };
  } catch (error) {
    if (!(error instanceof VerdictError)) {
      onError(error);
      return {
        ok: false,
        error: {
          outcome: 'server',
          reason: 'internal-error',
          message: 'The provider request failed with an internal error.',
        },
      };
    }
    const { message, field, fix, retryAfterMs } = error;
    // The provider rejected Partyline's credentials or request, which the tenant did not cause.
    const outcome = error instanceof ProviderError && error.failure === 'refused' ? 'upstream' : error.verdict.outcome;
    return {
      ok: false,
      error: {
        outcome,
        reason: publicReason(error),
        message,
        ...(field === undefined ? {} : { field }),
        ...(fix === undefined ? {} : { fix }),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      },
    };
  }
}
