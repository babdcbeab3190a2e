import { createHmac, createSecretKey, hash, randomUUID } from 'node:crypto';
import { NUMBER } from './rooms.ts';

const USER_AGENT = 'nexmo-webhooks/1.0';
const JWT_HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');

/** The credentials of the provider account whose webhooks are signed. */
export interface Signing {
  readonly secret: string;
  readonly apiKey: string;
  readonly applicationId: string;
}

/** A call as the provider identifies it. */
export interface Call {
  readonly uuid: string;
  readonly conversation: string;
  readonly from: string;
}

export const createCall = (index: number): Call => ({
  uuid: randomUUID(),
  conversation: `CON-${randomUUID()}`,
  from: `4477009${String(index % 100_000).padStart(5, '0')}`,
});

const to = NUMBER.slice(1);

/** The body of the provider's answer webhook for a phone call. */
export const answerBody = ({ uuid, conversation, from }: Call): string =>
  JSON.stringify({
    to,
    from,
    uuid,
    conversation_uuid: conversation,
    region_url: 'https://api-eu-1.nexmo.com',
    endpoint_type: 'phone',
  });

/** The body of the provider's input webhook. */
export const digitsBody = ({ uuid, conversation, from }: Call, digits: string): string =>
  JSON.stringify({
    speech: { results: [] },
    dtmf: { digits, timed_out: false },
    from,
    to,
    uuid,
    conversation_uuid: conversation,
    timestamp: new Date().toISOString(),
  });

/**
 * Signs bodies as the provider does: HS256 over a hash of the body and a token id that is used
 * once. Returns a webhook's headers.
 */
export function createSigner({ secret, apiKey, applicationId }: Signing): (body: string) => Record<string, string> {
  const key = createSecretKey(secret, 'utf8');
  return (body) => {
    const claims = {
      iat: Math.floor(Date.now() / 1000),
      jti: randomUUID(),
      iss: 'Vonage',
      payload_hash: hash('sha256', body),
      api_key: apiKey,
      application_id: applicationId,
    };
    const signed = `${JWT_HEADER}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
    const signature = createHmac('sha256', key).update(signed).digest('base64url');
    return {
      'content-type': 'application/json',
      authorization: `Bearer ${signed}.${signature}`,
      'user-agent': USER_AGENT,
      accept: '*/*',
    };
  };
}
