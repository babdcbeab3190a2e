/** The signed-webhook header: HS256 over iat, jti, iss, payload_hash, api_key, application_id (contract §3). */
import { createHash } from 'node:crypto';
import { signHs256 } from '../credentials/jwt.ts';
import type { WebhookFault } from '../faults/schema.ts';
import { wallNow } from '../time/clock.ts';
import { credentialNow, type World } from '../world.ts';

const MONTH_SECONDS = 30 * 86_400;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export interface Signing {
  secret: string;
  /** The account whose webhook it is. */
  apiKey: string;
  /** Absent on a legacy project's callbacks. */
  applicationId?: string;
}

/** The Authorization header for one attempt, or undefined when a fault leaves it out. */
export function authorization(
  world: World,
  signing: Signing,
  method: 'GET' | 'POST',
  body: string,
  faults: WebhookFault[],
): string | undefined {
  const has = (fault: WebhookFault['fault']): boolean => faults.some((rule) => rule.fault === fault);
  if (has('unsigned')) return undefined;
  const jti = has('replayed-jti') && world.lastJti !== undefined ? world.lastJti : world.newId();
  world.lastJti = jti;
  const iat = Math.floor(credentialNow(world, wallNow()) / 1000) - (has('stale-iat') ? MONTH_SECONDS : 0);
  const hashed = has('wrong-payload-hash') ? `${body} tampered` : method === 'GET' ? '' : body;
  const hash =
    method === 'GET' && world.config.behaviour.getPayloadHash === 'absent' ? {} : { payload_hash: sha256(hashed) };
  const applicationId = has('wrong-application-id') ? world.newId() : signing.applicationId;
  const claims = {
    iat,
    jti,
    iss: 'Vonage',
    ...hash,
    api_key: signing.apiKey,
    ...(applicationId === undefined ? {} : { application_id: applicationId }),
  };
  return `Bearer ${signHs256(claims, has('wrong-secret') ? `${signing.secret} not` : signing.secret)}`;
}
