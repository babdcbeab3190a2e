import { createHmac, hash, randomUUID } from 'node:crypto';
import type { Credentials } from '@partyline/dev/stack/credentials';
import type { Send, HttpReply } from './http.ts';

/** A webhook with its token, which may be forged. */
export interface Webhook {
  /** `/v1/voice/events` and the like. */
  readonly path: string;
  readonly body: string;
  readonly authorization: string | readonly string[] | null;
}

export interface WebhookSender {
  /**
   * Makes a voice token over these bytes as the provider does. An overridden claim that is
   * undefined is left out.
   */
  token(body: string, overrides?: TokenOverrides): string;
  /** The same for video callbacks. */
  videoToken(body: string, wrong?: TokenOverrides): string;
  post(webhook: Webhook): Promise<HttpReply>;
  /** Posts a webhook with a valid token. */
  sendSigned(path: string, body: unknown): Promise<HttpReply>;
  readonly secret: string;
  readonly applicationId: string;
}

export interface TokenOverrides {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly secret?: string;
}

export const base64url = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
export const signHs256 = (signed: string, secret: string): string =>
  createHmac('sha256', secret).update(signed).digest('base64url');

/** Sends webhooks to voice-webhooks as the provider does. */
export function createWebhookSender(
  webhooksUrl: string,
  { provider }: Pick<Credentials, 'provider'>,
  send: Send,
): WebhookSender {
  const sign = (
    body: string,
    more: object,
    ownSecret: string,
    { header, claims, secret = ownSecret }: TokenOverrides = {},
  ): string => {
    const allClaims = {
      iat: Math.floor(Date.now() / 1000),
      jti: randomUUID(),
      iss: 'Vonage',
      payload_hash: hash('sha256', body),
      ...more,
      ...claims,
    };
    const signed = `${base64url({ alg: 'HS256', typ: 'JWT', ...header })}.${base64url(allClaims)}`;
    return `${signed}.${signHs256(signed, secret)}`;
  };
  const token: WebhookSender['token'] = (body, overrides) =>
    sign(
      body,
      { api_key: provider.accountKey, application_id: provider.applicationId },
      provider.signatureSecret,
      overrides,
    );
  const videoToken: WebhookSender['videoToken'] = (body, overrides) =>
    sign(body, {}, provider.callbackSecret, overrides);
  const post: WebhookSender['post'] = ({ path, body, authorization }) =>
    send({
      method: 'POST',
      url: webhooksUrl + path,
      headers: {
        'content-type': 'application/json',
        ...(authorization === null ? {} : { authorization: authorization as string }),
      },
      body,
    });
  return {
    token,
    videoToken,
    post,
    sendSigned: (path, given) => {
      const body = JSON.stringify(given);
      return post({
        path,
        body,
        authorization: `Bearer ${path.startsWith('/v1/video') ? videoToken(body) : token(body)}`,
      });
    },
    secret: provider.signatureSecret,
    applicationId: provider.applicationId,
  };
}
