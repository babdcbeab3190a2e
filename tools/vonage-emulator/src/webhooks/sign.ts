/**
 * Signs webhooks: HS256 over iat, jti, iss, payload_hash, api_key, application_id (contract §3).
 */
import { createHash } from 'node:crypto';
import { signHs256 } from '../credentials/jwt.ts';
import type { WebhookFault } from '../faults/schema.ts';
import { wallNow } from '../time/clock.ts';
import { getCredentialTimeMs, type World } from '../world.ts';

const STALE_IAT_SECONDS = 30 * 86_400;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export interface Signing {
  secret: string;
  /** API key of the account that sends the webhook. */
  apiKey: string;
  /** Absent on a legacy project's callbacks. */
  applicationId?: string;
}

/** Builds the Authorization header of one attempt. Returns undefined under the fault `unsigned`. */
export function buildAuthorization(
  world: World,
  signing: Signing,
  method: 'GET' | 'POST',
  body: string,
  faults: WebhookFault[],
): string | undefined {
  const hasFault = (fault: WebhookFault['fault']): boolean => faults.some((rule) => rule.fault === fault);
  if (hasFault('unsigned')) return undefined;
  const jti = hasFault('replayed-jti') && world.lastJti !== undefined ? world.lastJti : world.newId();
  world.lastJti = jti;
  const iat =
    Math.floor(getCredentialTimeMs(world, wallNow()) / 1000) - (hasFault('stale-iat') ? STALE_IAT_SECONDS : 0);
  const hashed = hasFault('wrong-payload-hash') ? `${body} tampered` : method === 'GET' ? '' : body;
  const hash =
    method === 'GET' && world.config.behaviour.getPayloadHash === 'absent' ? {} : { payload_hash: sha256(hashed) };
  const applicationId = hasFault('wrong-application-id') ? world.newId() : signing.applicationId;
  const claims = {
    iat,
    jti,
    iss: 'Vonage',
    ...hash,
    api_key: signing.apiKey,
    ...(applicationId === undefined ? {} : { application_id: applicationId }),
  };
  return `Bearer ${signHs256(claims, hasFault('wrong-secret') ? `${signing.secret} not` : signing.secret)}`;
}
