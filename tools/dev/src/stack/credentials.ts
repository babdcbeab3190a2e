import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateFolder, writePrivateFile } from '../workspace.ts';

/** All secrets of one development stack, generated at its start. */
export interface Credentials {
  tenantId: string;
  /** The API key of the tenant, `pl_<env>_<id>_<secret>`. */
  apiKey: string;
  /** The API key of an operator, and its entry in the configuration. */
  operator: { key: string; entry: string };
  /** 32 bytes, base64. The keys for looking up and decrypting PINs are derived from it. */
  pinKey: string;
  /** Signs the requests of room-api to dial-orchestrator. */
  rpcSecret: string;
  /** Signs what our own gateways and the services send each other. */
  gatewaySecret: string;
  /** `<id>:<32 bytes, base64>`, which encrypts the tenants' data keys. */
  masterKeys: string;
  provider: ProviderCredentials;
  /** An account at the emulated provider that a tenant can use as its own. */
  ownProvider: ProviderCredentials;
}

/** The credentials that the dashboard of the provider shows. */
export interface ProviderCredentials {
  /** The Vonage account (voice, SIP digest). */
  accountKey: string;
  accountSecret: string;
  /** Signs the voice webhooks. */
  signatureSecret: string;
  /** The application of Voice and of unified Video. */
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

/**
 * Creates an operator key, `plop_<name>_<secret>`, and its entry in OPERATOR_KEYS: the name, the
 * SHA-256 of the whole key, and its expiry.
 * @param expires `YYYY-MM-DD`, the day (UTC) from which it is rejected; null: never
 */
export function createOperatorKey(name: string, expires: string | null): { key: string; entry: string } {
  const key = `plop_${name}_${secret()}`;
  const hash = createHash('sha256').update(key).digest('hex');
  return { key, entry: [name, hash, ...(expires === null ? [] : [expires])].join(':') };
}

/** Generates the credentials of a provider account, with its application and its project. */
export function createProviderCredentials(): ProviderCredentials {
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

/** Generates a new set of secrets. */
export function createCredentials(): Credentials {
  return {
    tenantId: `ten_${randomBytes(16).toString('base64url')}`,
    apiKey: `pl_dev_${randomBytes(6).toString('hex')}_${secret()}`,
    operator: createOperatorKey('dev', null),
    pinKey: randomBytes(32).toString('base64'),
    rpcSecret: secret(),
    gatewaySecret: secret(),
    masterKeys: `dev:${randomBytes(32).toString('base64')}`,
    provider: createProviderCredentials(),
    ownProvider: createProviderCredentials(),
  };
}

/**
 * Loads the secrets of a kept database, so that its encrypted data stays readable. Generates them
 * on the first call.
 */
export function loadKeptCredentials(): Credentials {
  const file = join(stateFolder(), 'credentials.json');
  // Secrets that an older version did not have are added.
  const set = {
    ...createCredentials(),
    ...(existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<Credentials>) : {}),
  };
  writePrivateFile(file, JSON.stringify(set, null, 2));
  return set;
}
