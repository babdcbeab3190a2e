import { createHmac, hash, randomUUID } from 'node:crypto';
import type { Credentials } from '@partyline/dev/stack/credentials';
import type { Send, Sent } from './http.ts';

/** A webhook with its token, which may be anything but honest. */
export interface Webhook {
  /** `/v1/voice/events` and the like. */
  readonly path: string;
  readonly body: string;
  readonly authorization: string | readonly string[] | null;
}

export interface Carrier {
  /** A token as the carrier makes it, over these bytes, or with claims of an attacker's choice (undefined leaves one out). */
  token(body: string, wrong?: Wrong): string;
  /** The same for the video vendor's callbacks. */
  videoToken(body: string, wrong?: Wrong): string;
  post(webhook: Webhook): Promise<Sent>;
  /** An honest webhook. */
  honest(path: string, body: unknown): Promise<Sent>;
  readonly secret: string;
  readonly applicationId: string;
}

export interface Wrong {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly secret?: string;
}

export const base64url = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
export const signHs256 = (signed: string, secret: string): string =>
  createHmac('sha256', secret).update(signed).digest('base64url');

/** Speaks as the vendor does to voice-webhooks. */
export function openCarrier(webhooksUrl: string, { vendor }: Pick<Credentials, 'vendor'>, send: Send): Carrier {
  const sign = (
    body: string,
    more: object,
    ownSecret: string,
    { header, claims, secret = ownSecret }: Wrong = {},
  ): string => {
    const all = {
      iat: Math.floor(Date.now() / 1000),
      jti: randomUUID(),
      iss: 'Vonage',
      payload_hash: hash('sha256', body),
      ...more,
      ...claims,
    };
    const signed = `${base64url({ alg: 'HS256', typ: 'JWT', ...header })}.${base64url(all)}`;
    return `${signed}.${signHs256(signed, secret)}`;
  };
  const token: Carrier['token'] = (body, wrong) =>
    sign(body, { api_key: vendor.accountKey, application_id: vendor.applicationId }, vendor.signatureSecret, wrong);
  const videoToken: Carrier['videoToken'] = (body, wrong) => sign(body, {}, vendor.callbackSecret, wrong);
  const post: Carrier['post'] = ({ path, body, authorization }) =>
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
    honest: (path, given) => {
      const body = JSON.stringify(given);
      return post({
        path,
        body,
        authorization: `Bearer ${path.startsWith('/v1/video') ? videoToken(body) : token(body)}`,
      });
    },
    secret: vendor.signatureSecret,
    applicationId: vendor.applicationId,
  };
}
