import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateFolder } from '../workspace.ts';

/** Every secret of one development stack: made up on the spot, worth nothing outside it. */
export interface Credentials {
  tenantId: string;
  /** The tenant's key to the API, `pl_<env>_<id>_<secret>`. */
  apiKey: string;
  /** An operator's key to the API, and what the configuration holds of it. */
  operator: { key: string; entry: string };
  /** 32 bytes, base64: what PINs are looked up by and shown again with is derived from it. */
  pinKey: string;
  /** `<id>:<32 bytes, base64>`: what tenants' data keys are wrapped with. */
  masterKeys: string;
  vendor: VendorCredentials;
  /** An account at the emulated vendor that a tenant can bring as its own. */
  ownVendor: VendorCredentials;
}

/** What the vendor's console would have given us. */
export interface VendorCredentials {
  /** The Vonage account (voice, SIP digest). */
  accountKey: string;
  accountSecret: string;
  /** Signs the vendor's voice webhooks. */
  signatureSecret: string;
  /** The application both of Voice and of unified Video. */
  applicationId: string;
  privateKey: string;
  publicKey: string;
  /** The legacy OpenTok project. */
  projectKey: string;
  projectSecret: string;
  /** Signs video callbacks ("secure callbacks"). */
  callbackSecret: string;
}

const secret = (): string => randomBytes(32).toString('base64url');

/** An operator's key, `plop_<name>_<secret>`, and its entry in OPERATOR_KEYS: the name and the whole key's SHA-256. */
export function createOperatorKey(name: string): { key: string; entry: string } {
  const key = `plop_${name}_${secret()}`;
  return { key, entry: `${name}:${createHash('sha256').update(key).digest('hex')}` };
}

/** Makes an account at the vendor, with its application and its project. */
export function createVendor(): VendorCredentials {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return {
    accountKey: randomBytes(4).toString('hex'),
    accountSecret: secret(),
    signatureSecret: secret(),
    applicationId: randomUUID(),
    privateKey,
    publicKey,
    projectKey: String(40_000_000 + (randomBytes(3).readUIntBE(0, 3) % 9_000_000)),
    projectSecret: randomBytes(20).toString('hex'),
    callbackSecret: secret(),
  };
}

/** Makes a fresh set. */
export function createCredentials(): Credentials {
  return {
    tenantId: `ten_${randomBytes(16).toString('base64url')}`,
    apiKey: `pl_dev_${randomBytes(6).toString('hex')}_${secret()}`,
    operator: createOperatorKey('dev'),
    pinKey: randomBytes(32).toString('base64'),
    masterKeys: `dev:${randomBytes(32).toString('base64')}`,
    vendor: createVendor(),
    ownVendor: createVendor(),
  };
}

/** The set a kept database was made with: what it encrypted must stay readable. Made on the first call. */
export function keptCredentials(): Credentials {
  const file = join(stateFolder(), 'credentials.json');
  // What an older version did not know of is made now, and kept from now on.
  const set = {
    ...createCredentials(),
    ...(existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<Credentials>) : {}),
  };
  writeFileSync(file, JSON.stringify(set, null, 2), { mode: 0o600 });
  return set;
}
