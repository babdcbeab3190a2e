import { VerdictError, type Outcome } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { REPLY_RETENTION_HOURS } from '@partyline/store/idempotency/idempotency';
import type { ClientConfig } from '@partyline/provider-contract/media-provider';
import type { AccountBinding } from './account-vault.ts';
import { PROVIDER_RATE_LIMITED } from './rate-limit-providers.ts';

export interface CredentialsToTest extends AccountBinding {
  /** Base64: credentials never travel in clear. */
  readonly sealed: string;
  /** They are not an account of ours yet: whatever lives in their application is somebody else's. */
  readonly isNew: boolean;
}

export interface OpenedMedia {
  readonly mediaSessionId: string;
  readonly token: string;
  readonly tokenExpiresAt: Date;
  readonly client: ClientConfig;
}

/** One leg as the provider itself sees it now, beside what our row says. */
export interface ObservedLeg {
  readonly legId: string;
  readonly kind: string;
  readonly state: string;
  /** `null`: there is no such side, or it could not be asked. */
  readonly mediaUp: boolean | null;
  readonly voiceUp: boolean | null;
}

/**
 * The questions that want an answer now. Only the orchestrator holds the vendor's credentials, so the others ask it: these are the names
 * of the messages, their arguments and their answers. Each answers within the provider's timeout or throws a verdict.
 */
export interface ProviderRpc {
  /** Opens an empty video session at an account (null: the platform's), with a token for its first participant. */
  openMedia(input: {
    tenantId: string;
    accountId: string | null;
    participantId: string;
    lifetimeS: number;
  }): Promise<OpenedMedia>;
  /** A token for one more participant of a running session. */
  issueToken(input: {
    tenantId: string;
    sessionId: string;
    participantId: string;
    expiresAt: Date;
  }): Promise<OpenedMedia>;
  /** Asks the provider which legs of a room's session it says are up. */
  observeRoom(input: { tenantId: string; roomId: string }): Promise<readonly ObservedLeg[]>;
  /** Mutes somebody who is on the telephone, or lets them speak again. */
  mute(input: { tenantId: string; participantId: string; muted: boolean }): Promise<{ legId: string }>;
  /** Presses keys for somebody who is on the telephone: the far end hears the tones. */
  sendDigits(input: { tenantId: string; participantId: string; digits: string }): Promise<{ legId: string }>;
  /** Tries out the credentials of a tenant's own account. */
  verifyAccount(input: CredentialsToTest): Promise<Record<string, never>>;
}

/*
 * The wire between those who ask (room-api) and the one who answers (dial-orchestrator): Nest's Redis transport, one pattern per method of
 * `AskProvider`. Both sides take names and encoding from here, so they cannot disagree.
 */

export type RpcMethod = keyof ProviderRpc;
export type RpcInput<Q extends RpcMethod> = Parameters<ProviderRpc[Q]>[0];
export type RpcResult<Q extends RpcMethod> = Awaited<ReturnType<ProviderRpc[Q]>>;

/** Which fields of a question or of its answer are dates: JSON carries them as ISO 8601 strings. The type makes sure that no question is forgotten. */
const DATE_FIELDS: { readonly [Q in RpcMethod]: { readonly input: readonly string[]; readonly value: readonly string[] } } = {
  openMedia: { input: [], value: ['tokenExpiresAt'] },
  issueToken: { input: ['expiresAt'], value: ['tokenExpiresAt'] },
  observeRoom: { input: [], value: [] },
  mute: { input: [], value: [] },
  sendDigits: { input: [], value: [] },
  verifyAccount: { input: [], value: [] },
};

/** Every question, to register a handler for each. */
export const RPC_METHODS = Object.keys(DATE_FIELDS) as readonly RpcMethod[];

/** What the asking side waits for an answer, in milliseconds; longer than the provider's own timeout, so that its verdict gets through. */
export const RPC_TIMEOUT_MS = 5_000;

/** Those that do something to a connection: without an answer, it may have been done. */
export const MUTATING_METHODS: ReadonlySet<RpcMethod> = new Set<RpcMethod>(['mute', 'sendDigits']);

/** Of those, what is not to happen twice. Asked again under the same id, it gets the answer of the first time, or none. */
export const ONCE_ONLY_METHODS: ReadonlySet<RpcMethod> = new Set<RpcMethod>(['sendDigits']);

/** For how long a question's id stays claimed, in milliseconds: for as long as it may be asked again, which a request with an Idempotency-Key may for a day. */
export const requestClaimMs = (question: RpcMethod): number =>
  ONCE_ONLY_METHODS.has(question) ? REPLY_RETENTION_HOURS * 3_600_000 : 4 * RPC_TIMEOUT_MS;

/**
 * The name of the message. Redis channels are not kept apart by database number, so deployments that share a Redis must differ here.
 * @param prefix `REDIS_PREFIX`, the same on both sides
 */
export const rpcPattern = (question: RpcMethod, prefix = 'partyline'): string => `${prefix}.${question}`;

/**
 * A question on the wire. Every replica of the answering side hears it; the one that claims `id` (once, for `claimedForMs`) answers. The others must stay silent, in Nest by returning rxjs `NEVER`: an empty reply would end the wait.
 */
export interface RpcRequest {
  /** Random, 128 bits or more. */
  readonly id: string;
  /** The method's argument, dates as ISO strings. */
  readonly input: unknown;
}

/** The answer on the wire: what the method gave, dates as ISO strings, or the verdict that it threw. */
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

/** The asking side: a question as it is sent. */
export const encodeRequest = <Q extends RpcMethod>(id: string, input: RpcInput<Q>): RpcRequest => ({
  id,
  input: encodeDates(input),
});

/** The asking side: gives the answer, or throws the verdict that the other side threw. */
export function decodeResponse<Q extends RpcMethod>(question: Q, answered: RpcResponse): RpcResult<Q> {
  if (answered.ok) return decodeDates(answered.value, DATE_FIELDS[question].value) as RpcResult<Q>;
  const { outcome, reason, message, ...more } = answered.error;
  throw new VerdictError(outcome, reason, message, more);
}

/** What a provider says no with has names of its own, and there are many: tenants know them by how they begin. Only that it was not even asked is ours to say. */
const publicReason = (error: VerdictError): string => {
  const { reason } = error.verdict;
  return error instanceof ProviderError && reason !== PROVIDER_RATE_LIMITED && !reason.startsWith('upstream-')
    ? `upstream-${reason}`
    : reason;
};

/**
 * The answering side: does what is asked and gives the reply to send. Never throws; what is no verdict is the answerer's own failure
 * (`server`, `internal-error`), goes to `onError`, and shows nothing of its insides to the one who asked.
 */
export async function handleRequest(
  provider: ProviderRpc,
  question: RpcMethod,
  asked: RpcRequest,
  onError: (error: unknown) => void,
): Promise<RpcResponse> {
  try {
    const answer = provider[question] as (input: unknown) => Promise<unknown>;
    return { ok: true, value: encodeDates(await answer(decodeDates(asked.input, DATE_FIELDS[question].input))) };
  } catch (error) {
    if (!(error instanceof VerdictError)) {
      onError(error);
      return {
        ok: false,
        error: { outcome: 'server', reason: 'internal-error', message: 'Something went wrong on our side.' },
      };
    }
    const { message, field, fix, retryAfterMs } = error;
    // What a vendor refuses here is our credentials or our request, none of the tenant's doing.
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
