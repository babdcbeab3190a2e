/** JWT in the two forms that Vonage uses: HS256 (OpenTok, webhooks) and RS256 (applications). */
import { createHmac, createVerify, timingSafeEqual } from 'node:crypto';

type Claims = { [name: string]: unknown };

const encodeJson = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const computeHmac = (input: string, secret: string): Buffer => createHmac('sha256', secret).update(input).digest();

/** Signs claims with a shared secret. */
export function signHs256(claims: Claims, secret: string): string {
  const input = `${encodeJson({ alg: 'HS256', typ: 'JWT' })}.${encodeJson(claims)}`;
  return `${input}.${computeHmac(input, secret).toString('base64url')}`;
}

interface JwtParts {
  alg: string;
  claims: Claims;
  input: string;
  signature: Buffer;
}

function parseJwt(token: string): JwtParts | undefined {
  const [header, body, signature, ...rest] = token.split('.');
  if (header === undefined || body === undefined || signature === undefined || rest.length > 0) return undefined;
  try {
    const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { alg: string };
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims;
    return { alg, claims, input: `${header}.${body}`, signature: Buffer.from(signature, 'base64url') };
  } catch {
    return undefined;
  }
}

/** Returns the unverified claims. Use them only to select the key to verify with. */
export const decodeClaims = (token: string): Claims | undefined => parseJwt(token)?.claims;

/** Returns the claims when the HS256 signature is valid. */
export function verifyHs256(token: string, secret: string): Claims | undefined {
  const parts = parseJwt(token);
  if (parts === undefined || parts.alg !== 'HS256') return undefined;
  const expected = computeHmac(parts.input, secret);
  return expected.length === parts.signature.length && timingSafeEqual(expected, parts.signature)
    ? parts.claims
    : undefined;
}

/** Returns the claims when the RS256 signature is valid. */
export function verifyRs256(token: string, publicKeyPem: string): Claims | undefined {
  const parts = parseJwt(token);
  if (parts === undefined || parts.alg !== 'RS256') return undefined;
  try {
    const isValid = createVerify('RSA-SHA256').update(parts.input).verify(publicKeyPem, parts.signature);
    return isValid ? parts.claims : undefined;
  } catch {
    return undefined; // the configured key is not a usable PEM
  }
}

const DEFAULT_LIFETIME_S = 900;
const MAX_LIFETIME_S = 86_400;

/**
 * True for the claims of a valid application token: `jti` and `iat` are required, `exp` is at most
 * 24 hours after `iat`, and a token without `exp` lives 15 minutes (contract §2).
 */
export function isValidApplicationToken({ jti, iat, exp }: Claims, nowMs: number): boolean {
  if (typeof jti !== 'string' || jti === '' || typeof iat !== 'number') return false;
  const until = exp ?? iat + DEFAULT_LIFETIME_S;
  return typeof until === 'number' && until - iat <= MAX_LIFETIME_S && until * 1000 > nowMs;
}

/**
 * True when `exp` is in the future. There is no leeway: the SDKs create tokens for 5 to 15 minutes.
 */
export const isUnexpired = (claims: Claims, nowMs: number): boolean =>
  typeof claims.exp === 'number' && claims.exp * 1000 > nowMs;
