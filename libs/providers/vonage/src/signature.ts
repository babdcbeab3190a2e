import { createHmac, createSecretKey, hash, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { Callback, RefusedCallback, CallbackVerification } from '@partyline/provider-contract/callback';

/** Whose webhooks are believed. The account comes from our route, never from the token: its claims are the attacker's to choose (contract section 3). */
interface CallbackPolicy {
  /** Signature secrets that hold now: one, or two while a secret is being rotated. */
  readonly secrets: readonly string[];
  /** Must equal the `api_key` claim. Absent: not checked. */
  readonly apiKey?: string;
  /** Must equal the `application_id` claim. Absent: not checked. */
  readonly applicationId?: string;
  /** False: an absent `application_id` passes (it is optional in the vendor's document), a wrong one does not. */
  readonly applicationRequired: boolean;
}

/** How far `iat` may be from our clock, either way. */
const MAX_CLOCK_SKEW_MS = 300_000;
/** A signed webhook's header is under 600 characters. What is longer is not worth the reading. */
const MAX_HEADER_CHARACTERS = 4_096;
const BEARER = /^Bearer +([^ ,]+) *$/i;
/** HS256 as base64url: 32 bytes are 43 characters. */
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

/** The vendor's own header, letter for letter: seen on every genuine webhook, so it is not parsed again. */
const USUAL_HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');

function checkHeader(part: string): RefusedCallback | undefined {
  if (part === USUAL_HEADER) return undefined;
  const header = readPart(part);
  if (header === undefined) return 'malformed-token';
  // only HS256, spelt so: RS256 or none would let the sender choose how he is checked
  if (header['alg'] !== 'HS256') return 'wrong-algorithm';
  return header['crit'] === undefined ? undefined : 'malformed-token';
}

function isSignatureValid(signed: string, signature: string, keys: readonly KeyObject[]): boolean {
  const given = Buffer.from(signature, 'base64url');
  let holds = false;
  for (const key of keys) {
    const expected = createHmac('sha256', key).update(signed).digest();
    holds = (expected.length === given.length && timingSafeEqual(expected, given)) || holds;
  }
  return holds;
}

function checkClaims(claims: Json, policy: CallbackPolicy, rawBody: Buffer, nowMs: number): RefusedCallback | undefined {
  if (claims['iss'] !== 'Vonage') return 'wrong-issuer';
  if (policy.apiKey !== undefined && claims['api_key'] !== policy.apiKey) return 'wrong-account';
  if (policy.applicationId !== undefined) {
    const application = claims['application_id'];
    if (application !== policy.applicationId && (policy.applicationRequired || application !== undefined))
      return 'wrong-application';
  }
  const iat = claims['iat'];
  if (typeof iat !== 'number' || !Number.isFinite(iat)) return 'malformed-token';
  // written so that NaN, of an invalid date, is refused too
  if (!(Math.abs(nowMs - iat * 1_000) <= MAX_CLOCK_SKEW_MS)) return 'stale';
  // required, over the bytes as they came: the token alone says nothing about the body it came with (contract section 0.8)
  if (claims['payload_hash'] !== hash('sha256', rawBody, 'hex')) return 'wrong-hash';
  const jti = claims['jti'];
  return typeof jti === 'string' && jti !== '' && jti.length <= MAX_JTI_CHARACTERS ? undefined : 'malformed-token';
}

/**
 * A verifier of signed webhooks for one account. The vendor's `verifySignature` checks the signature only, and takes RS256 as well
 * (contract section 0.8), so all of it is done here. Never throws. On the path of every webhook: keys are made once, and nothing is parsed
 * before the signature holds, but for a header that is not the usual one.
 */
export function createCallbackVerifier(policy: CallbackPolicy): (callback: Callback, now: Date) => CallbackVerification {
  const keys = policy.secrets.map((secret) => createSecretKey(secret, 'utf8'));
  return (callback, now) => {
    const { authorization, rawBody } = callback;
    if (authorization === undefined || authorization === '') return rejected('unsigned');
    if (authorization.length > MAX_HEADER_CHARACTERS) return rejected('malformed-token');
    const token = BEARER.exec(authorization)?.[1];
    if (token === undefined) return rejected(/^Bearer\b/i.test(authorization) ? 'malformed-token' : 'unsigned');
    const first = token.indexOf('.');
    const last = token.lastIndexOf('.');
    if (first <= 0 || last - first <= 1 || token.indexOf('.', first + 1) !== last) return rejected('malformed-token');
    const algorithm = checkHeader(token.slice(0, first));
    if (algorithm !== undefined) return rejected(algorithm);
    const signature = token.slice(last + 1);
    if (signature.length !== SIGNATURE_LENGTH || !isSignatureValid(token.slice(0, last), signature, keys))
      return rejected('wrong-signature');
    const claims = readPart(token.slice(first + 1, last));
    if (claims === undefined) return rejected('malformed-token');
    const fault = checkClaims(claims, policy, rawBody, now.getTime());
    if (fault !== undefined) return rejected(fault);
    // the token holds up to the window after `iat`, so its jti must be known as long
    return {
      ok: true,
      jti: claims['jti'] as string,
      expiresAt: new Date((claims['iat'] as number) * 1_000 + MAX_CLOCK_SKEW_MS),
    };
  };
}
