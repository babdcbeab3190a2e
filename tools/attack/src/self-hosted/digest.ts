import { createHash, randomBytes } from 'node:crypto';

const UNQUOTED: ReadonlySet<string> = new Set(['algorithm', 'qop', 'nc']);

/** What a digest is made of. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
  readonly method: string;
  readonly uri: string;
  readonly nonce: string;
}

/** Writes the credentials of a request (RFC 2617, MD5), with fields that may be changed. */
export function writeDigest(
  { user, password, method, uri, nonce }: Credentials,
  change: Readonly<Record<string, string>> = {},
): string {
  const md5 = (...parts: string[]): string => createHash('md5').update(parts.join(':')).digest('hex');
  const field = { realm: 'partyline', nc: '00000001', cnonce: 'c0ffee', qop: 'auth', algorithm: 'MD5', ...change };
  const response = md5(md5(user, field.realm, password), nonce, field.nc, field.cnonce, field.qop, md5(method, uri));
  const fields = { username: user, realm: field.realm, nonce, uri, response, cnonce: field.cnonce };
  const quoted = Object.entries({ ...fields, ...change })
    .filter(([name]) => !UNQUOTED.has(name))
    .map(([name, value]) => `${name}="${value}"`);
  return `Digest ${quoted.join(', ')}, algorithm=${field.algorithm}, qop=${field.qop}, nc=${field.nc}`;
}

/** Wrong credentials for a request of a user, each with a challenge of the server. */
export function writeWrongDigests(input: Omit<Credentials, 'password'>): [string, string][] {
  const passwords = ['', input.user, 'partyline', 'secret', 'gw', randomBytes(24).toString('base64url')];
  const wrong = { ...input, password: 'x' };
  return [
    ...passwords.map((password): [string, string] => [
      `a guessed password of ${password.length} characters`,
      writeDigest({ ...input, password }),
    ]),
    ['a nonce of another server', writeDigest({ ...wrong, nonce: randomBytes(16).toString('hex') })],
    ['an empty nonce', writeDigest({ ...wrong, nonce: '' })],
    ['an empty response', writeDigest(wrong, { response: '' })],
    ['a response of zeros', writeDigest(wrong, { response: '0'.repeat(32) })],
    ['another realm', writeDigest(wrong, { realm: 'other' })],
    ['another user', writeDigest(wrong, { username: 'gw-other' })],
    ['another URI', writeDigest(wrong, { uri: 'sip:other' })],
    ['another algorithm', writeDigest(wrong, { algorithm: 'SHA-256' })],
    ['a session algorithm', writeDigest(wrong, { algorithm: 'MD5-sess' })],
    ['another quality', writeDigest(wrong, { qop: 'auth-int' })],
    ['a high count', writeDigest(wrong, { nc: 'ffffffff' })],
  ];
}
