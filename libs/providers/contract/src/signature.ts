import { createHmac, createSecretKey, hash, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { Callback, RefusedCallback, CallbackVerification } from './callback.ts';

/**
 * The account whose webhooks are accepted. It comes from our route, never from the token, whose
 * claims an attacker can choose (contract section 3).
 */
interface CallbackPolicy {
  /** Valid signature secrets: one, or two during a rotation. */
  readonly secrets: readonly string[];
  /** Must equal the `iss` claim. */
  readonly issuer: string;
  /** Must equal the `api_key` claim. Absent: not checked. */
  readonly apiKey?: string;
  /** Must equal the `application_id` claim. Absent: not checked. */
  readonly applicationId?: string;
  /**
   * False: a missing `application_id` is accepted (it is optional in Vonage's documentation), a
   * wrong one is not.
   */
  readonly applicationRequired: boolean;
}

/** Maximum difference between `iat` and our clock, in either direction. */
const MAX_CLOCK_SKEW_MS = 300_000;
/**
 * How long after `exp`, and how long before `nbf`, a token is accepted. Vonage's documents show
 * neither claim (contract section 3); RFC 7519 allows a few minutes.
 */
const MAX_VALIDITY_SKEW_MS = 60_000;
/**
 * The header of a genuine webhook has fewer than 600 characters. A longer one is rejected unread.
 */
const MAX_HEADER_CHARACTERS = 4_096;
const BEARER = /^Bearer +([^ ,]+) *$/i;
/** An HS256 signature in base64url: 32 bytes are 43 characters. */
const SIGNATURE_LENGTH = 43;
const MAX_JTI_CHARACTERS = 200;

const rejected = (check: RefusedCallback): CallbackVerification => ({ ok: false, refused: check });

type Json = Readonly<Record<string, unknown>>;

function readPart(part: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

/** The exact token header of every genuine webhook, which needs no parsing. */
const USUAL_HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');

/** Signs the claims of a token (JWT, HS256). The verification is `createCallbackVerifier`. */
export function signToken(claims: Json, secret: string): string {
  const signed = `${USUAL_HEADER}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

function checkHeader(part: string): RefusedCallback | undefined {
  if (part === USUAL_HEADER) return undefined;
  const header = readPart(part);
  if (header === undefined) return 'malformed-token';
  // Only HS256 is accepted: RS256 or `none` would let the sender choose the verification.
  if (header['alg'] !== 'HS256') return 'wrong-algorithm';
  const { crit, typ } = header;
  return crit === undefined && (typ === undefined || typ === 'JWT') ? undefined : 'malformed-token';
}

function isSignatureValid(signed: string, signature: string, keys: readonly KeyObject[]): boolean {
  const given = Buffer.from(signature, 'base64url');
  let isValid = false;
  // Every key is tried, so that the time does not depend on the key that matches.
  for (const key of keys) {
    const expected = createHmac('sha256', key).update(signed).digest();
    isValid = (expected.length === given.length && timingSafeEqual(expected, given)) || isValid;
  }
  return isValid;
}

/**
 * Creates a function that returns the claims of a token (JWT, HS256) that one of the secrets signed,
 * or why it is rejected. It checks no claims, and never throws.
 */
export function createTokenReader(secrets: readonly string[]): (token: string) => Json | RefusedCallback {
  const keys = secrets.map((secret) => createSecretKey(secret, 'utf8'));
  return (token) => {
    const first = token.indexOf('.');
    const last = token.lastIndexOf('.');
    if (first <= 0 || last - first <= 1 || token.indexOf('.', first + 1) !== last) return 'malformed-token';
    const headerFault = checkHeader(token.slice(0, first));
    if (headerFault !== undefined) return headerFault;
    const signature = token.slice(last + 1);
    if (signature.length !== SIGNATURE_LENGTH || !isSignatureValid(token.slice(0, last), signature, keys))
      return 'wrong-signature';
    return readPart(token.slice(first + 1, last)) ?? 'malformed-token';
  };
}

/** An absent `aud` is correct (contract section 3). A given one must name this account. */
const isAudience = (aud: unknown, { apiKey, applicationId }: CallbackPolicy): boolean =>
  aud === undefined || [aud].flat().some((one) => typeof one === 'string' && (one === apiKey || one === applicationId));

/** Checks `exp` and `nbf` of RFC 7519, both optional, in seconds since 1970. */
function checkValidity({ exp, nbf }: Json, nowMs: number): RefusedCallback | undefined {
  if (exp !== undefined && !isFiniteNumber(exp)) return 'malformed-token';
  if (nbf !== undefined && !isFiniteNumber(nbf)) return 'malformed-token';
  if (exp !== undefined && nowMs > exp * 1_000 + MAX_VALIDITY_SKEW_MS) return 'expired';
  return nbf !== undefined && nowMs < nbf * 1_000 - MAX_VALIDITY_SKEW_MS ? 'not-yet-valid' : undefined;
}

const isFiniteNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

function checkClaims(
  claims: Json,
  policy: CallbackPolicy,
  rawBody: Buffer,
  nowMs: number,
): RefusedCallback | undefined {
  if (claims['iss'] !== policy.issuer) return 'wrong-issuer';
  const { sub } = claims;
  if (sub !== undefined && typeof sub !== 'string') return 'malformed-token';
  if (!isAudience(claims['aud'], policy)) return 'wrong-audience';
  if (policy.apiKey !== undefined && claims['api_key'] !== policy.apiKey) return 'wrong-account';
  if (policy.applicationId !== undefined) {
    const application = claims['application_id'];
    if (application !== policy.applicationId && (policy.applicationRequired || application !== undefined))
      return 'wrong-application';
  }
  const iat = claims['iat'];
  if (!isFiniteNumber(iat)) return 'malformed-token';
  // In this form the check also rejects NaN, from an invalid date.
  if (!(Math.abs(nowMs - iat * 1_000) <= MAX_CLOCK_SKEW_MS)) return 'stale';
  const validityFault = checkValidity(claims, nowMs);
  if (validityFault !== undefined) return validityFault;
  // Required, over the raw bytes: the token alone does not cover the body (contract section 0.8).
  if (claims['payload_hash'] !== hash('sha256', rawBody, 'hex')) return 'wrong-hash';
  const jti = claims['jti'];
  return typeof jti === 'string' && jti !== '' && jti.length <= MAX_JTI_CHARACTERS ? undefined : 'malformed-token';
}

/**
 * Creates a verifier of signed webhooks for one account. Vonage's `verifySignature` checks the
 * signature only and also accepts RS256 (contract section 0.8), so the whole verification is done
 * here. The verifier never throws. It runs for every webhook: keys are created once, and only an
 * unusual header is parsed before the signature is verified.
 */
export function createCallbackVerifier(
  policy: CallbackPolicy,
): (callback: Callback, now: Date) => CallbackVerification {
  const read = createTokenReader(policy.secrets);
  return (callback, now) => {
    const { authorization, rawBody } = callback;
    if (authorization === undefined || authorization === '') return rejected('unsigned');
    if (authorization.length > MAX_HEADER_CHARACTERS) return rejected('malformed-token');
    const token = BEARER.exec(authorization)?.[1];
    if (token === undefined) return rejected(/^Bearer\b/i.test(authorization) ? 'malformed-token' : 'unsigned');
    const claims = read(token);
    if (typeof claims === 'string') return rejected(claims);
    const claimFault = checkClaims(claims, policy, rawBody, now.getTime());
    if (claimFault !== undefined) return rejected(claimFault);
    // The token is valid until `iat` plus the allowed skew, so its jti must be stored until then.
    return {
      ok: true,
      jti: claims['jti'] as string,
      expiresAt: new Date((claims['iat'] as number) * 1_000 + MAX_CLOCK_SKEW_MS),
    };
  };
}
