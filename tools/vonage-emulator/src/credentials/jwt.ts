/** JWT in the two forms the vendor uses: HS256 (OpenTok, webhooks) and RS256 (applications). */
import { createHmac, createVerify, timingSafeEqual } from 'node:crypto';

type Claims = { [name: string]: unknown };

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const hmac = (input: string, secret: string): Buffer => createHmac('sha256', secret).update(input).digest();

/** Signs claims with a shared secret. */
export function signHs256(claims: Claims, secret: string): string {
  const input = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${input}.${hmac(input, secret).toString('base64url')}`;
}

interface Parts {
  alg: string;
  claims: Claims;
  input: string;
  signature: Buffer;
}

function parse(token: string): Parts | undefined {
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

/** Claims without any check: only to find which key to check with. */
export const peek = (token: string): Claims | undefined => parse(token)?.claims;

/** The claims, when an HS256 signature holds. */
export function verifyHs256(token: string, secret: string): Claims | undefined {
  const parts = parse(token);
  if (parts === undefined || parts.alg !== 'HS256') return undefined;
  const expected = hmac(parts.input, secret);
  return expected.length === parts.signature.length && timingSafeEqual(expected, parts.signature)
    ? parts.claims
    : undefined;
}

/** The claims, when an RS256 signature holds. */
export function verifyRs256(token: string, publicKeyPem: string): Claims | undefined {
  const parts = parse(token);
  if (parts === undefined || parts.alg !== 'RS256') return undefined;
  try {
    const holds = createVerify('RSA-SHA256').update(parts.input).verify(publicKeyPem, parts.signature);
    return holds ? parts.claims : undefined;
  } catch {
    return undefined; // an unusable key verifies nothing
  }
}

/** True when `exp` lies ahead (60 s of leeway is not given: the SDKs mint 5 to 15 minutes). */
export const unexpired = (claims: Claims, nowMs: number): boolean =>
  typeof claims.exp === 'number' && claims.exp * 1000 > nowMs;
