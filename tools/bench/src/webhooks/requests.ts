import { createHmac, createSecretKey, hash, randomUUID } from 'node:crypto';
import type { LoadSettings } from './protocol.ts';
import { NUMBER } from './rooms.ts';

const USER_AGENT = 'nexmo-webhooks/1.0';
const JWT_HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');

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

/** A POST as it goes over the wire, signed as the vendor signs: HS256 over a hash of the body and an id that is used once. */
export function signedPosts({
  secret,
  apiKey,
  applicationId,
}: LoadSettings['signing']): (path: string, body: string) => string {
  const key = createSecretKey(secret, 'utf8');
  return (path, body) => {
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
    return [
      `POST ${path} HTTP/1.1`,
      'host: 127.0.0.1',
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
      `authorization: Bearer ${signed}.${signature}`,
      `user-agent: ${USER_AGENT}`,
      'accept: */*',
      '',
      body,
    ].join('\r\n');
  };
}
